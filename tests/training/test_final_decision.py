"""The decision that a run fits to its validation images: never to its test, and never to images trained on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.test_every_field import base
from tests.training.test_run import Recorder

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.classifier.decision import Decision
from resnetkit.data.seen import pack_digests, unpack_digests
from resnetkit.evaluation.answers import Answers
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import create_model
from resnetkit.recipes.demands import Demands
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result
from resnetkit.training.final_decision import with_fitted_decision
from resnetkit.training.run import train


def test_a_run_fits_its_temperature_to_val_and_tells_of_both(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    listener = Recorder()
    result = train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path, listener=listener)
    classifier = load_classifier(result.run)
    temperature, yardstick = classifier.decision.temperature, classifier.yardstick
    assert temperature != 1
    assert f"temperature {temperature:g}, fitted to 145 val images" in listener.messages
    assert yardstick is not None
    assert (yardstick.images, yardstick.num_images) == ("val of digits", 145)
    assert classifier.seen is not None
    assert yardstick.digests == classifier.seen.val
    assert not yardstick.made_by(unpack_digests(classifier.seen.test)).any()
    # The scores are those of the classifier that is used, and the calibration is of the same answers.
    assert set(result.calibration) == set(result.scores) == {"val", "test"}
    for name, measured in result.calibration.items():
        assert measured.after.log_loss == result.scores[name].log_loss
        assert measured.after.ece == pytest.approx(result.scores[name].expected_calibration_error)
        assert measured.before.log_loss != measured.after.log_loss
    assert result.calibration["val"].after.log_loss < result.calibration["val"].before.log_loss
    assert finished_result(RunFolder(result.run)) == result


def test_a_run_of_an_earlier_version_has_no_calibration(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    result = train("digits", model="resnet20_b", settings={**tiny_settings, "epochs": 1}, out=tmp_path)
    file = result.run / "metrics.jsonl"
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert events[-1].pop("calibration")
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    found = finished_result(RunFolder(result.run))
    assert found is not None
    assert (found.calibration, found.scores) == ({}, result.scores)


def answers(num_images: int, first: int) -> tuple[Answers, np.ndarray]:
    """Answers for images of which a third is mistaken, with digests from ``first`` on, and their logits."""
    draws = np.random.default_rng(first)
    labels = draws.integers(3, size=num_images)
    logits = draws.normal(size=(num_images, 1, 3)).astype(np.float32)
    logits[np.arange(num_images), 0, np.where(draws.random(num_images) < 2 / 3, labels, 0)] += 8
    digests = np.arange(first, first + num_images, dtype=np.uint64)
    names = [str(number) for number in range(num_images)]
    nowhere = np.zeros(num_images, np.bool_)
    probabilities = Decision().probabilities(logits)
    return Answers("val", ("a", "b", "c"), names, digests, labels, nowhere, probabilities), logits


@pytest.fixture
def recipe() -> Recipe:
    return base("letters")


@pytest.fixture
def classifier() -> Classifier:
    network = create_model("resnet20", depths=[1, 1, 1], in_channels=1, num_classes=3)
    preprocessing = Preprocessing(8, 8, channels=1, mean=(0.3,), std=(0.4,))
    return Classifier(network, preprocessing, ("a", "b", "c"), {"data": "letters"})


def fitted(classifier: Classifier, recipe: Recipe, **splits: tuple[Answers, np.ndarray]) -> tuple[Classifier, Recorder]:
    listener = Recorder()
    parts = {name: one for name, (one, _) in splits.items()}
    read = {name: logits for name, (_, logits) in splits.items()}
    return with_fitted_decision(classifier, parts, read, recipe, listener), listener


def test_test_images_change_nothing(classifier: Classifier, recipe: Recipe) -> None:
    val, test, other = answers(200, 1000), answers(300, 2000), answers(300, 3000)
    found = [fitted(classifier, recipe, val=val, test=one)[0] for one in (test, other)]
    assert found[0].description == found[1].description
    assert found[0].decision.temperature > 1.5


def test_images_that_were_trained_on_are_left_out(classifier: Classifier, recipe: Recipe) -> None:
    (val, logits), old = answers(200, 1000), np.arange(200) < 120
    found, _ = fitted(classifier, recipe, val=(replace(val, trained_on=old), logits))
    assert found.yardstick is not None
    assert found.yardstick.digests == pack_digests(val.digests[120:])
    assert found.decision != fitted(classifier, recipe, val=(val, logits))[0].decision


@pytest.mark.parametrize(
    ("num_images", "told"),
    [(30, "it takes 50 images to fit it to, there are 30 val images"), (0, "trained on all val images")],
)
def test_few_new_images_leave_the_temperature_and_it_is_said(
    classifier: Classifier, recipe: Recipe, num_images: int, told: str
) -> None:
    val, logits = answers(200, 1000)
    old = np.arange(200) >= num_images
    found, listener = fitted(classifier, recipe, val=(replace(val, trained_on=old), logits))
    assert found.decision == Decision()
    assert (found.yardstick is not None) is (num_images > 0)
    assert told in listener.messages[-1]


def test_where_val_is_the_test_split_nothing_is_fitted(classifier: Classifier, recipe: Recipe) -> None:
    watched = replace(recipe, data=replace(recipe.data, validation="test"))
    found, listener = fitted(classifier, watched, val=answers(200, 1000))
    assert found is classifier
    assert "val is the test split" in listener.messages[-1]


def test_without_val_there_is_nothing_to_fit_to(classifier: Classifier, recipe: Recipe) -> None:
    assert fitted(classifier, recipe, test=answers(200, 1000))[0] is classifier


def test_demands_of_the_recipe_set_thresholds_and_what_cannot_be_had_is_told(
    classifier: Classifier, recipe: Recipe
) -> None:
    demanding = replace(recipe, decision=Demands(unknown_at=0.1, coverage=0.9, set_rule="aps", precision_at=0.99))
    found, listener = fitted(classifier, demanding, val=answers(200, 1000))
    decision = found.decision
    assert decision.unknown is not None
    assert decision.sets is not None
    assert (decision.unknown.rate, decision.sets.rule, decision.sets.coverage) == (0.1, "aps", 0.9)
    assert decision.sure is None  # a third of all is mistaken
    assert [text for text in listener.warnings if "99 % of right answers" in text]
    assert fitted(classifier, recipe, val=answers(200, 1000))[1].warnings == []
