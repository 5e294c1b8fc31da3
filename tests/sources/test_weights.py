"""Third-party weights become a classifier that computes what their network computes, or a clear error."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.models.resnet import ResNet, create_model
from resnetkit.sources import origins, weights
from resnetkit.sources.published import Published, find_published, published_files, published_names
from resnetkit.sources.weights import open_classifier, open_network, open_weights
from resnetkit.weights.identification import Identification, identify


def randomized(name: str, **settings: Any) -> ResNet:
    network = create_model(name, **settings)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return network.eval()


def old_repository_file(path: Path, network: ResNet) -> Path:
    """As the CIFAR repositories of 2018 saved it: wrapped, prefixed, the head called linear."""
    tensors = {f"module.{name}".replace("fc.", "linear."): t for name, t in network.state_dict().items()}
    torch.save({"state_dict": tensors, "best_prec1": 91.0}, path)
    return path


def test_an_old_repositorys_file_computes_the_same(tmp_path: Path) -> None:
    network = randomized("akamaster_resnet20")
    file = old_repository_file(tmp_path / "net.th", network)
    classifier = open_classifier(file)
    images = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(classifier.network(images), network(images))
    assert classifier.provenance["model"] == "akamaster_resnet20"
    assert classifier.provenance["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert classifier.class_names == tuple("0123456789")
    assumed, unnamed = classifier.provenance["warnings"]
    assert "does not say how its images are prepared; assumed: shorter side 32 px" in assumed
    assert "does not name its classes" in unnamed


def test_what_is_said_replaces_what_is_assumed(tmp_path: Path) -> None:
    file = old_repository_file(tmp_path / "net.th", randomized("akamaster_resnet20", num_classes=3))
    classifier = open_classifier(file, class_names=["a", "b", "c"], preprocessing={"mean": (0.1, 0.2, 0.3)})
    assert classifier.class_names == ("a", "b", "c")
    assert classifier.preprocessing.mean == (0.1, 0.2, 0.3)
    assert not classifier.provenance["warnings"]
    with pytest.raises(ResnetkitError, match="has 3 classes, 2 names were given"):
        open_classifier(file, class_names=["a", "b"])


@pytest.mark.slow
def test_a_published_file_is_known_by_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "renamed.pth"
    torch.save(randomized("resnet50", widths=(8, 8, 8, 8), num_classes=10).state_dict(), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    name = "resnet50_v1[widths=[8,8,8,8]]"
    place = (f"sha256:{digest}", None, "https://somebody.example/small.pth")
    known = Published("small", name, "somebody", "cifar10", "mit", Preprocessing(64, 72), 0.5, *place)
    monkeypatch.setattr(origins, "find_by_sha256", {hashlib.sha256(file.read_bytes()).hexdigest(): known}.get)
    classifier = open_classifier(file)
    assert classifier.network.spec.block.strided_conv == 0
    assert classifier.preprocessing == known.preprocessing
    assert classifier.class_names[:2] == ("airplane", "automobile")
    assert (classifier.provenance["origin"], classifier.provenance["published_top1"]) == ("somebody", 0.5)
    assert classifier.provenance["licence"] == "mit"
    with pytest.raises(ResnetkitError, match="is not resnet50") as raised:
        open_classifier(file, model="resnet50[widths=[8,8,8,8]]")
    assert "checksum" in raised.value.why


def test_the_published_table_names_networks_and_its_digests_are_digests() -> None:
    from resnetkit.models.catalog import CATALOG

    for file in published_files():
        kind, _, digest = (file.digest or "").partition(":")
        assert len(digest) == {"": 0, "sha256": 8, "md5": 32}[kind]
        assert int(digest or "0", 16) >= 0
        spec = CATALOG[file.model].spec
        assert spec.in_channels == file.preprocessing.channels
        assert file.data == "imagenet21k" or spec.num_classes == {"imagenet": 1000, "cifar10": 10}[file.data]
        assert file.top1 is None or 0.6 < file.top1 < 0.95
        assert file.url.startswith(("hf://", "https://"))
    for rows in published_names().values():
        assert len({replace(row, digest=None, num_bytes=None, url="") for row in rows}) == 1


def test_a_network_stands_for_the_weights_to_start_from() -> None:
    assert {find_published(name)[0].name for name in ("resnet50", "resnet50.tv_in1k")} == {"resnet50.tv_in1k"}
    assert find_published("resnetv2_50x1_bit")[0].name == "resnetv2_50x1_bit.goog_distilled_in1k"
    with pytest.raises(ResnetkitError, match=r"no published weights are called 'resnet50\.tv_in2k'") as raised:
        find_published("resnet50.tv_in2k")
    assert "resnet50.tv_in1k" in raised.value.fix


def hub_folder(tmp_path: Path, network: ResNet, config: dict[str, Any], **others: Any) -> Path:
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name, content in others.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(("in_first", "name"), [(False, "resnet50"), (True, "resnet50_v1")])
def test_a_config_beside_the_weights_says_where_the_stride_is(tmp_path: Path, in_first: bool, name: str) -> None:
    network = randomized(name, widths=(8, 8, 8, 8), num_classes=2)
    folder = hub_folder(
        tmp_path,
        network,
        {"architectures": ["X"], "downsample_in_bottleneck": in_first, "id2label": {"0": "yes", "1": "no"}},
        preprocessor_config={
            "size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3,
            "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6],
        },
    )  # fmt: skip
    classifier = open_classifier(folder)
    assert classifier.network.spec.block.strided_conv == (0 if in_first else 1)
    assert classifier.class_names == ("yes", "no")
    assert classifier.preprocessing == Preprocessing(
        224, 256, 3, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), interpolation="bicubic"
    )
    assert not classifier.provenance["warnings"]
    wrong = "resnet50_v1" if name == "resnet50" else "resnet50"
    with pytest.raises(ResnetkitError, match=f"is not {wrong}") as raised:
        open_classifier(folder, model=f"{wrong}[widths=[8,8,8,8]]")
    assert raised.value.code is Code.WEIGHTS
    assert "downsample_in_bottleneck" in raised.value.why


def test_v1_and_v15_are_asked_about_where_nothing_tells(tmp_path: Path) -> None:
    network = randomized("resnet50_v1", widths=(8, 8, 8, 8))
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ResnetkitError, match="have the same tensors") as raised:
        open_classifier(tmp_path / "weights.pth")
    assert "stride on the first 1×1" in raised.value.why
    chosen = open_network(tmp_path / "weights.pth", model="resnet50_v1[widths=[8,8,8,8]]")
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(chosen(images), network(images))


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An entry for every search of the catalog."""
    found: list[int] = []

    def counted(*arguments: Any) -> Identification:
        found.append(1)
        return identify(*arguments)

    monkeypatch.setattr(weights, "identify", counted)
    return found


def test_a_named_network_is_not_searched_for(tmp_path: Path, searches: list[int]) -> None:
    network = randomized("resnet50_v1", widths=(8, 8, 8, 8), num_classes=7, in_channels=1)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    classifier = open_classifier(tmp_path / "weights.pth", model="resnet50_v1[widths=[8,8,8,8]]")
    assert not searches
    assert classifier.network.spec == network.spec
    assert classifier.provenance["notes"] == ["its network was named"]
    unprepared, unnamed = classifier.provenance["warnings"]
    assert "does not say how its images are prepared" in unprepared
    assert "does not name its classes" in unnamed
    assert open_weights(tmp_path / "weights.pth").identification.candidates
    assert searches


def test_a_named_network_of_other_tensors_is_told_what_differs(tmp_path: Path, searches: list[int]) -> None:
    torch.save(randomized("resnet18", widths=(8, 8, 8, 8)).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ResnetkitError, match="do not fit"):
        open_network(tmp_path / "weights.pth", model="resnet34[widths=[8,8,8,8]]")
    assert not searches


def test_another_name_of_the_same_network_is_searched_for_and_taken(tmp_path: Path, searches: list[int]) -> None:
    network = randomized("akamaster_resnet20", num_classes=3)
    file = old_repository_file(tmp_path / "net.th", network)
    name = 'resnet20[block.projection={"steps":["subsample","pad_around"],"reads":"input"}]'
    opened = open_network(file, model=name)  # not a name that goes with these tensors' names, but the same network
    assert opened.spec == network.spec
    assert len(searches) == 1
    with pytest.raises(ResnetkitError, match="is not resnet20"):
        open_network(file, model="resnet20")


def several_networks(path: Path) -> dict[str, ResNet]:
    networks = {name: randomized("resnet20_b", num_classes=classes) for name, classes in (("a", 2), ("b", 3))}
    torch.save({name: network.state_dict() for name, network in networks.items()}, path)
    return networks


def test_one_of_several_networks_is_read_by_its_entry(tmp_path: Path) -> None:
    file = tmp_path / "both.pt"
    for name, network in several_networks(file).items():
        images = torch.randn(2, 3, 32, 32)
        with torch.inference_mode():
            torch.testing.assert_close(open_network(file, entry=name)(images), network(images))
            torch.testing.assert_close(open_classifier(file, entry=name).network(images), network(images))
    with pytest.raises(ResnetkitError, match="no entry 'c'"):
        open_classifier(file, entry="c")
    own = open_classifier(file, entry="a")
    own.save(tmp_path / "own.safetensors")
    for open_ in (open_classifier, open_network):
        with pytest.raises(ResnetkitError, match="has one entry of its own"):
            open_(tmp_path / "own.safetensors", entry="a")


@pytest.mark.parametrize(
    "config",
    [
        {"architecture": "resnet18", "pretrained_cfg": {"input_size": "x"}, "label_names": {"a": 1}},
        {"architectures": 3, "pretrained_cfg": [], "id2label": {"0": "only one"}},
        {"architectures": [], "pretrained_cfg": {"input_size": [3, 8, 8], "crop_pct": 0, "mean": [0], "std": [1]}},
        {"architectures": [], "pretrained_cfg": {"crop_mode": "squash"}, "downsample_in_bottleneck": "maybe"},
    ],
)
def test_a_config_that_makes_no_sense_says_nothing(tmp_path: Path, config: dict[str, Any]) -> None:
    folder = hub_folder(tmp_path, randomized("resnet18", widths=(8, 8, 8, 8), num_classes=2), config)
    weights = open_weights(folder)
    assert weights.origin.preprocessing is None
    assert len(weights.origin.class_names or ()) in (0, 1)
    if config.get("architecture") is None:
        assert open_classifier(folder).provenance["warnings"]


TIMMS = {"input_size": [3, 64, 64], "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "interpolation": "bicubic"}
THEIRS = Preprocessing(64, 64, 3, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), interpolation="bicubic")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"crop_pct": 0.5}, replace(THEIRS, resize_px=128)),
        ({"crop_pct": 1.0, "crop_mode": "squash"}, replace(THEIRS, fit="squeeze")),
        ({"crop_pct": 1.0, "crop_mode": "border"}, replace(THEIRS, fit="pad")),
        ({"crop_pct": 0.9, "crop_mode": "border"}, None),
        ({"crop_pct": 1.0, "crop_mode": ["?"]}, None),
    ],
)
def test_how_timm_makes_squares_is_understood(
    tmp_path: Path, settings: dict[str, Any], expected: Preprocessing | None
) -> None:
    config = {"architecture": "resnet18", "pretrained_cfg": TIMMS | settings}
    folder = hub_folder(tmp_path, randomized("resnet18", widths=(8, 8, 8, 8), num_classes=2), config)
    assert open_weights(folder).origin.preprocessing == expected


def test_large_images_of_transformers_are_squeezed(tmp_path: Path) -> None:
    network = randomized("resnet18", widths=(8, 8, 8, 8), num_classes=2)
    said = {"size": {"shortest_edge": 384}, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "resample": 3}
    folder = hub_folder(tmp_path, network, {"architectures": []}, preprocessor_config=said)
    expected = replace(THEIRS, image_size_px=384, resize_px=384, fit="squeeze")
    assert open_weights(folder).origin.preprocessing == expected


def test_classes_that_share_a_word_keep_apart(tmp_path: Path) -> None:
    network = randomized("resnet18", widths=(8, 8, 8, 8), num_classes=3)
    config = {"architectures": [], "id2label": {"0": "crane", "1": "ibis", "2": "crane"}}
    assert open_classifier(hub_folder(tmp_path, network, config)).class_names == ("crane (0)", "ibis", "crane (2)")


def test_our_own_files_speak_for_themselves(tmp_path: Path) -> None:
    preprocessing = Preprocessing(8, 8, 1, (0.5,), (0.5,))
    network = randomized("resnet20_b", in_channels=1, num_classes=2, depths=(1, 1, 1))
    Classifier(network, preprocessing, ("a", "b")).save(tmp_path / "own.safetensors")
    opened = open_classifier(tmp_path / "own.safetensors")
    assert opened.class_names == load_classifier(tmp_path / "own.safetensors").class_names == ("a", "b")
    with pytest.raises(ResnetkitError, match="has a network and class names of its own"):
        open_classifier(tmp_path / "own.safetensors", model="resnet20", class_names=["x", "y"])


def test_weights_without_a_head_cannot_classify_but_are_a_network(tmp_path: Path) -> None:
    network = randomized("resnet20_b", num_classes=None)
    torch.save(network.state_dict(), tmp_path / "backbone.pth")
    with pytest.raises(ResnetkitError, match="have no head") as raised:
        open_classifier(tmp_path / "backbone.pth")
    assert "--weights" in raised.value.fix
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(open_network(tmp_path / "backbone.pth")(images), network(images))


def test_a_converted_classifier_gives_the_same_answers_as_the_weights(tmp_path: Path) -> None:
    classifier = open_classifier(old_repository_file(tmp_path / "net.th", randomized("akamaster_resnet20")))
    classifier.save(tmp_path / "net.safetensors")
    again = load_classifier(tmp_path / "net.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    before, after = (plain_predictor(one).predict_proba(pixels) for one in (classifier, again))
    assert np.array_equal(after, before)
    assert again.provenance == classifier.provenance
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "net.safetensors").read_bytes()
