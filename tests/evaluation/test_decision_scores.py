"""Scores of thresholds, against counts made by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Decision, Sets, Sure, Unknown, familiarity
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.decision_score_words import iter_facts
from resnetkit.evaluation.decision_scores import (
    ClassCoverage,
    DecisionScores,
    SetScores,
    familiarity_of,
    score_decision,
    separation,
)
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.images.spec import Preprocessing
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.models.resnet import create_model

PROBABILITIES = np.float32([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.5, 0.3, 0.2], [0.2, 0.8, 0]])
LABELS = np.array([0, 1, 2, 1])


def answers(trained_on: tuple[bool, ...] = (False,) * 4) -> Answers:
    return Answers(
        "test",
        ("a", "b", "c"),
        list("wxyz"),
        np.arange(4, dtype=np.uint64),
        LABELS,
        np.array(trained_on),
        PROBABILITIES,
        familiarity=np.float32([5, 4, 1, 6]),
    )


def test_every_threshold_is_scored_on_its_own() -> None:
    decision = Decision(unknown=Unknown(2, 0.05), sure=Sure(0.7, 0.99), sets=Sets("lac", 0.6, 0.9))
    found = score_decision(answers(), decision, of_unknown=np.float32([1, 1.5, 4.5]))
    assert found is not None
    assert found.sets is not None
    assert (found.sets.coverage.correct, found.sets.single.correct, found.sets.mean_size) == (3, 3, 1.25)
    held = {
        entry.name: entry.coverage and (entry.coverage.correct, entry.coverage.num_images)
        for entry in found.sets.classes
    }
    assert held == {"a": (1, 1), "b": (2, 2), "c": (0, 1)}
    assert found.sure is not None
    assert found.sure.precision is not None
    assert (found.sure.coverage.correct, found.sure.precision.correct, found.sure.precision.num_images) == (2, 2, 2)
    assert found.unknown is not None
    assert found.unknown.found is not None
    assert (found.unknown.rejected.correct, found.unknown.found.correct, found.unknown.found.num_images) == (1, 2, 3)
    assert found.aurc == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)  # the two surest are right, the others wrong


def test_only_classes_held_less_often_than_promised_are_told_as_such() -> None:
    covers = {"low": (80, 100), "lowest": (70, 100), "as promised": (90, 100), "high": (99, 100)}
    classes = tuple(ClassCoverage(name, Accuracy.of(*counts)) for name, counts in covers.items())
    sets = SetScores("lac", 0.9, Accuracy.of(339, 400), 1.5, Accuracy.of(200, 400), classes)
    told = [words for heading, words in iter_facts(DecisionScores(0.1, sets, None, None, None)) if "least" in heading]
    assert [words.split(":")[0] for words in told] == ["lowest", "low"]


def test_images_that_were_trained_on_are_in_no_score() -> None:
    decision = Decision(sets=Sets("lac", 0.6, 0.9))
    found = score_decision(answers((True, False, False, False)), decision)
    assert found is not None
    assert found.sets is not None
    assert found.sets.coverage.num_images == 3
    assert found.sets.classes[0].coverage is None
    assert score_decision(answers((True,) * 4), decision) is None


def test_what_nobody_demanded_or_kept_has_no_score() -> None:
    found = score_decision(answers(), Decision())
    assert found is not None
    assert (found.sets, found.sure, found.unknown, found.separation) == (None,) * 4
    unkept = score_decision(replace(answers(), familiarity=None), Decision(unknown=Unknown(2, 0.05)), np.float32([1]))
    assert unkept is not None
    assert (unkept.unknown, unkept.separation) == (None, None)


def test_answers_of_which_none_is_sure_have_no_precision() -> None:
    found = score_decision(answers(), Decision(sure=Sure(0.95, 0.99)))
    assert found is not None
    assert found.sure is not None
    assert (found.sure.precision, found.sure.coverage.correct) == (None, 0)


def test_no_answer_is_sure_for_an_image_that_is_unknown() -> None:
    decision = Decision(unknown=Unknown(4.5, 0.05), sure=Sure(0.55, 0.99))  # the second is below, and sure enough
    assert decision.judge(PROBABILITIES, answers().familiarity).statuses == ("ok", "unknown", "unknown", "ok")
    found, unkept = (score_decision(some, decision) for some in (answers(), replace(answers(), familiarity=None)))
    for scores, right, sure in ((found, 2, 2), (unkept, 2, 3)):
        assert scores is not None
        assert scores.sure is not None
        assert scores.sure.precision is not None
        assert (scores.sure.precision.correct, scores.sure.precision.num_images) == (right, sure)
        assert (scores.sure.coverage.correct, scores.sure.coverage.num_images) == (sure, 4)
        assert scores.sure.counts_unknown == (scores is unkept)


def test_unknown_images_are_told_apart_as_far_as_they_lie_below() -> None:
    known, unknown = np.arange(100, dtype=np.float32), np.float32([-1, -2, 3, 50])
    found = separation(known, unknown)
    pairs = [(k > u) + 0.5 * (k == u) for k in known for u in unknown]
    assert found.auroc == pytest.approx(np.mean(pairs))
    assert (found.fpr95, found.num_known, found.num_unknown) == (0.25, 100, 4)  # 95 % of the known are from 4.95 on


def test_images_of_no_known_class_are_read_and_unreadable_ones_are_counted(tmp_path: Path) -> None:
    network = create_model("resnet20", depths=[1, 1, 1], in_channels=1, num_classes=3)
    preprocessing = Preprocessing(8, 8, channels=1, mean=(0.3,), std=(0.4,))
    predictor = plain_predictor(Classifier(network, preprocessing, ("a", "b", "c")))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8), dtype=np.uint8)
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file, one in zip(files, pixels, strict=False):
        Image.fromarray(one).save(file)
    files[2].write_bytes(b"no picture")
    found, num_bad = familiarity_of(predictor, files)
    assert num_bad == 1
    assert found == pytest.approx(familiarity(predictor.engine.logits(pixels[:, None])), rel=1e-5)
    with pytest.raises(ResnetkitError, match="none of the images"):
        familiarity_of(predictor, files[2:])
