"""What frozen parts make of images is computed once for each view, and training with it is the same training."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.small_classifiers import randomize
from tests.small_kinds import KINDS

from resnetkit.data.spec import Augmentation
from resnetkit.data.types import LoadedData
from resnetkit.images.types import ArrayImages, Indices, UInt8Images
from resnetkit.machine.runtime import Runtime
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Recipe
from resnetkit.training.frozen_features import UpperParts, run_parts
from resnetkit.training.planning import plan
from resnetkit.training.state import new_network, new_state
from resnetkit.training.steps import Steps
from resnetkit.training.validation import quick_scores

COMPUTING = Runtime(torch.device("cpu"), bf16=False, compile=False)
SETTINGS = {
    "model.depths": [1, 1, 1],
    "fine_tuning.freeze": "stage2",
    "augmentation.num_views": 2,
    "augmentation.pad_px": 1,
    "augmentation.flip_rate": 0.5,
    "preprocessing.average_mirrored": True,
    "batch_size": 32,
    "ema_decay": 0.9,
    "optimizer.learning_rate": 0.01,
}


class CountedImages(ArrayImages):
    """Images that count how many of them were read."""

    num_read = 0

    def read(self, indices: Indices) -> UInt8Images:
        self.num_read += len(indices)
        return super().read(indices)


def counted_digits(settings: dict[str, Any]) -> tuple[Recipe, LoadedData]:
    """A recipe with these settings, and few images that count how often they are read."""
    source, chosen = plan("digits", model="resnet20_b", settings=settings)
    loaded = source.load(("train", "val"), chosen.recipe.preprocessing)
    few = {name: split.select(np.arange(64)) for name, split in loaded.splits.items()}
    counted = {
        name: replace(split, images=CountedImages(split.images.read(np.arange(64)))) for name, split in few.items()
    }
    return chosen.recipe, replace(loaded, splits=counted)


@pytest.fixture(scope="module")
def digits() -> tuple[Recipe, LoadedData]:
    return counted_digits(SETTINGS)


def begin(recipe: Recipe, data: LoadedData) -> Steps:
    for split in data.splits.values():
        assert isinstance(split.images, CountedImages)
        split.images.num_read = 0
    torch.manual_seed(0)
    network = new_network(recipe)
    randomize(network)
    return Steps(recipe, new_state(recipe, network, COMPUTING.device), data, COMPUTING)


def train(steps: Steps, num_epochs: int) -> dict[str, torch.Tensor]:
    for _ in range(num_epochs):
        for _ in steps.updates():
            steps.read()
        steps.state.progress.start_next_epoch()
    return dict(steps.state.network.state_dict())


def num_read(data: LoadedData, split: str) -> int:
    images = data.splits[split].images
    assert isinstance(images, CountedImages)
    return images.num_read


@pytest.mark.parametrize("kind", KINDS)
def test_the_halves_of_any_network_are_the_network(kind: str) -> None:
    network = ResNet(KINDS[kind])
    randomize(network)
    network.eval()
    images = torch.randn(2, network.spec.in_channels, 32, 32)
    with torch.no_grad():
        whole = network(images)
        for num_below in range(len(network.stage_names) + 2):
            below = run_parts(network, images, 0, num_below)
            torch.testing.assert_close(UpperParts(network, num_below)(below), whole, msg=f"{num_below} parts below")


@pytest.mark.parametrize("freeze", ["stem", "stage2", "stage3"])
def test_it_is_the_same_training(freeze: str, digits: tuple[Recipe, LoadedData]) -> None:
    recipe, data = digits
    recipe = replace(recipe, fine_tuning=replace(recipe.fine_tuning, freeze=freeze))
    kept = begin(recipe, data)
    assert kept.upper.num_below == recipe.parts.index(freeze) + 1
    with_features = train(kept, 4)
    assert num_read(data, "train") == 2 * 64  # in four epochs
    no_room = replace(recipe, data=replace(recipe.data, max_memory_bytes=1000))
    anew = begin(no_room, data)
    assert anew.upper.num_below == 0
    for name, tensor in train(anew, 4).items():
        torch.testing.assert_close(with_features[name], tensor, msg=name, atol=1e-5, rtol=1e-4)
    assert num_read(data, "train") == 4 * 64


def test_validation_reads_its_images_once(digits: tuple[Recipe, LoadedData]) -> None:
    recipe, data = digits
    steps = begin(recipe, data)
    for _ in range(2):
        train(steps, 1)
        network = steps.state.average.network
        scores = quick_scores(network, recipe.preprocessing, data.splits["val"], steps.val_features)
        read = num_read(data, "val")
        assert scores == pytest.approx(quick_scores(network, recipe.preprocessing, data.splits["val"]), rel=1e-5)
    assert read == 2 * 64 + 64  # once for each of two views, and once by the check itself


def test_a_run_that_goes_on_has_the_same_features(digits: tuple[Recipe, LoadedData]) -> None:
    recipe, data = digits
    whole = begin(recipe, data)
    expected = train(whole, 3)
    first = begin(recipe, data)
    train(first, 2)
    next(first.updates())
    first.read()
    checkpoint = first.state.to_checkpoint({})
    second = begin(recipe, data)
    second.state.restore(checkpoint)
    for name, tensor in train(second, 1).items():
        assert torch.equal(tensor, expected[name]), name


def test_parts_that_thaw_are_features_no_longer(digits: tuple[Recipe, LoadedData]) -> None:
    recipe, data = digits
    steps = begin(recipe, data)
    assert steps.upper.num_below == 3
    steps.hold(1)
    assert steps.upper.num_below == 1
    before = steps.state.network.layer1[0].conv1.weight.clone()  # type: ignore[index,union-attr]
    train(steps, 1)
    assert not torch.equal(before, steps.state.network.layer1[0].conv1.weight)  # type: ignore[index,union-attr]
    steps.hold(0)
    assert (steps.upper.num_below, steps.val_features) == (0, None)


def test_what_thaws_later_is_computed_from_what_was_kept(digits: tuple[Recipe, LoadedData]) -> None:
    recipe, data = digits
    tuning = replace(recipe.fine_tuning, freeze="stage3", thaw_every_epochs=2, thaw_to="stage2")
    recipe = replace(recipe, fine_tuning=tuning, epochs=5)
    steps = begin(recipe, data)
    train(steps, 2)
    assert steps.upper.num_below == 4
    steps.hold(3)
    assert steps.upper.num_below == 3
    with_features = train(steps, 2)
    assert num_read(data, "train") == 2 * 64
    anew = begin(replace(recipe, data=replace(recipe.data, max_memory_bytes=1000)), data)
    train(anew, 2)
    anew.hold(3)
    for name, tensor in train(anew, 2).items():
        torch.testing.assert_close(with_features[name], tensor, msg=name, atol=1e-5, rtol=1e-4)
    assert num_read(data, "train") == 4 * 64


def test_images_that_always_look_the_same_are_read_once(digits: tuple[Recipe, LoadedData]) -> None:
    recipe, data = digits
    steps = begin(replace(recipe, augmentation=Augmentation()), data)
    train(steps, 3)
    assert num_read(data, "train") == 64


@pytest.mark.parametrize("change", [{"num_views": 0}, {"mixup_alpha": 0.2}, {"cutmix_alpha": 1.0}])
def test_images_that_are_never_the_same_again_are_not_kept(
    change: dict[str, float], digits: tuple[Recipe, LoadedData]
) -> None:
    recipe, data = digits
    changed = replace(recipe, augmentation=replace(recipe.augmentation, **change))  # type: ignore[arg-type]
    assert begin(changed, data).upper.num_below == 0
