"""Temperatures that are fitted, against those that answers were drawn with."""

import numpy as np
import pytest

from resnetkit.classifier.decision import Decision
from resnetkit.classifier.yardstick import MAX_IMAGES, Yardstick
from resnetkit.evaluation.fitted_decision import LEAST_IMAGES, fit_decision, fit_temperature
from resnetkit.evaluation.metrics import log_loss
from resnetkit.recipes.demands import Demands

NUM_CLASSES = 5


def drawn(num_images: int, temperature: float, *, num_views: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, V, K), and labels drawn from what a decision with this temperature makes of them."""
    draws = np.random.default_rng(seed)
    centre = draws.normal(size=(num_images, 1, NUM_CLASSES)) * draws.uniform(1, 8, (num_images, 1, 1))
    logits = (centre + draws.normal(size=(num_images, num_views, NUM_CLASSES)) * 0.5).astype(np.float32)
    chances = Decision(temperature).probabilities(logits).astype(float)
    labels = (chances.cumsum(1) < draws.uniform(size=(num_images, 1))).sum(1).clip(max=NUM_CLASSES - 1)
    return logits, labels


@pytest.mark.parametrize("num_views", [1, 2])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.75, 6.0])
def test_the_temperature_is_the_one_that_labels_were_drawn_with(temperature: float, num_views: int) -> None:
    found = fit_temperature(*drawn(5000, temperature, num_views=num_views))
    assert found == pytest.approx(temperature, rel=0.06)


def test_no_other_temperature_has_a_lower_loss() -> None:
    logits, labels = drawn(3000, 2.0)
    found = fit_temperature(logits, labels)
    losses = [log_loss(Decision(found * factor).probabilities(logits), labels) for factor in (0.97, 1, 1.03)]
    assert losses[1] == min(losses)


def test_right_answers_alone_do_not_make_a_classifier_certain() -> None:
    """Of 60 right answers a rate of mistakes of a percent or so is likely enough, and a temperature near 0 is not."""
    draws = np.random.default_rng(0)
    labels = draws.integers(NUM_CLASSES, size=60)
    logits = draws.normal(size=(60, 1, NUM_CLASSES)).astype(np.float32)
    logits[np.arange(60), 0, labels] = logits.max((1, 2)) + draws.uniform(1, 3, 60)
    confidence = Decision(fit_temperature(logits, labels)).probabilities(logits).max(1).mean()
    assert 0.96 < confidence < 0.995


def test_logits_of_any_scale_are_answered_alike() -> None:
    logits, labels = drawn(2000, 1.5)
    found = [fit_temperature(scale * logits, labels) / scale for scale in (0.1, 1, 10)]
    assert found == pytest.approx([found[1]] * 3, rel=1e-3)


@pytest.mark.parametrize(("num_images", "stays"), [(LEAST_IMAGES - 1, True), (LEAST_IMAGES, False)])
def test_few_images_leave_the_temperature_as_it_is(num_images: int, stays: bool) -> None:
    logits, labels = drawn(num_images, 4.0)
    fitted = fit_decision(logits, labels, np.arange(num_images, dtype=np.uint64), "val of drawn")
    assert (fitted.temperature == 1) is stays
    assert fitted.yardstick.num_images == num_images


def test_one_class_alone_leaves_nothing_to_fit() -> None:
    logits, labels = np.ones((80, 1, 1), np.float32), np.zeros(80, np.int64)
    assert fit_decision(logits, labels, np.arange(80, dtype=np.uint64), "val").temperature == 1


def test_the_yardstick_is_made_with_the_temperature_and_knows_its_images() -> None:
    logits, labels = drawn(400, 3.0)
    digests = np.arange(1, 401, dtype=np.uint64)
    fitted = fit_decision(logits, labels, digests, "val of drawn")
    assert fitted.yardstick == Yardstick.of(logits, labels, Decision(fitted.temperature), "val of drawn", digests)
    assert fitted.yardstick.made_by(np.array([0, 1, 400, 401], np.uint64)).tolist() == [False, True, True, False]


def test_of_many_images_the_digests_are_those_of_the_ones_that_were_kept() -> None:
    num_images = MAX_IMAGES * 2
    logits, labels = drawn(num_images, 1.0)
    digests = np.arange(1, num_images + 1, dtype=np.uint64)
    made = fit_decision(logits, labels, digests, "val").yardstick.made_by(digests)
    assert made.sum() == MAX_IMAGES


def test_demands_are_granted_one_by_one_and_each_refusal_says_why() -> None:
    logits, labels = drawn(60, 1.0)
    fitted = fit_decision(logits, labels, np.arange(60, dtype=np.uint64), "val of drawn")
    decision, refusals = fitted.granted(Demands(unknown_at=0.05, coverage=0.9, set_rule="aps", precision_at=0.999))
    assert decision.unknown is not None
    assert decision.sets is not None
    assert (decision.sets.rule, decision.sets.coverage, decision.sure) == ("aps", 0.9, None)
    assert decision.temperature == fitted.temperature
    assert len(refusals) == 1
    assert "99.9 %" in refusals[0]
    assert "it takes 2,995 right ones" in refusals[0]
    assert fitted.granted(Demands()) == (Decision(fitted.temperature), ())
