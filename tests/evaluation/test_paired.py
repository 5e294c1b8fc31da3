"""The interval of a paired difference: it covers the truth, and is never of width 0."""

import numpy as np
import pytest

from resnetkit.evaluation.paired import PairedDifference


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
