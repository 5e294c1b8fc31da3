"""Thresholds that are set by a classifier's answers on images, against images of the same kind that it has not met."""

import dataclasses
from contextlib import suppress

import numpy as np
import pytest

from resnetkit.classifier.decision import Decision, Sets, Sure, Unknown, familiarity, strangeness
from resnetkit.classifier.yardstick import MAX_IMAGES, Yardstick, pack_numbers, unpack_numbers
from resnetkit.errors import ResnetkitError
from resnetkit.recipes.demands import Demands

NUM_CLASSES = 6


def drawn(num_images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 1, K) of images of which some are hard, and their labels, drawn from what the logits say."""
    draws = np.random.default_rng(seed)
    logits = (draws.normal(size=(num_images, 1, NUM_CLASSES)) * draws.uniform(0.5, 6, (num_images, 1, 1))).astype("f4")
    chances = Decision().probabilities(logits).astype(float)
    labels = (chances.cumsum(1) < draws.uniform(size=(num_images, 1))).sum(1).clip(max=NUM_CLASSES - 1)
    return logits, labels


def yardstick(num_images: int = 500, seed: int = 0) -> Yardstick:
    return Yardstick.of(*drawn(num_images, seed), Decision(), "val of drawn")


def decided(demands: Demands, seed: int, num_images: int = 500) -> tuple[np.ndarray, ...]:
    logits, labels = drawn(2000, seed + 1000)
    found = yardstick(num_images, seed).decision(1.0, demands).decide(logits)
    assert found.in_set is not None or demands.coverage is None
    is_right = found.probabilities.argmax(1) == labels
    covered = None if found.in_set is None else found.in_set[np.arange(len(labels)), labels]
    return found.is_unknown, found.is_unsure, is_right, covered, found.in_set


@pytest.mark.parametrize("rule", ["lac", "aps"])
@pytest.mark.parametrize("coverage", [0.7, 0.9, 0.95])
def test_sets_hold_the_true_class_as_often_as_they_should(rule: str, coverage: float) -> None:
    found = [decided(Demands(coverage=coverage, set_rule=rule), seed) for seed in range(40)]
    reached = np.mean([covered.mean() for *_, covered, _ in found])
    # Of 40 thresholds, each by 500 images: the mean is within three standard errors of what is promised.
    assert coverage - 0.006 < reached
    accuracy = np.mean([is_right.mean() for _, _, is_right, _, _ in found])
    assert reached < max(coverage, accuracy) + 0.04  # the most probable class is never left out
    assert all(in_set.any(axis=1).all() for *_, in_set in found)


def test_sets_by_the_first_rule_are_smaller_and_by_the_second_fairer() -> None:
    sizes = {rule: decided(Demands(coverage=0.9, set_rule=rule), 0)[-1].sum(1).mean() for rule in ("lac", "aps")}
    assert sizes["lac"] < sizes["aps"] < 2 * sizes["lac"]


def test_known_images_are_called_unknown_as_often_as_was_allowed() -> None:
    shares = [decided(Demands(unknown_at=0.05), seed)[0].mean() for seed in range(40)]
    assert 0.04 < np.mean(shares) <= 0.054


def test_sure_answers_are_right_as_often_as_was_demanded() -> None:
    precisions, shares = [], []
    for seed in range(40):
        with suppress(ResnetkitError):  # where the surest happen to be wrong
            _, is_unsure, is_right, *_ = decided(Demands(precision_at=0.9), seed)
            precisions.append(is_right[~is_unsure].mean())
            shares.append(is_unsure.mean())
    assert len(precisions) >= 36
    assert np.mean(np.array(precisions) < 0.9) <= 0.1
    assert 0.2 < np.mean(shares) < 0.9


def test_nothing_is_decided_that_nobody_demanded() -> None:
    decision = yardstick().decision(2.0, Demands())
    assert decision == Decision(2.0)
    found = decision.decide(drawn(5, 1)[0])
    assert not found.is_unknown.any()
    assert not found.is_unsure.any()
    assert found.in_set is None
    assert not Demands()
    assert Demands(coverage=0.9)


@pytest.mark.parametrize(
    ("demands", "least"), [(Demands(unknown_at=0.05), 19), (Demands(coverage=0.95), 19), (Demands(coverage=0.99), 99)]
)
def test_too_few_images_are_refused_with_how_many_it_takes(demands: Demands, least: int) -> None:
    with pytest.raises(ResnetkitError, match=f"at least {least:,} images"):
        yardstick(least - 1).decision(1.0, demands)
    yardstick(least).decision(1.0, demands)


def test_a_precision_that_no_threshold_keeps_is_refused_with_what_can_be_promised() -> None:
    with pytest.raises(ResnetkitError, match=r"50 images .* 99 %.*\n.*too few; it takes 299 right ones"):
        yardstick(50).decision(1.0, Demands(precision_at=0.99))
    with pytest.raises(ResnetkitError, match=r"500 images .* 99 %.*\n.*\d of the 475 surest are wrong"):
        yardstick(500).decision(1.0, Demands(precision_at=0.99))


def test_a_precision_that_is_not_there_is_promised_in_no_more_than_the_risk() -> None:
    """Answers of one precision whatever their confidence, a little less than is asked for."""
    draws, num_images, granted = np.random.default_rng(0), 400, 0
    for _ in range(300):
        confidence = draws.uniform(0.5, 1, num_images).astype("f4")
        is_right = draws.uniform(size=num_images) < 0.8
        made = dataclasses.replace(
            yardstick(num_images), confidence=pack_numbers(confidence), is_right=pack_numbers(is_right)
        )
        try:
            made.decision(1.0, Demands(precision_at=0.8))
            granted += 1
        except ResnetkitError:
            pass
    assert granted <= 300 * 0.05 + 3 * (300 * 0.05 * 0.95) ** 0.5


def test_what_lies_on_a_threshold_is_within_it_whatever_engine_computed_it() -> None:
    logits = np.float32([[[2, 1, 0]]])
    shares, known = Decision().probabilities(logits), float(familiarity(logits)[0])
    for nudge in (-4e-6, 0, 4e-6):
        decision = Decision(
            unknown=Unknown(known + nudge, 0.05),
            sure=Sure(float(shares[0, 0]) + nudge, 0.9),
            sets=Sets("lac", float(strangeness("lac", shares)[0, 1]) + nudge, 0.9),
        )
        found = decision.decide(logits)
        assert found.in_set is not None
        assert not found.is_unknown[0]
        assert not found.is_unsure[0]
        assert found.in_set[0].tolist() == [True, True, False]


@pytest.mark.parametrize(("rate", "num_images", "place"), [(0.29, 99, 29), (0.05, 19, 1), (0.145, 199, 29)])
def test_as_many_lie_below_as_a_rate_allows_however_it_is_rounded(rate: float, num_images: int, place: int) -> None:
    made = yardstick(num_images)
    unknown = made.decision(1.0, Demands(unknown_at=rate)).unknown
    assert unknown is not None
    assert unknown.below == np.sort(unpack_numbers(made.familiarity, num_images))[place - 1]


def test_an_image_that_set_a_threshold_is_within_it_however_large_its_logits() -> None:
    logits = 1e4 * np.random.default_rng(0).uniform(1, 2, (50, 1, 3)).astype("f4")
    for image in logits:
        own = Yardstick.of(image[None], np.array([0]), Decision(), "one").decision(1.0, Demands(unknown_at=0.5))
        assert not own.decide(image[None]).is_unknown[0]


def test_of_many_images_evenly_spread_ones_are_kept() -> None:
    made = yardstick(MAX_IMAGES + 1234)
    assert made.num_images == MAX_IMAGES
    assert len(unpack_numbers(made.lac, MAX_IMAGES)) == MAX_IMAGES


def test_damaged_numbers_are_refused() -> None:
    made = yardstick(100)
    for text in ("?", made.lac[:40], pack_numbers(np.full(100, np.nan))):
        with pytest.raises(ResnetkitError, match="damaged"):
            dataclasses.replace(made, lac=text).decision(1.0, Demands(coverage=0.9))


@pytest.mark.parametrize("name", ["unknown_at", "coverage", "precision_at"])
@pytest.mark.parametrize("value", [1, -0.1, 1.5, float("nan")])
def test_a_demand_is_a_share(name: str, value: float) -> None:
    with pytest.raises(ResnetkitError, match=name):
        Demands(**{name: value})
