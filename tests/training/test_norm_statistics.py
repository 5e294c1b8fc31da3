"""Statistics of batch norms that are taken anew where a run is short."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from resnetkit.data.types import Split
from resnetkit.images.normalization import normalize
from resnetkit.images.types import ArrayImages
from resnetkit.recipes.recipe import Recipe
from resnetkit.recipes.schedule import SHORT_RUN_STEPS
from resnetkit.training import loop, norm_statistics
from resnetkit.training.norm_statistics import take_anew
from resnetkit.training.planning import plan
from resnetkit.training.run import train
from resnetkit.training.state import new_network


@pytest.fixture(scope="module")
def digits() -> tuple[Recipe, Split]:
    source, chosen = plan("digits", model="resnet20_b", settings={"model.depths": [1, 1, 1]})
    return chosen.recipe, source.load(["train"], chosen.recipe.preprocessing).splits["train"]


def test_they_are_those_of_the_training_images(digits: tuple[Recipe, Split], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norm_statistics, "BATCH_SIZE", 10_000)
    recipe, split = digits
    network = new_network(recipe)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    anew = take_anew(network, recipe, split, 0)
    some = np.unique(np.linspace(0, len(split) - 1, norm_statistics.MOST_IMAGES).round().astype(int))
    with torch.no_grad():
        responses = network.conv1(normalize(torch.from_numpy(split.images.read(some)), recipe.preprocessing))
    torch.testing.assert_close(anew.bn1.running_mean, responses.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(anew.bn1.running_var, responses.var((0, 2, 3)), atol=1e-5, rtol=1e-4)
    assert not anew.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
        if "running" not in name:
            assert torch.equal(value, anew.state_dict()[name]), name


def test_parts_that_are_held_keep_theirs(digits: tuple[Recipe, Split]) -> None:
    recipe, split = digits
    network = new_network(recipe)
    anew = take_anew(network, recipe, split, 2).state_dict()  # stem and first stage
    for name, value in network.state_dict().items():
        if "running" in name:
            assert torch.equal(value, anew[name]) == name.startswith(("bn1", "layer1")), name


def test_nothing_is_drawn(digits: tuple[Recipe, Split]) -> None:
    recipe, split = digits
    network = new_network(recipe)
    shaken = replace(recipe, augmentation=replace(recipe.augmentation, pad_px=3, erase_rate=1.0), seed=7)
    one, two = (take_anew(network, some, split, 0).state_dict() for some in (recipe, shaken))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_two_images_are_enough(digits: tuple[Recipe, Split]) -> None:
    recipe, split = digits
    images = ArrayImages(split.images.read(np.arange(2)))
    pair = replace(
        split, images=images, labels=split.labels[:2], identifiers=["a", "b"], aspect_ratios=np.ones(2, np.float32)
    )
    assert all(
        value.isfinite().all() for value in take_anew(new_network(recipe), recipe, pair, 0).state_dict().values()
    )


def test_a_run_of_ten_updates_answers_better_for_it(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {"augmentation.mixup_alpha": 0, "augmentation.cutmix_alpha": 0, "augmentation.erase_rate": 0}
    settings = {**tiny_settings, **plain, "epochs": 1, "schedule.warmup_share": 0}
    scores = []
    for short in (10, 11):  # the run has ten
        monkeypatch.setattr(loop, "is_short", lambda num_steps, s=short: num_steps < s)
        scores.append(train("digits", model="resnet20", settings=settings, out=tmp_path).scores["test"].top1.value)
    assert scores[1] > scores[0] + 0.05


def test_only_a_short_run_is_touched(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(loop, "take_anew", lambda network, *_: calls.append(1) or network)
    train("digits", model="resnet20_b", settings=tiny_settings | {"epochs": 2}, out=tmp_path)
    assert len(calls) == 2
    monkeypatch.setattr(loop, "is_short", lambda num_steps: num_steps * SHORT_RUN_STEPS < SHORT_RUN_STEPS)
    train("digits", model="resnet20_b", settings=tiny_settings | {"epochs": 2}, out=tmp_path)
    assert len(calls) == 2
