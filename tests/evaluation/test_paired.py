"""The interval of a paired difference: it covers the truth, and is never of width 0."""

import math

import numpy as np
import pytest

from resnetkit.evaluation import paired
from resnetkit.evaluation.paired import PairedDifference, holm, images_to_decide, mcnemar, resampled, resampled_top1


def test_it_counts_what_only_one_of_the_two_gets_right() -> None:
    first, second = np.array([1, 1, 1, 0, 0, 1], bool), np.array([1, 0, 0, 1, 0, 1], bool)
    found = PairedDifference.of(first, second)
    assert (found.num_lost, found.num_won, found.num_images) == (2, 1, 6)
    assert found.value == pytest.approx(-1 / 6)
    assert found.low < found.value < found.high


def test_few_images_show_little_even_where_nothing_changed() -> None:
    lows = [PairedDifference.of(np.ones(n, bool), np.ones(n, bool)).low for n in (50, 100, 140, 1000)]
    assert lows == sorted(lows)
    assert lows[0] < -0.05
    assert -0.02 < lows[2] < lows[3] < 0


@pytest.mark.parametrize(("lost", "won"), [(0.02, 0.01), (0.1, 0.02), (0.005, 0.005)])
def test_the_interval_holds_the_truth_in_about_19_of_20_samples(lost: float, won: float) -> None:
    random = np.random.default_rng(0)
    held = []
    for _ in range(1000):
        kinds = random.random(300)
        first, second = kinds < 0.5 + lost, (kinds < 0.5) | (kinds > 1 - won)
        found = PairedDifference.of(first, second)
        held.append(found.low <= won - lost <= found.high)
    assert 0.93 <= np.mean(held) <= 1.0


def test_mcnemars_test_is_the_binomial_test_of_what_only_one_gets_right() -> None:
    tail = sum(math.comb(13, k) for k in range(3)) / 2**13
    assert mcnemar(2, 11) == mcnemar(11, 2) == pytest.approx(2 * tail)
    assert mcnemar(0, 0) == mcnemar(7, 7) == 1


@pytest.mark.parametrize("share", [0.005, 0.02, 0.1])
def test_equally_good_ones_are_told_apart_in_at_most_one_of_twenty_samples(share: float) -> None:
    drawn = np.random.default_rng(1).multinomial(1000, [share, share, 1 - 2 * share], size=3000)
    assert np.mean([mcnemar(int(lost), int(won)) < 0.05 for lost, won, _ in drawn]) <= 0.05


@pytest.mark.parametrize(("lost", "won", "num_images"), [(20, 33, 1000), (5, 12, 359), (30, 40, 1000)])
def test_so_many_images_decide_four_times_of_five(lost: int, won: int, num_images: int) -> None:
    needed = images_to_decide(lost, won, num_images)
    assert needed is not None
    shares = np.array([lost, won, num_images - lost - won]) / num_images
    drawn = np.random.default_rng(2).multinomial(needed, shares, size=3000)
    assert np.mean([mcnemar(int(a), int(b)) < 0.05 for a, b, _ in drawn]) == pytest.approx(0.8, abs=0.025)
    assert images_to_decide(won, lost, num_images) == needed
    stricter = images_to_decide(lost, won, num_images, 0.01)
    assert stricter is not None
    assert stricter > needed
    assert images_to_decide(lost, lost, num_images) is None


@pytest.mark.parametrize(("lost", "won", "size"), [(0.02, 0.01, 300), (0.1, 0.02, 300), (0.03, 0.05, 100)])
def test_the_bootstrap_of_accuracies_holds_the_truth_in_about_19_of_20_samples(
    lost: float, won: float, size: int
) -> None:
    random, held = np.random.default_rng(3), []
    for _ in range(400):
        kinds = random.random(size)
        found = resampled_top1(kinds < 0.5 + lost, (kinds < 0.5) | (kinds > 1 - won))
        held.append(found.low <= won - lost <= found.high)
    assert 0.93 <= np.mean(held) <= 0.99


def test_the_bootstrap_of_means_holds_the_truth_in_about_19_of_20_samples() -> None:
    random, held = np.random.default_rng(4), []
    for _ in range(150):
        losses = random.exponential(1.0, (200, 2)) + random.exponential(1.0, (200, 1))
        (mean,) = resampled(losses, lambda means: means[:, 1:] - means[:, :1])
        held.append(mean.low <= 0 <= mean.high)
    assert 0.9 <= np.mean(held) <= 0.99


def test_intervals_are_the_same_each_time_and_never_of_width_0() -> None:
    first, second = np.ones(60, bool), np.arange(60) >= 5
    assert resampled_top1(first, second) == resampled_top1(first, second)
    alike = resampled_top1(first, first)
    assert alike.low < 0 < alike.high
    columns = np.stack([first, second], 1).astype(float)
    (one,), (other,) = (resampled(columns, lambda means: means[:, 1:] - means[:, :1]) for _ in range(2))
    assert one == other
    assert one.value == pytest.approx(-5 / 60)
    assert one.low < one.value < one.high


def test_many_images_are_drawn_in_parts_as_if_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.random.default_rng(5).normal(size=(50, 1))
    (whole,) = resampled(columns, lambda means: means)
    monkeypatch.setattr(paired, "NUMBERS_TOGETHER", 50 * 7)
    assert resampled(columns, lambda means: means) == [whole]


def test_holms_procedure_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
