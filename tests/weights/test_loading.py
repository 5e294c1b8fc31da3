"""Tensors into networks: what is copied, and what a refusal says; it changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import (
    BASIC,
    BASIC_PREACT,
    BOTTLENECK,
    STEM_3X3,
    STEM_DEEP,
    GroupNorm,
    ResNetSpec,
    SqueezeExcitation,
)
from resnetkit.weights import load_weights
from resnetkit.weights.loading import adapt_input

SMALL = ResNetSpec(BASIC, (1, 1), (4, 6), (1, 2), stem=replace(STEM_3X3, widths=(4,)), num_classes=5)


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    torch.manual_seed(7)
    return ResNet(SMALL).state_dict()


def assert_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def refused(network: ResNet, tensors: dict[str, Tensor], **options: Any) -> ResnetkitError:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ResnetkitError, match=r"the weights in a\.pt do not fit the network") as raised:
        load_weights(network, tensors, source="a.pt", **options)
    assert raised.value.code is Code.WEIGHTS
    assert_equal(network.state_dict(), before)
    return raised.value


def test_loading_copies_every_tensor(tensors: dict[str, Tensor]) -> None:
    network = ResNet(SMALL)
    load_weights(network, tensors, source="a.pt")
    assert_equal(network.state_dict(), tensors)
    tensors["conv1.weight"].zero_()
    assert bool(network.conv1.weight.any()), "the network must not share memory with the file's tensors"


def test_batch_counters_may_be_missing(tensors: dict[str, Tensor]) -> None:
    network = ResNet(SMALL)
    load_weights(network, {k: v for k, v in tensors.items() if "num_batches" not in k}, source="a.pt")
    assert_equal(network.state_dict(), tensors)


def spoilt(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    result = dict(tensors)
    if kind != "unexpected":
        del result["layer2.0.conv2.weight"]
    if kind != "missing":
        result["layer2.0.conv1.bias_mask"] = torch.ones(1)
    if kind == "all":
        result["conv1.weight"] = torch.ones(4, 1, 5, 3)
    return result


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("missing", "1 missing: layer2.0.conv2.weight"),
        ("unexpected", "1 unexpected: layer2.0.conv1.bias_mask"),
        (
            "all",
            "1 missing: layer2.0.conv2.weight; 1 unexpected: layer2.0.conv1.bias_mask; "
            "1 wrong shape: conv1.weight (4, 1, 5, 3) instead of (4, 3, 3, 3)",
        ),
    ],
)
def test_what_does_not_fit_is_listed_and_nothing_is_copied(tensors: dict[str, Tensor], kind: str, why: str) -> None:
    error = refused(ResNet(SMALL), spoilt(tensors, kind))
    assert error.why == why
    assert "--model" in error.fix


def test_a_long_list_is_shortened(tensors: dict[str, Tensor]) -> None:
    error = refused(ResNet(SMALL), {"conv1.weight": tensors["conv1.weight"]})
    num_missing = sum("num_batches" not in name for name in tensors) - 1
    assert error.why.startswith(f"{num_missing} missing: bn1.weight, ")
    assert error.why.endswith(f"and {num_missing - 4} more")


# --- heads ---


def test_other_classes_need_a_new_head(tensors: dict[str, Tensor]) -> None:
    network = ResNet(replace(SMALL, num_classes=3))
    head = network.fc.weight.detach().clone()
    error = refused(network, tensors)
    assert error.why == "the file has 5 classes, the network 3"
    assert "--reset-head" in error.fix
    load_weights(network, tensors, source="a.pt", reset_head=True)
    assert torch.equal(network.fc.weight, head)
    assert torch.equal(network.layer2[0].conv2.weight, tensors["layer2.0.conv2.weight"])


def test_a_file_without_a_head(tensors: dict[str, Tensor]) -> None:
    without_head = {name: tensor for name, tensor in tensors.items() if not name.startswith("fc")}
    error = refused(ResNet(SMALL), without_head)
    assert error.why == "the file has no head"
    assert "--reset-head" in error.fix
    network = ResNet(SMALL)
    load_weights(network, without_head, source="a.pt", reset_head=True)
    assert torch.equal(network.conv1.weight, tensors["conv1.weight"])
    headless = ResNet(replace(SMALL, num_classes=None))
    load_weights(headless, without_head, source="a.pt")
    assert_equal(headless.state_dict(), without_head)


def test_a_network_without_a_head(tensors: dict[str, Tensor]) -> None:
    network = ResNet(replace(SMALL, num_classes=None))
    assert "the file has a head, the network none" in refused(network, tensors).why
    load_weights(network, tensors, source="a.pt", reset_head=True)
    assert torch.equal(network.conv1.weight, tensors["conv1.weight"])


def test_a_new_head_excuses_nothing_else(tensors: dict[str, Tensor]) -> None:
    error = refused(ResNet(SMALL), spoilt(tensors, "missing"), reset_head=True)
    assert error.why == "1 missing: layer2.0.conv2.weight"


# --- channels ---


@pytest.mark.parametrize(("reads", "channels"), [(3, 1), (3, 4), (1, 3), (3, 3), (3, 7), (4, 2)])
def test_channels_are_adapted_only_when_asked(reads: int, channels: int) -> None:
    theirs = ResNet(replace(SMALL, in_channels=reads))
    network = ResNet(replace(SMALL, in_channels=channels))
    if reads != channels:
        error = refused(network, theirs.state_dict())
        assert error.why == f"the file reads {reads} channels, the network {channels}"
        assert "--adapt-channels" in error.fix
    load_weights(network, theirs.state_dict(), source="a.pt", adapt_channels=True)
    assert torch.equal(network.layer1[0].conv1.weight, theirs.layer1[0].conv1.weight)
    if reads == channels:
        assert torch.equal(network.conv1.weight, theirs.conv1.weight)


@pytest.mark.parametrize(("reads", "channels"), [(3, 1), (1, 3), (3, 6), (4, 2)])
def test_an_image_of_equal_channels_gives_what_it_gave(reads: int, channels: int) -> None:
    weight = torch.randn(8, 1, 3, 3).expand(8, reads, 3, 3)
    gray = torch.randn(2, 1, 9, 9)
    before = torch.nn.functional.conv2d(gray.expand(2, reads, 9, 9), weight)
    after = torch.nn.functional.conv2d(gray.expand(2, channels, 9, 9), adapt_input(weight, channels))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_the_first_of_several_convs_is_adapted() -> None:
    deep = replace(SMALL, stem=replace(STEM_DEEP, widths=(4, 4, 4)))
    theirs, ours = ResNet(deep), ResNet(replace(deep, in_channels=1))
    load_weights(ours, theirs.state_dict(), source="a.pt", adapt_channels=True)
    assert torch.equal(ours.conv1[0].weight, theirs.conv1[0].weight.sum(1, keepdim=True))
    assert torch.equal(ours.conv1[3].weight, theirs.conv1[3].weight)


def test_classes_and_channels_differ(tensors: dict[str, Tensor]) -> None:
    network = ResNet(replace(SMALL, num_classes=3, in_channels=1))
    error = refused(network, tensors)
    assert error.why == "the file has 5 classes, the network 3; the file reads 3 channels, the network 1"
    assert "--reset-head" in error.fix
    assert "--adapt-channels" in error.fix
    load_weights(network, tensors, source="a.pt", reset_head=True, adapt_channels=True)


# --- other networks ---


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (replace(SMALL, depths=(2, 1)), "the file has 1 + 1 blocks, the network 2 + 1 blocks"),
        (replace(SMALL, block=BOTTLENECK), "the file has basic blocks, the network bottlenecks"),
        (replace(SMALL, block=BASIC_PREACT), "the file has post-activation, the network pre-activation"),
        (replace(SMALL, norm=GroupNorm(2)), "the file has batch norm, the network group norm"),
        (
            replace(SMALL, stem=replace(STEM_DEEP, widths=(4, 4, 4))),
            "the file has one conv in the stem, the network a deep stem",
        ),
        (
            replace(SMALL, block=replace(BASIC, attention=SqueezeExcitation())),
            "the file has no attention, the network attention",
        ),
    ],
    ids=["depths", "block", "order", "norm", "stem", "attention"],
)
def test_the_likely_reason(tensors: dict[str, Tensor], spec: ResNetSpec, reason: str) -> None:
    error = refused(ResNet(spec), tensors)
    assert error.why.startswith(reason)
    assert " missing: " in error.why or " unexpected: " in error.why
    assert "--model" in error.fix
