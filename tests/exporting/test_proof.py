"""What a proof finds, and what it lets pass."""

import numpy as np
import pytest

from resnetkit.classifier.decision import Decision
from resnetkit.exporting.decided_alike import Statuses
from resnetkit.exporting.proof import Answered, Asked, Proof, compare
from resnetkit.exporting.proof_images import UNKNOWN

NAMES = ("cat", "dog", "cow")


def proof_of(
    own: np.ndarray, exported: np.ndarray, labels: np.ndarray | None = None, precision: str = "fp32", **asked: float
) -> Proof:
    own, exported = np.asarray(own, np.float32), np.asarray(exported, np.float32)
    labels = np.full(len(own), UNKNOWN) if labels is None else labels
    answered = Answered(
        [f"{n}.png" for n in range(len(own))],
        labels,
        np.log(own)[:, None],
        np.log(exported)[:, None],
        own,
        exported,
        Decision(),
        Statuses(["ok"] * len(own), None),
    )
    return compare(answered, Asked("onnx", precision, **asked), NAMES, images="some")


def answers(best: np.ndarray, share: float = 0.8) -> np.ndarray:
    return np.where(np.arange(3) == best[:, None], share, (1 - share) / 2)


def test_the_same_answers_hold() -> None:
    own = answers(np.array([0, 1, 2]))
    found = proof_of(own, own + 1e-5)
    assert found.holds
    assert found.max_difference == pytest.approx(1e-5, rel=0.1)
    assert (found.num_changed, found.accuracy, found.difference) == (0, None, None)


def test_a_probability_that_differs_fails_in_float32() -> None:
    own = answers(np.array([0, 1, 2]))
    found = proof_of(own, answers(np.array([0, 1, 2]), 0.802))
    assert not found.holds
    assert "0.002" in found.failures[0]


def test_an_answer_that_is_no_number_fails() -> None:
    own = answers(np.array([0, 1]))
    assert not proof_of(own, np.where(own > 0.5, np.nan, own)).holds


def test_a_changed_answer_is_named_and_fails_but_for_a_tie() -> None:
    tie = proof_of([[0.4002, 0.3998, 0.2]], [[0.3998, 0.4002, 0.2]])
    assert tie.holds
    assert (tie.num_changed, tie.num_ties) == (1, 1)
    real = proof_of([[0.41, 0.39, 0.2]], [[0.39, 0.41, 0.2]])
    assert not real.holds
    (change,) = real.changes
    assert (change.image, change.answer, change.exported_answer, change.is_tie) == ("0.png", "cat", "dog", False)


def lossy(num_images: int, num_lost: int, **asked: float) -> Proof:
    labels = np.arange(num_images) % 3
    exported = labels.copy()
    exported[:num_lost] = (exported[:num_lost] + 1) % 3
    return proof_of(answers(labels), answers(exported), labels, "bf16", **asked)


def test_other_precisions_may_lose_a_point_and_no_more_than_two_within_the_interval() -> None:
    assert lossy(1000, 5).holds
    assert not lossy(1000, 15).holds
    assert not lossy(100, 0).holds  # too few to tell
    assert lossy(1000, 15, max_loss=2.0).holds


@pytest.mark.parametrize(
    ("max_loss", "most", "twice"),
    [(1.0, "1 point of top-1 is", "2 points"), (0.5, "0.5 points of top-1 are", "1 point")],
)
def test_what_is_asked_is_said_in_words_that_fit_its_number(max_loss: float, most: str, twice: str) -> None:
    bar = lossy(1000, 0, max_loss=max_loss).bar
    assert bar[:2] == (f"at most {most} lost", f"the 95 % interval of the loss ends at {twice} or below")


def test_without_labels_most_answers_must_stay() -> None:
    own = answers(np.arange(100) % 3)
    for num_changed, holds in ((4, True), (6, False)):
        best = np.arange(100) % 3
        best[:num_changed] = (best[:num_changed] + 1) % 3
        found = proof_of(own, answers(best), None, "int8")
        assert found.holds == holds
        assert found.num_changed == num_changed
