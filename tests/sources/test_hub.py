"""Names on the hub, against a hub on loopback: nothing else is ever contacted."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from safetensors.torch import save
from tests.fake_hub import REVISION, FakeHub

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.resnet import create_model
from resnetkit.sources.hub import fetch
from resnetkit.sources.weights import open_classifier, open_network

CONFIG = {
    "architecture": "resnet14t",
    "num_classes": 3,
    "pretrained_cfg": {
        "input_size": [3, 176, 176],
        "crop_pct": 0.875,
        "interpolation": "bicubic",
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.2, 0.1],
        "label_names": ["ant", "bee", "cat"],
    },
}


def repository() -> dict[str, bytes]:
    network = create_model("resnet14t", num_classes=3)
    return {
        "README.md": b"hello",
        "config.json": json.dumps(CONFIG).encode(),
        "model.safetensors": save(network.state_dict()),
    }


def test_weights_come_with_their_network_preprocessing_classes_and_revision(fake_hub: FakeHub) -> None:
    fake_hub.repositories["timm/small"] = files = repository()
    classifier = open_classifier("hf://timm/small")
    assert classifier.class_names == ("ant", "bee", "cat")
    prepared = classifier.preprocessing
    assert (prepared.image_size_px, prepared.resize_px, prepared.interpolation) == (176, 201, "bicubic")
    assert (prepared.mean, prepared.std) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    assert classifier.provenance["weights"] == "hf://timm/small/model.safetensors"
    assert classifier.provenance["revision"] == REVISION
    assert classifier.provenance["sha256"] == hashlib.sha256(files["model.safetensors"]).hexdigest()
    assert not classifier.provenance["warnings"]
    assert open_network("hf://timm/small@v1/model.safetensors").spec.num_classes == 3
    assert not any("README" in path for path in fake_hub.requests), "only what is needed is fetched"


def test_a_network_that_the_repository_does_not_have_is_refused(fake_hub: FakeHub) -> None:
    fake_hub.repositories["timm/small"] = files = repository()
    files["config.json"] = json.dumps({**CONFIG, "architecture": "resnet50"}).encode()
    with pytest.raises(ResnetkitError, match="contradicts itself") as raised:
        open_classifier("hf://timm/small")
    assert "config.json says its network is resnet50" in raised.value.why


def test_several_weight_files_are_asked_about(fake_hub: FakeHub) -> None:
    fake_hub.repositories["me/two"] = {"a.pth": b"", "b.pth": b"", "notes.txt": b""}
    with pytest.raises(ResnetkitError, match="several weight files") as raised:
        fetch("hf://me/two")
    assert raised.value.why == "a.pth, b.pth"
    with pytest.raises(ResnetkitError, match="is not there") as raised:
        fetch("hf://me/two/c.pth")
    assert "a.pth, b.pth" in raised.value.fix
    assert fetch("hf://me/two/b.pth").path.name == "b.pth"


def test_a_repository_that_is_not_there_is_one_clear_error(fake_hub: FakeHub) -> None:
    with pytest.raises(ResnetkitError, match="could not be fetched") as raised:
        fetch("hf://nobody/nothing")
    assert raised.value.code is Code.IO
    assert "HF_TOKEN" in raised.value.fix
    fake_hub.repositories["me/empty"] = {"notes.txt": b""}
    with pytest.raises(ResnetkitError, match="holds no weights"):
        fetch("hf://me/empty")


@pytest.mark.parametrize("name", ["hf://", "hf://alone", "hf://a/b@", "hf://../../etc"])
def test_what_is_no_name_is_refused_before_anything_is_asked(name: str, fake_hub: FakeHub) -> None:
    if name == "hf://../../etc":  # a name by its letters; the client itself refuses it
        with pytest.raises(ResnetkitError):
            fetch(name)
        return
    with pytest.raises(ResnetkitError, match="is no name on the hub"):
        fetch(name)
    assert not fake_hub.requests


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ResnetkitError, match="needs huggingface_hub") as raised:
        fetch("hf://a/b")
    assert raised.value.fix == "pip install 'resnetkit[hub]'"


def test_a_path_is_never_taken_for_a_name(tmp_path: Path, fake_hub: FakeHub) -> None:
    with pytest.raises(ResnetkitError, match="no run folder or file"):
        open_classifier(tmp_path / "timm" / "small")
    assert not fake_hub.requests
