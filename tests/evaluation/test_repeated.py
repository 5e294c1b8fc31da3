"""Scores of several runs a side: the tests are Student's and Welch's, and find what they say they find."""

from functools import partial

import numpy as np
import pytest
from scipy import stats

from resnetkit.evaluation.repeated import compare_repeats, least_difference

A, B = [0.90, 0.92, 0.91, 0.93], [0.93, 0.94, 0.96]


def test_it_is_welchs_test_of_runs_that_have_nothing_in_common() -> None:
    found, known = compare_repeats(A, B, is_paired=False), stats.ttest_ind(B, A, equal_var=False)
    interval = known.confidence_interval(0.95)
    assert (found.p_value, found.low, found.high) == pytest.approx((known.pvalue, interval.low, interval.high))
    assert (found.method, found.num_a, found.num_b) == ("Welch's t", 4, 3)


def test_it_is_the_paired_test_of_the_same_seeds() -> None:
    found, known = compare_repeats(A[:3], B, is_paired=True), stats.ttest_rel(B, A[:3])
    interval = known.confidence_interval(0.95)
    assert (found.p_value, found.low, found.high) == pytest.approx((known.pvalue, interval.low, interval.high))
    assert found.method == "paired t"


def test_one_run_varies_as_the_others_do() -> None:
    found = compare_repeats(A, [0.95], is_paired=False)
    half = stats.t.ppf(0.975, 3) * np.std(A, ddof=1) * np.sqrt(1 + 1 / 4)
    assert (found.low, found.high) == pytest.approx((0.035 - half, 0.035 + half))
    assert (found.method, found.tells_apart) == ("one run beside several", None)
    turned = compare_repeats([0.95], A, is_paired=False)
    assert (turned.low, turned.high) == pytest.approx((-0.035 - half, -0.035 + half))


@pytest.mark.parametrize("sides", [([0.9], [0.8]), ([0.9, 0.9], [0.8, 0.8]), ([0.9, 0.8], [0.8, 0.7])])
def test_without_a_spread_nothing_is_said(sides: tuple[list[float], list[float]]) -> None:
    found = compare_repeats(*sides, is_paired=len(sides[0]) > 1)
    assert (found.low, found.high, found.p_value) == (None, None, None)


@pytest.mark.parametrize("num_runs", [2, 3, 5, 10])
@pytest.mark.parametrize("is_paired", [False, True])
def test_so_large_a_difference_is_found_four_times_of_five(num_runs: int, is_paired: bool) -> None:
    """Of paired runs, the scores themselves vary far more than the differences that are judged by."""
    random, sd, size = np.random.default_rng(0), 0.16, (4000, num_runs)
    least = least_difference(sd, num_runs, is_paired=is_paired)
    common = random.normal(0, 10 * sd, size) if is_paired else np.zeros(size)
    a = common + (np.zeros(size) if is_paired else random.normal(0, sd, size))
    b = common + random.normal(least, sd, size)
    test = stats.ttest_rel if is_paired else partial(stats.ttest_ind, equal_var=False)
    assert np.mean(test(a, b, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.03)


def test_what_paired_runs_tell_apart_is_judged_by_their_differences() -> None:
    a, apart = np.array([0.70, 0.80, 0.90, 0.75]), np.array([0.01, 0.02, 0.03, 0.02])
    found = compare_repeats(a.tolist(), (a + apart).tolist(), is_paired=True)
    sd = np.std(apart, ddof=1)
    assert (found.sd, found.tells_apart) == pytest.approx((sd, least_difference(sd, 4, is_paired=True)))
