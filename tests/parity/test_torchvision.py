"""Every residual network of torchvision: the same names, weights, logits, gradients and statistics."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from resnetkit.models.catalog import CATALOG
from resnetkit.models.resnet import create_model

torchvision = pytest.importorskip("torchvision")

NAMES = [name for name in torchvision.models.list_models() if name in CATALOG]


def twins(compare: Any, name: str, images: torch.Tensor) -> Any:
    return compare(lambda: create_model(name), lambda: torchvision.models.get_model(name), images)


def test_no_residual_network_is_missing() -> None:
    residual = torchvision.models.list_models(torchvision.models, include=("*resnet*", "resnext*"))
    assert set(residual) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_same_names_in_the_same_order(name: str) -> None:
    with torch.device("meta"):
        ours, theirs = create_model(name).state_dict(), torchvision.models.get_model(name).state_dict()
    shapes = [(key, tuple(tensor.shape)) for key, tensor in ours.items()]
    assert shapes == [(key, tuple(tensor.shape)) for key, tensor in theirs.items()]


# Large; test_timm.py compares networks of the same wiring, and the first of them itself.
SLOW = {"resnet152", "resnext101_64x4d", "resnext101_32x8d", "wide_resnet101_2"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NAMES]
)
def test_same_logits(name: str, compare: Any) -> None:
    twins(compare, name, torch.randn(2, 3, 65, 75)).assert_same_logits()


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_any_image_size(name: str, compare: Any) -> None:
    networks = twins(compare, name, torch.randn(2, 3, 64, 64))
    for size in ((33, 47), (97, 60), (224, 224)):
        networks.assert_same_logits(torch.randn(2, 3, *size))


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext50_32x4d"])
def test_same_training(name: str, compare: Any) -> None:
    twins(compare, name, torch.randn(4, 3, 65, 75)).assert_same_training()
