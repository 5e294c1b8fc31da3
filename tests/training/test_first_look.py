"""A first look scores what weights know, honestly and soon: where few images validate, or the first epoch is long."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.small_weights import MODEL, state_bytes

from resnetkit.classifier.classifier import load_classifier
from resnetkit.data.types import LoadedData, Split
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.images.types import ArrayImages
from resnetkit.machine.runtime import Runtime
from resnetkit.recipes.recipe import FineTuning, Recipe
from resnetkit.runs.events import Listener
from resnetkit.runs.first_look import FirstLook, recorded_look
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result
from resnetkit.training import first_look
from resnetkit.training.first_look import NUM_FOLDS, take_first_look
from resnetkit.training.planning import plan
from resnetkit.training.run import resume, train
from resnetkit.training.state import new_network

COMPUTING = Runtime(torch.device("cpu"), bf16=False, compile=False)
NOTHING = np.empty(0, np.uint64)
SIDE = 96


def stripes(label: int, count: int, seed: int = 0) -> np.ndarray:
    """Images of one class: dark or bright, whichever weights see that."""
    noise = np.random.default_rng([seed, label]).integers(0, 60, (count, 3, SIDE, SIDE))
    return (noise + 190 * label).astype(np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[int], str]:
    def make(per_class: int) -> str:
        for label, name in enumerate(("dark", "bright")):
            (tmp_path / "photos" / name).mkdir(parents=True)
            for i, pixels in enumerate(stripes(label, per_class)):
                Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / "photos" / name / f"{i}.png")
        return str(tmp_path / "photos")

    return make


@pytest.fixture
def weights(tmp_path: Path) -> str:
    (tmp_path / "weights.safetensors").write_bytes(state_bytes())
    return str(tmp_path / "weights.safetensors")


def settings(weights: str) -> dict[str, object]:
    return {"fine_tuning.weights": weights, "fine_tuning.reset_head": True, "epochs": 1, "runtime.threads": 1}


def split_of(per_class: int, num_classes: int = 2) -> Split:
    images = np.concatenate([stripes(label, per_class) for label in range(num_classes)])
    count = len(images)
    return Split(
        "train",
        ArrayImages(images),
        np.repeat(np.arange(num_classes), per_class),
        [str(i) for i in range(count)],
        np.ones(count, np.float32),
        np.arange(1, count + 1, dtype=np.uint64),
    )


@pytest.fixture
def recipe(photos: Callable[[int], str], weights: str) -> Recipe:
    return plan(photos(8), model=MODEL, settings=settings(weights))[1].recipe


def look(recipe: Recipe, split: Split, seen: np.ndarray = NOTHING, **changes: object) -> FirstLook | None:
    loaded = LoadedData(("dark", "bright"), {"train": split}, "", **changes)  # type: ignore[arg-type]
    return take_first_look(recipe, new_network(recipe), loaded, seen, COMPUTING)


def test_any_first_ones_of_those_drawn_are_about_as_many_of_each_class() -> None:
    split = replace(split_of(50), labels=np.repeat([0, 1], (80, 20)))
    order = first_look._drawn(split, NOTHING, seed=0)
    assert sorted(order) == list(range(100))
    assert np.bincount(split.labels[order[:30]]).tolist() == [15, 15]
    assert (order != first_look._drawn(split, NOTHING, seed=1)).any()
    without = first_look._drawn(split, split.digests[:40], seed=0)
    assert sorted(without) == list(range(40, 100)), "what the weights were trained on would be no honest score"


def test_few_images_are_all_looked_at_and_what_is_plain_is_seen(recipe: Recipe) -> None:
    found = look(recipe, split_of(9))
    assert found is not None
    assert (found.num_images, found.num_folds, found.images_per_class) == (18, NUM_FOLDS, 9)
    assert found.correct >= 17
    assert found.says_more
    assert found.top1 == Accuracy.of(found.correct, 18)


def test_labels_by_chance_are_answered_by_chance(recipe: Recipe) -> None:
    split = split_of(40)
    by_chance = replace(split, labels=np.random.default_rng(0).permutation(split.labels))
    found = look(recipe, by_chance)
    assert found is not None
    assert found.top1.low < 0.5 < found.top1.high, "a head that had seen what it answers would know more"


def test_images_of_one_object_do_not_answer_for_each_other() -> None:
    """Objects with labels that mean nothing, of three images each: who knows two of them knows the label."""
    draw, objects = np.random.default_rng(0), np.repeat(np.arange(60), 3)
    features, labels = draw.normal(size=(60, 100)).astype(np.float32)[objects], (np.arange(60) % 2)[objects]
    mixed = replace(split_of(90), labels=labels)
    apart = replace(mixed, groups=[str(number) for number in objects])
    scores = [first_look._score(features, split, 90) for split in (mixed, apart)]
    told = [score.top1.value for score in scores if score is not None]
    assert told[0] > 0.9
    assert told[1] < 0.7


def test_the_network_is_as_it_was(recipe: Recipe) -> None:
    network = new_network(recipe).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    data = LoadedData(("dark", "bright"), {"train": split_of(8)}, "")
    assert take_first_look(recipe, network, data, NOTHING, COMPUTING) is not None
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(("seconds", "is_taken"), [(0.1, False), (30.0, True)])
def test_many_images_are_looked_at_where_an_epoch_is_long(
    seconds: float, is_taken: bool, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 60 * 2  # in groups of 8: an epoch of 120 / 8 times the seconds
    monkeypatch.setattr(
        first_look, "_features", lambda recipe, network, split, groups, computing: (pixels(split, g) for g in groups)
    )
    loaded = LoadedData(("dark", "bright"), {"train": split_of(count // 2)}, "")
    clock = ticking(seconds)
    found = take_first_look(recipe, new_network(recipe), loaded, NOTHING, COMPUTING, clock)
    assert (found is not None) == is_taken
    if found is not None:
        assert found.num_images == 2 * 8, "two batches, after which the time was over"
        assert not found.says_more


def pixels(split: Split, rows: np.ndarray) -> np.ndarray:
    return split.images.read(rows).mean((2, 3), dtype=np.float32)


def ticking(seconds: float) -> Callable[[], float]:
    times: Iterator[int] = iter(range(1000))
    return lambda: seconds * next(times)


@pytest.mark.parametrize(
    "tuning",
    [
        {"freeze": "stage3"},  # more than the head trains at first
        {"freeze": "none"},
        {"weights": None},
    ],
)
def test_it_is_for_a_head_on_weights_of_others(tuning: dict[str, str | None], recipe: Recipe) -> None:
    changed = replace(recipe, fine_tuning=replace(FineTuning("x", freeze="stage4"), **tuning))  # type: ignore[arg-type]
    assert look(changed, split_of(8)) is None
    assert look(replace(recipe, fine_tuning=FineTuning("x", freeze="stage4")), split_of(8)) is not None


def test_it_is_for_images_that_are_known(recipe: Recipe) -> None:
    assert look(recipe, split_of(8), is_checked=False) is None
    assert look(recipe, split_of(8), split_of(8).digests) is None, "the weights know all of them"
    assert look(recipe, split_of(1)) is None, "nothing is left to learn from"
    assert look(recipe, split_of(8, num_classes=1)) is None, "one class"


class Heard(Listener):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def message(self, text: str) -> None:
        self.texts.append(text)


def test_a_run_tells_it_first_and_keeps_it_beside_its_score(
    photos: Callable[[int], str], weights: str, tmp_path: Path
) -> None:
    heard = Heard()
    result = train(photos(12), model=MODEL, settings=settings(weights), out=tmp_path / "runs", listener=heard)
    found = result.first_look
    assert found is not None
    assert (found.num_folds, found.says_more) == (NUM_FOLDS, True)
    texts = heard.texts
    told = texts.index(str(found))
    assert told < texts.index(f"run folder {result.run}")
    assert str(found).startswith(f"first look: {found.top1} of training images")
    assert "on what the weights make of them (5 folds); what the weights know, not the final score" in str(found)
    assert str(found) in (result.run / "log.txt").read_text()
    assert recorded_look(result.folder) == found
    again = finished_result(result.folder)
    assert again is not None
    assert again.first_look == found
    assert resume(result.run).first_look == found
    page = result.folder.report_file.read_text()
    assert "Beside them stands a cross-validated score" in page
    assert f"<dt>First look</dt><dd>{found.top1}</dd>" in page


def test_its_cost_is_none_of_the_run(photos: Callable[[int], str], weights: str, tmp_path: Path) -> None:
    """The same weights come out with a look and without one."""
    folder, given = photos(12), settings(weights)
    with_look = train(folder, model=MODEL, settings=given, out=tmp_path / "with")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("resnetkit.training.preparing.take_first_look", lambda *_: None)
        without = train(folder, model=MODEL, settings=given, out=tmp_path / "without")
    assert (with_look.first_look is None, without.first_look is None) == (False, True)
    assert "First look" not in without.folder.report_file.read_text()
    first, second = (load_classifier(one.run).network.state_dict() for one in (with_look, without))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.parametrize(
    "damage",
    [
        {"correct": 9},
        {"num_images": 0},
        {"num_folds": 1},
        {"correct": 1.5},
        {"images_per_class": None},
        {"correct": True},
    ],
)
def test_another_programs_event_is_none(damage: dict[str, object], tmp_path: Path) -> None:
    good = {"event": "first_look", "step": 0, "correct": 7, "num_images": 8, "num_folds": 5, "images_per_class": 4.0}
    folder = RunFolder(tmp_path)
    folder.metrics_file.write_text(json.dumps(good | damage) + "\n")
    assert recorded_look(folder) is None
    folder.metrics_file.write_text(json.dumps(good) + "\n")
    assert recorded_look(folder) == FirstLook(7, 8, 5, 4.0)
