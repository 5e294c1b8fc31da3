"""Folding changes what is stored, not what is computed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from resnetkit.graphs.folding import fold
from resnetkit.models.catalog import CATALOG
from resnetkit.models.layers import FlexibleConv2d
from resnetkit.models.spec import BASIC, BASIC_PREACT, STEM_3X3, ResNetSpec


def narrow(name: str) -> ResNetSpec:
    spec = CATALOG[name].spec
    return replace(spec, depths=(2,) * len(spec.depths), num_classes=5, stochastic_depth_rate=0.0)


@pytest.mark.parametrize(
    "name",
    ["resnet18", "resnet50d", "resnetv2_50", "resnetblur18", "resnetv2_50x1_bit", "keras_resnet50v2", "wrn_16_4",
     "preact_resnet20", "tutorial_resnet18_bias", "resnetrs50", "resnet50_gn"],
)  # fmt: skip
def test_a_folded_network_computes_the_same(name: str, make: Callable[..., Any]) -> None:
    network = make(narrow(name), size=40).network
    images = torch.randn(3, 3, 40, 40)
    with torch.no_grad():
        expected, folded = network(images), fold(network)(images)
    assert expected.std() > 1e-3
    torch.testing.assert_close(folded, expected, rtol=1e-4, atol=1e-5)


def num_norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_every_norm_behind_a_conv_is_gone(make: Callable[..., Any]) -> None:
    spec = ResNetSpec(BASIC, (1, 1), (4, 8), (1, 2), stem=replace(STEM_3X3, widths=(4,)), num_classes=3)
    network = make(spec).network
    assert num_norms(network) == 1 + 2 * 2 + 1
    assert num_norms(fold(network)) == 0
    assert num_norms(network) == 6  # the network itself stays as it is


def test_a_norm_that_reads_a_sum_stays(make: Callable[..., Any]) -> None:
    spec = ResNetSpec(BASIC_PREACT, (1, 1), (4, 8), (1, 2), stem=replace(STEM_3X3, widths=(4,)), num_classes=3)
    assert num_norms(fold(make(spec).network)) == 2 + 1  # each block's first, and the tail's


def test_standardised_weights_are_stored_and_not_standardised_twice(make: Callable[..., Any]) -> None:
    folded = fold(make(narrow("resnetv2_50x1_bit"), size=32).network)
    convs = [module for module in folded.modules() if isinstance(module, FlexibleConv2d)]
    assert convs
    for conv in convs:
        assert not conv.standardizes
        torch.testing.assert_close(conv.weight.mean((1, 2, 3)), torch.zeros(conv.out_channels), rtol=0, atol=1e-5)
