"""What frozen parts make of images is found again by a later run, and only by one that would compute the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.small_classifiers import randomize
from tests.training.test_frozen_features import COMPUTING, CountedImages, counted_digits, train

from resnetkit.config import override
from resnetkit.data.types import LoadedData
from resnetkit.machine.runtime import Runtime
from resnetkit.recipes.recipe import Recipe
from resnetkit.training import kept_features
from resnetkit.training.state import new_network, new_state
from resnetkit.training.steps import Steps
from resnetkit.training.validation import quick_scores

SETTINGS = {
    "model.depths": [1, 1, 1],
    "fine_tuning.freeze": "stage3",
    "augmentation.num_views": 2,
    "augmentation.pad_px": 1,
    "batch_size": 32,
}


@pytest.fixture
def digits(tmp_path: Path) -> tuple[Recipe, LoadedData]:
    return counted_digits({**SETTINGS, "data.cache": str(tmp_path / "kept")})


def run(recipe: Recipe, data: LoadedData, changed: str = "") -> tuple[dict[str, int], dict[str, Any], list[str]]:
    """Images that were read, weights and validation scores, and what was told, of two epochs."""
    for split in data.splits.values():
        assert isinstance(split.images, CountedImages)
        split.images.num_read = 0
    torch.manual_seed(0)
    network = new_network(replace(recipe, seed=0))  # which draws weights too
    randomize(network)
    if changed:
        network.state_dict()[changed].flatten()[-1] += 0.5
    steps = Steps(recipe, new_state(recipe, network, COMPUTING.device), data, COMPUTING)
    trained: dict[str, Any] = train(steps, 2)
    scores = quick_scores(network, recipe.preprocessing, data.splits["val"], steps.val_features)
    num_read = {name: getattr(split.images, "num_read", -1) for name, split in data.splits.items()}
    return num_read, {**trained, **scores}, steps.notes


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(torch.as_tensor(one[name]), torch.as_tensor(other[name])) for name in one)


def test_a_second_run_reads_no_image_and_comes_to_the_same(digits: tuple[Recipe, LoadedData]) -> None:
    first_read, first, silence = run(*digits)
    assert first_read == {"train": 2 * 64, "val": 64}
    assert silence == []
    second_read, second, notes = run(*digits)
    assert second_read == {"train": 0, "val": 0}
    assert same(first, second)
    assert notes == [
        f"an earlier run kept what the frozen parts make of the 64 {name} images" for name in ("train", "val")
    ]


def test_the_head_s_own_weights_make_no_difference(digits: tuple[Recipe, LoadedData]) -> None:
    run(*digits)
    num_read, _, _ = run(*digits, changed="fc.weight")
    assert num_read == {"train": 0, "val": 0}


def test_what_only_the_head_is_told_makes_no_difference(digits: tuple[Recipe, LoadedData]) -> None:
    recipe, data = digits
    run(recipe, data)
    changed = override(
        recipe, {"optimizer.learning_rate": 0.5, "epochs": 3, "augmentation.num_views": 3, "label_smoothing": 0.3}
    )
    num_read, _, _ = run(changed, data)
    assert num_read == {"train": 0, "val": 0}


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"augmentation.pad_px": 2}, {"preprocessing.mean": [0.5]}, {"preprocessing.std": [0.5]}],
    ids=str,
)
def test_other_inputs_are_computed(change: dict[str, Any], digits: tuple[Recipe, LoadedData]) -> None:
    recipe, data = digits
    run(recipe, data)
    num_read, _, _ = run(override(recipe, change), data)
    assert num_read["train"] == 2 * 64


@pytest.mark.parametrize("changed", [{"seed": 1}, {"augmentation.num_views": 3}], ids=str)
def test_images_that_are_seen_as_they_are_need_no_draws(
    changed: dict[str, int], digits: tuple[Recipe, LoadedData]
) -> None:
    recipe, data = digits
    recipe = override(recipe, {"augmentation.pad_px": 0, "augmentation.flip_rate": 0})
    run(recipe, data)
    num_read, _, _ = run(override(recipe, changed), data)
    assert num_read == {"train": 0, "val": 0}


@pytest.mark.parametrize("weight", ["conv1.weight", "layer3.0.bn2.running_var"])
def test_other_weights_are_run_anew(weight: str, digits: tuple[Recipe, LoadedData]) -> None:
    run(*digits)
    num_read, _, notes = run(*digits, changed=weight)
    assert num_read == {"train": 2 * 64, "val": 64}
    assert notes == []


def test_other_images_are_read(digits: tuple[Recipe, LoadedData]) -> None:
    recipe, data = digits
    run(recipe, data)
    train_split = data.splits["train"]
    changed = train_split.digests.copy()
    changed[3] += np.uint64(1)
    other = replace(data, splits={**data.splits, "train": replace(train_split, digests=changed)})
    num_read, _, _ = run(recipe, other)
    assert num_read == {"train": 2 * 64, "val": 0}


def test_another_machine_computes_its_own(digits: tuple[Recipe, LoadedData], monkeypatch: pytest.MonkeyPatch) -> None:
    run(*digits)
    here = kept_features.runtime.environment()
    monkeypatch.setattr(kept_features.runtime, "environment", lambda: {**here, "processor": "another"})
    num_read, _, _ = run(*digits)
    assert num_read == {"train": 2 * 64, "val": 64}


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut_short, flip_a_bit, empty, Path.unlink])
def test_damaged_files_are_computed_and_written_anew(
    damage: Callable[[Path], None], digits: tuple[Recipe, LoadedData], tmp_path: Path
) -> None:
    _, first, _ = run(*digits)
    for file in (tmp_path / "kept").iterdir():
        damage(file)
    num_read, second, _ = run(*digits)
    assert num_read == {"train": 2 * 64, "val": 64}
    assert same(first, second)
    assert run(*digits)[0] == {"train": 0, "val": 0}


def test_a_folder_that_cannot_be_written_ends_no_run(digits: tuple[Recipe, LoadedData], tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file is in the way")
    num_read, _, _ = run(*digits)
    assert num_read == {"train": 2 * 64, "val": 64}


def test_maps_are_not_kept(digits: tuple[Recipe, LoadedData], tmp_path: Path) -> None:
    recipe, data = digits
    run(replace(recipe, fine_tuning=replace(recipe.fine_tuning, freeze="stage2")), data)
    assert not (tmp_path / "kept").exists()


def test_nothing_is_kept_where_it_is_off_or_was_quick(
    digits: tuple[Recipe, LoadedData], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, data = digits
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    for cache in ("off", "auto"):
        run(override(recipe, {"data.cache": cache}), data)
    assert not (tmp_path / "user").exists()
    monkeypatch.setattr(kept_features, "WORTHWHILE_MULTIPLY_ADDS", 1)
    run(override(recipe, {"data.cache": "auto"}), data)
    assert len(list((tmp_path / "user" / "resnetkit" / "features").iterdir())) == 3  # two views, and validation


def test_precision_tells_features_apart(digits: tuple[Recipe, LoadedData]) -> None:
    recipe, data = digits
    run(recipe, data)
    torch.manual_seed(0)
    network = new_network(recipe)
    randomize(network)
    in_bf16 = Runtime(torch.device("cpu"), bf16=True, compile=False)
    steps = Steps(recipe, new_state(recipe, network, in_bf16.device), data, in_bf16)
    images = data.splits["train"].images
    assert isinstance(images, CountedImages)
    images.num_read = 0
    train(steps, 1)
    assert images.num_read == 64
