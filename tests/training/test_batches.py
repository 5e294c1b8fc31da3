"""What the network is fed with: every field of the augmentation shows there, and every entry of its tables is run."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from resnetkit.data import augmentation as tables
from resnetkit.data.batches import Shard
from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import Augmentation, DataSpec
from resnetkit.data.types import Split
from resnetkit.images.types import ArrayImages, empty_images
from resnetkit.recipes.advice import DataSummary, choose
from resnetkit.recipes.recipe import Recipe
from resnetkit.training import batches

RECIPE = choose(DataSummary.of(DATASETS["digits"], 64), DataSpec("digits"), settings={"batch_size": 16}).recipe

# For each field a value that is not its usual one, and the fields without which it would do nothing.
MOVED: dict[str, tuple[Any, dict[str, Any]]] = {
    "pad_px": (2, {}),
    "crop_area": ((0.3, 0.5), {}),
    "crop_aspect": ((2.0, 3.0), {"crop_area": (0.3, 0.5)}),
    "flip_rate": (0.5, {}),
    "brightness": (0.5, {}),
    "contrast": (0.5, {}),
    "erase_rate": (0.5, {}),
    "erase_area": ((0.5, 0.6), {"erase_rate": 1.0}),
    "mixup_alpha": (1.0, {}),
    "cutmix_alpha": (1.0, {}),
    "num_views": (1, {"flip_rate": 0.5}),
}


def fed(augmentation: Augmentation, recipe: Recipe = RECIPE) -> list[Tensor]:
    """All that two epochs feed, images and targets."""
    draw = np.random.default_rng(0)
    pixels = empty_images(64, (1, 8, 8))
    pixels[:] = draw.integers(0, 256, pixels.shape, dtype=np.uint8)
    split = Split(
        "train",
        ArrayImages(pixels),
        draw.integers(0, 10, 64),
        ["?"] * 64,
        np.ones(64, np.float32),
        np.zeros(64, np.uint64),
    )
    recipe = replace(recipe, augmentation=augmentation)
    feed = batches.Feed(recipe, split, 10, torch.device("cpu"), Shard())
    return [tensor for epoch in (0, 1) for batch in feed.batches(epoch, 0) for tensor in (batch.inputs, batch.targets)]


def same(some: list[Tensor], others: list[Tensor]) -> bool:
    return all(one.equal(other) for one, other in zip(some, others, strict=True))


def test_every_field_is_moved_here() -> None:
    assert {field.name for field in fields(Augmentation)} == set(MOVED), (
        "give each new field a value that does something"
    )


@pytest.mark.parametrize("name", MOVED)
def test_every_field_of_the_augmentation_changes_a_batch(name: str) -> None:
    value, needed = MOVED[name]
    without = Augmentation(**needed)
    assert value != getattr(without, name)
    assert same(fed(without), fed(without))
    assert not same(fed(without), fed(replace(without, **{name: value})))


@pytest.mark.parametrize("table", ["PIXEL_CHANGES", "INPUT_CHANGES"])
def test_an_entry_of_a_table_is_all_that_makes_a_change_happen(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def turn(images: Tensor, augmentation: Augmentation, seed: int, epoch: int, indices: np.ndarray) -> Tensor:
        assert (seed, epoch in (0, 1), len(images)) == (RECIPE.seed, True, len(indices))
        return images.rot90(1, (2, 3))

    plain = fed(Augmentation())
    monkeypatch.setattr(batches, table, (*getattr(tables, table), turn))
    expected = [tensor.rot90(1, (2, 3)) if tensor.ndim == 4 else tensor for tensor in plain]
    assert same(fed(Augmentation()), expected)
