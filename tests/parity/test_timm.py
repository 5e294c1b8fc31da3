"""Every network that timm has under the same name: same weights, same logits, gradients and statistics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from resnetkit.models.catalog import CATALOG
from resnetkit.models.catalog.imagenet import IMAGENET
from resnetkit.models.catalog.preactivation import PREACTIVATION
from resnetkit.models.resnet import create_model

timm = pytest.importorskip("timm")

SIZES = json.loads((Path(__file__).parents[1] / "golden" / "networks.json").read_text())
NAMES = [name for name in timm.list_models() if name in CATALOG]
# timm has none of these; test_references.py and test_transformers.py compare them.
WITHOUT_TWIN = {
    *("resnet50_v1", "resnet101_v1", "resnet152_v1"),
    *("resnet18_a", "resnet34_a", "resnet34_c", "plain18", "plain34"),
}


REDUNDANT = {  # deep networks whose family is compared at a lower depth
    *("resnet152c", "resnet152d", "resnet152s", "resnet200d", "seresnet152", "seresnet200d", "ecaresnet200d"),
    *("resnetrs152", "resnetrs200", "seresnext101_32x8d", "seresnext101_64x4d", "resnetv2_152d"),
    *("resnet200", "resnetv2_152", "seresnet152d", "resnet101c", "resnet101s", "seresnet101", "seresnext101_32x4d"),
    *("seresnext101d_32x8d", "ecaresnet101d", "resnetblur101d", "resnetaa101d"),
}


def marked(name: str) -> Any:
    """Networks above 100 million weights, and redundant ones, are slow."""
    slow = name in REDUNDANT or SIZES.get(name, {"parameters": 0})["parameters"] > 100e6
    return pytest.param(name, marks=pytest.mark.slow) if slow else name


def twins(compare: Any, name: str, images: torch.Tensor, **settings: int) -> Any:
    theirs = {"in_chans" if key == "in_channels" else key: value for key, value in settings.items()}
    # In double precision the largest network takes 8 GB.
    dtype = torch.float32 if name == "resnetv2_152x4_bit" else torch.float64
    return compare(lambda: create_model(name, **settings), lambda: timm.create_model(name, **theirs), images, dtype)


def photo_size(name: str) -> tuple[int, int]:
    """Odd and not square, but for networks that shrink by means: timm's take only multiples of 32."""
    return (64, 96) if CATALOG[name].spec.block.downsampling == "avg" else (65, 75)


def test_every_photo_network_has_a_twin() -> None:
    assert {*IMAGENET, *PREACTIVATION} - set(NAMES) == WITHOUT_TWIN


@pytest.mark.parametrize("name", [marked(name) for name in NAMES])
def test_same_logits(name: str, compare: Any) -> None:
    networks = twins(compare, name, torch.randn(2, 3, *photo_size(name)))
    assert sum(p.numel() for p in networks.theirs.parameters()) == SIZES[name]["parameters"]
    # Single precision: 152 group-normalised layers of 8192 channels differ by 2e-5.
    networks.assert_same_logits(tolerance=1e-9 if networks.images.dtype == torch.float64 else 1e-4)


SAMPLE = [
    *("resnet18d", "resnet50", "resnet14t", "resnext50_32x4d", "seresnet18", "ecaresnet26t", "resnetblur18"),
    *("resnetrs50", "resnet50_gn", "resnetv2_18", "resnetv2_18d", "resnetv2_50t", "resnetv2_50x1_bit"),
]


@pytest.mark.parametrize("name", SAMPLE)
def test_any_image_size_and_number_of_channels(name: str, compare: Any) -> None:
    networks = twins(compare, name, torch.randn(2, 1, 64, 64), in_channels=1, num_classes=7)
    networks.assert_same_logits()
    for size in ((33, 47), (97, 60), (71, 128)):
        networks.assert_same_logits(torch.randn(2, 1, *size))


@pytest.mark.parametrize("name", [*SAMPLE, "resnetaa34d"])
def test_same_training(name: str, compare: Any) -> None:
    networks = twins(compare, name, torch.randn(4, 3, *photo_size(name)), num_classes=7)
    networks.assert_same_training()
