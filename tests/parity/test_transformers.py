"""``ResNetForImageClassification`` of transformers, with the stride on a bottleneck's second conv or first."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from resnetkit.models.catalog.imagenet import DEPTHS
from resnetkit.models.resnet import create_model

transformers = pytest.importorskip("transformers")

NAMES = {  # and its settings
    "resnet18": (18, False),
    "resnet34": (34, False),
    "resnet26": (26, False),
    "resnet50": (50, False),
    "resnet101": (101, False),
    "resnet152": (152, False),
    "resnet50_v1": (50, True),
    "resnet101_v1": (101, True),
    "resnet152_v1": (152, True),
    "tutorial_resnet50": (50, False),
}


def build(name: str, **settings: int) -> nn.Module:
    depth, strides_first = NAMES[name]
    block, depths = DEPTHS[depth]
    config = transformers.ResNetConfig(
        depths=depths,
        layer_type="bottleneck" if block.expansion == 4 else "basic",
        hidden_sizes=[width * block.expansion for width in (64, 128, 256, 512)],
        downsample_in_bottleneck=strides_first,
        num_labels=settings.get("num_classes", 1000),
        num_channels=settings.get("in_channels", 3),
    )
    network: nn.Module = transformers.ResNetForImageClassification(config)
    return network


def twins(compare: Any, name: str, images: torch.Tensor, **settings: int) -> Any:
    return compare(lambda: create_model(name, **settings), lambda: build(name, **settings), images)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "resnet152" else name for name in NAMES]
)
def test_same_logits(name: str, compare: Any) -> None:
    twins(compare, name, torch.randn(2, 3, 65, 75)).assert_same_logits()


@pytest.mark.parametrize("name", ["resnet18", "resnet50_v1"])
def test_any_image_size_and_number_of_channels(name: str, compare: Any) -> None:
    networks = twins(compare, name, torch.randn(2, 1, 64, 64), in_channels=1, num_classes=7)
    for size in ((33, 47), (97, 60)):
        networks.assert_same_logits(torch.randn(2, 1, *size))


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet50_v1"])
def test_same_training(name: str, compare: Any) -> None:
    twins(compare, name, torch.randn(4, 3, 65, 75), num_classes=7).assert_same_training()
