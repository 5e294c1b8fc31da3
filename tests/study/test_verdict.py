"""Verdicts are true: chance alone decides nothing in 95 of 100 studies, real differences are found, sides are alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from resnetkit.study.verdict import Difference, Floats, compare_arms, estimate_mean, rule_on_claims

NUM_STUDIES = 400
# What chance alone may decide, with three standard errors of this many simulated studies.
MOST = 0.05 + 3 * (0.05 * 0.95 / NUM_STUDIES) ** 0.5


def decided(shares: Floats, seed_spread: float, num_seeds: int, num_images: int, with_images: bool = True) -> float:
    """Share of simulated studies that decide a claim, where arms' true errors are ``shares`` of images.

    Images differ in how hard they are, for each arm in its own way too; seeds differ in how well they come out.
    """
    random, num_arms = np.random.default_rng(0), len(shares)
    hardness = random.normal(size=(NUM_STUDIES, 1, 1, num_images)).astype(np.float32)
    hardness = hardness + 0.5 * random.normal(size=(NUM_STUDIES, num_arms, 1, num_images))
    hardness = hardness + random.normal(size=(NUM_STUDIES, num_arms, num_seeds, num_images))
    spread = random.normal(0, seed_spread, (NUM_STUDIES, num_arms, num_seeds, 1))
    errors = 100.0 * (hardness > 1.5 * (stats.norm.isf(shares)[:, None, None] + spread))
    differences = [compare_arms(one.mean(2), one.mean(1) if with_images else None) for one in errors]
    return float(np.mean([rule_on_claims([one]) != ["not decided"] for one in differences]))


@pytest.mark.parametrize(
    ("num_arms", "seed_spread", "num_seeds", "num_images"),
    [(2, 0.0, 2, 100), (2, 0.1, 3, 100), (2, 0.1, 5, 200), (4, 0.05, 3, 200), (2, 0.3, 3, 200), (3, 0.02, 10, 50)],
)
def test_chance_alone_decides_nothing(num_arms: int, seed_spread: float, num_seeds: int, num_images: int) -> None:
    """The images count as drawn anew for each study, as do the seeds."""
    assert decided(np.full(num_arms, 0.1), seed_spread, num_seeds, num_images) <= MOST


def test_seeds_alone_would_take_few_images_for_all() -> None:
    """The reason why images count: twenty seeds on the same 50 of them are sure of what 50 others would not show."""
    shares = np.full(2, 0.2)
    assert decided(shares, 0.0, 10, 50, with_images=False) > 2 * MOST
    assert decided(shares, 0.0, 10, 50) <= MOST


def test_real_differences_are_found_and_more_often_with_more_seeds() -> None:
    shares = np.array([0.1, 0.2])
    few, some, many = (decided(shares, 0.1, num_seeds, 100) for num_seeds in (2, 3, 8))
    assert few < some < many
    assert many > 0.8


def test_power_is_that_of_student() -> None:
    """Four seeds, a difference of one and a half times what differences vary by."""
    values = np.random.default_rng(1).normal(0, np.sqrt(0.5), (NUM_STUDIES, 2, 4))
    values[:, 1] += 1.5
    found = np.mean([rule_on_claims([compare_arms(one)]) == ["same direction"] for one in values])
    expected = stats.nct.sf(stats.t.ppf(0.975, 3), 3, 1.5 * 2)
    assert found == pytest.approx(expected, abs=3 * (expected * (1 - expected) / NUM_STUDIES) ** 0.5)


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_without_images_it_is_the_paired_t_test(num_seeds: int) -> None:
    values = np.random.default_rng(num_seeds).normal(10, 1, (2, num_seeds))
    theirs = stats.ttest_rel(values[1], values[0])
    ours = compare_arms(values)
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert ours.value == pytest.approx(values[1].mean() - values[0].mean())


def test_a_trend_is_the_rise_of_the_best_line() -> None:
    values = np.array([[1.0, 1.5], [2.0, 2.0], [6.0, 7.0], [5.0, 5.0]])
    slopes = [stats.linregress(range(4), values[:, seed]).slope for seed in range(2)]
    assert compare_arms(values).value == pytest.approx(3 * np.mean(slopes))


@given(arrays(np.float16, st.tuples(st.integers(2, 4), st.integers(1, 5)), elements=st.floats(0, 100, width=16)))
def test_turned_around_it_says_the_opposite(values: Floats) -> None:
    values = values.astype(np.float64)
    there, back = compare_arms(values), compare_arms(values[::-1])
    assert there.value == pytest.approx(-back.value, abs=1e-9)
    assert there.p_value == (None if back.p_value is None else pytest.approx(back.p_value, rel=1e-6, abs=1e-12))
    turned = {
        "opposite": "same direction",
        "same direction": "opposite",
        "not decided": "not decided",
    }
    if there.p_value is None or abs(there.p_value - 0.05) > 1e-6:
        assert rule_on_claims([there]) == [turned[one] for one in rule_on_claims([back])]


@given(st.lists(st.floats(0, 100), min_size=2, max_size=8))
def test_one_seed_decides_nothing(values: list[float]) -> None:
    images = np.random.default_rng(0).random((len(values), 50)) + np.array(values)[:, None]
    difference = compare_arms(np.array(values)[:, None], images)
    assert (difference.low, difference.high, difference.p_value) == (None, None, None)
    assert rule_on_claims([difference]) == ["not decided"]


def test_no_spread_at_all_decides_nothing() -> None:
    """Three differences of exactly one image each are no proof; nothing says how far chance would have gone."""
    assert compare_arms(np.array([[0.1 + 0.2] * 3, [0.6] * 3])).p_value is None


def test_claims_tested_together_need_more() -> None:
    def with_p(p_value: float, value: float = 1.0) -> Difference:
        return Difference(value, 0.0, 0.0, p_value, 3)

    same, opposite, undecided = "same direction", "opposite", "not decided"
    assert rule_on_claims([with_p(0.04)]) == [same]
    assert rule_on_claims([with_p(0.04), with_p(0.5)]) == [undecided, undecided]
    assert rule_on_claims([with_p(0.04), with_p(0.02, -1.0)]) == [same, opposite]
    assert rule_on_claims([with_p(0.04), with_p(0.03), with_p(0.01)]) == [undecided, undecided, same]
    # A claim that could not be tested counts among them all the same.
    assert rule_on_claims([with_p(0.04), Difference(1.0, None, None, None, 1)]) == [undecided, undecided]


def test_intervals_of_means() -> None:
    values = [8.0, 8.5, 9.5, 8.2]
    one = estimate_mean(values)
    theirs = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (one.low, one.high) == pytest.approx(theirs)
    assert estimate_mean([8.0]).low is None
