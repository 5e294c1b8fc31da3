"""Weights from wherever they are land in the network that is named, or are refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from tests.fake_hub import FakeHub

import resnetkit
from resnetkit.classifier.classifier import Classifier
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import ResNet
from resnetkit.sources.networks import create_model, load_weights

SMALL = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8), "num_classes": 2}


def same(a: ResNet, b: ResNet) -> bool:
    theirs = b.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in a.state_dict().items())


@pytest.fixture(scope="module")
def network() -> ResNet:
    return create_model("resnet50", **SMALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, network: ResNet) -> Path:
    place = tmp_path_factory.mktemp("weights")
    torch.save({"state_dict": network.state_dict()}, place / "weights.pth")
    Classifier(network, Preprocessing(32, 32), ("a", "b")).save(place / "classifier.safetensors")
    return place


@pytest.mark.parametrize("name", ["weights.pth", "classifier.safetensors", ""])
def test_weights_land_in_the_named_network(place: Path, network: ResNet, name: str) -> None:
    assert same(create_model("resnet50", weights=place / name, **SMALL), network)
    assert not same(create_model("resnet50", **SMALL), network)


def test_weights_of_the_hub_land_in_it(fake_hub: FakeHub, network: ResNet) -> None:
    fake_hub.repositories["me/it"] = {"model.safetensors": save(network.state_dict())}
    assert same(create_model(network.spec, weights="hf://me/it"), network)


def test_weights_are_adapted_to_other_classes_and_channels(place: Path, network: ResNet) -> None:
    settings = {**SMALL, "num_classes": 5, "in_channels": 1}
    for name in ("weights.pth", "classifier.safetensors"):
        with pytest.raises(ResnetkitError, match="do not fit") as raised:
            create_model("resnet50", weights=place / name, **settings)
        assert raised.value.code is Code.WEIGHTS
        adapted = create_model("resnet50", weights=place / name, reset_head=True, adapt_channels=True, **settings)
        assert torch.equal(adapted.layer4[0].conv3.weight, network.layer4[0].conv3.weight)
        assert adapted.conv1.weight.shape[1] == 1


def test_a_network_with_the_same_tensors_that_computes_otherwise_is_refused(place: Path) -> None:
    """v1 strides elsewhere than v1.5, and would score 13 points less without a word."""
    other = create_model("resnet50_v1", **SMALL)
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(ResnetkitError, match="computes otherwise") as raised:
        load_weights(other, place / "classifier.safetensors")
    assert raised.value.why == "their tensors fit, but it has another block.strided_conv"
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())


def test_what_a_file_says_counts_for_a_name_and_for_a_network(tmp_path: Path) -> None:
    network = create_model("akamaster_resnet20")
    tensors = {name.replace("fc.", "linear."): tensor for name, tensor in network.state_dict().items()}
    torch.save(tensors, tmp_path / "net.th")
    assert same(create_model("akamaster_resnet20", weights=tmp_path / "net.th"), network)
    plain = create_model("plain20")  # without skips, and with the same tensors
    for load in (
        lambda: create_model("plain20", weights=tmp_path / "net.th"),
        lambda: load_weights(plain, tmp_path / "net.th"),
    ):
        with pytest.raises(ResnetkitError, match="is not plain20") as raised:
            load()
        assert "named as in akamaster" in raised.value.why


def test_what_matters_in_training_alone_is_no_other_network(place: Path, network: ResNet) -> None:
    trained = create_model("resnet50", weights=place, stochastic_depth_rate=0.2, **SMALL)
    assert same(trained, network)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights": "resnet18"}, "no run folder or file at resnet18"),
        ({"reset_head": True}, "reset_head without weights"),
        ({"model": "resnet51"}, "unknown network 'resnet51'"),
        ({"num_clases": 3}, "unknown field 'num_clases'"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ResnetkitError, match=words):
        create_model(**{"model": "resnet18", **settings})  # type: ignore[arg-type]


def test_networks_compare_as_they_are(network: ResNet, place: Path) -> None:
    compared = resnetkit.compare(network, place / "weights.pth")
    assert compared.tensors is not None
    assert {part.largest for part in compared.tensors.distances} == {0.0}
    classifier = resnetkit.open_classifier(place)
    assert resnetkit.compare(classifier, network).networks is not None


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    assert list(resnetkit._HOMES) == resnetkit.__all__ == sorted(resnetkit.__all__)
    for name in resnetkit.__all__:
        assert getattr(resnetkit, name).__doc__, name
