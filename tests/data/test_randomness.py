"""Draws as a function: the published generator, even, and independent of everything they should not depend on."""

import numpy as np
import pytest
from scipy import stats

from resnetkit.data.randomness import Purpose, derive_seed, permutation, philox, uniform, uniform_each

ALL = np.arange(20_000)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_known_answers_of_random123(counter: str, key: str, words: str) -> None:
    c = tuple(np.uint64(int(word, 16)) for word in counter.split())
    k0, k1 = (int(word, 16) for word in key.split())
    assert " ".join(f"{word:08x}" for word in philox(c, (k0, k1))) == words


def test_arrays_of_counters_are_counters_one_by_one() -> None:
    counters = np.random.default_rng(0).integers(0, 2**32, (4, 5, 3), dtype=np.uint64)
    together = philox(tuple(counters), (1, 2))
    assert together.shape == (5, 3, 4)
    for i, j in np.ndindex(5, 3):
        assert (together[i, j] == philox(tuple(counters[:, i, j]), (1, 2))).all()


# --- what a draw depends on ---


def test_a_draw_does_not_depend_on_its_neighbours_or_the_cut_of_the_batch() -> None:
    indices = np.array([5, 0, 17, 5, 2**33 + 1, 3])
    together = uniform(7, 2, indices, Purpose.CROP, 5)
    assert together.shape == (6, 5)
    for size in (1, 2, 4):
        parts = [uniform(7, 2, indices[i : i + size], Purpose.CROP, 5) for i in range(0, 6, size)]
        assert (np.concatenate(parts) == together).all()
    assert (uniform(7, 2, indices[::-1].copy(), Purpose.CROP, 5) == together[::-1]).all()
    assert (together[0] == together[3]).all()


def test_asking_for_more_draws_does_not_change_the_first() -> None:
    many = uniform(7, 2, ALL[:50], Purpose.CROP, 9)
    for num_draws in range(1, 9):
        assert (uniform(7, 2, ALL[:50], Purpose.CROP, num_draws) == many[:, :num_draws]).all()
    assert len(np.unique(many)) == many.size


@pytest.mark.parametrize("num_draws", [1, 2, 5])
def test_several_purposes_at_once_draw_what_each_draws_alone(num_draws: int) -> None:
    purposes = (Purpose.FLIP, Purpose.ERASE, Purpose.CROP)
    together = uniform_each(7, 2, ALL[:50], purposes, num_draws)
    assert together.shape == (50, 3, num_draws)
    for position, purpose in enumerate(purposes):
        assert (together[:, position] == uniform(7, 2, ALL[:50], purpose, num_draws)).all()


def test_seed_epoch_index_and_purpose_each_make_other_draws() -> None:
    base = uniform(7, 2, ALL[:100], Purpose.CROP, 2)
    others = [
        uniform(8, 2, ALL[:100], Purpose.CROP, 2),
        uniform(7 + 2**32, 2, ALL[:100], Purpose.CROP, 2),
        uniform(-7, 2, ALL[:100], Purpose.CROP, 2),
        uniform(7, 3, ALL[:100], Purpose.CROP, 2),
        uniform(7, 2, ALL[100:200], Purpose.CROP, 2),
        uniform(7, 2, ALL[:100] + 2**32, Purpose.CROP, 2),
        *(uniform(7, 2, ALL[:100], purpose, 2) for purpose in Purpose if purpose is not Purpose.CROP),
    ]
    for other in others:
        assert not (other == base).any()
        assert abs(np.corrcoef(other.ravel(), base.ravel())[0, 1]) < 0.3


def test_purposes_keep_their_numbers() -> None:
    # They are part of every run's result: a new one goes to the end.
    assert [(purpose.name, purpose.value) for purpose in Purpose][:8] == [
        ("ORDER", 0),
        ("CROP", 1),
        ("FLIP", 2),
        ("COLOR", 3),
        ("ERASE", 4),
        ("MIX", 5),
        ("LAYERS", 6),
        ("INITIAL_WEIGHTS", 7),
    ]


# --- how draws are spread ---


def test_draws_are_even() -> None:
    draws = uniform(1, 0, ALL, Purpose.FLIP, 3)
    assert draws.dtype == np.float64
    assert float(draws.min()) >= 0
    assert float(draws.max()) < 1
    for column in draws.T:
        counts, _ = np.histogram(column, bins=50, range=(0, 1))
        assert 1e-3 < stats.chisquare(counts).pvalue < 1 - 1e-3
    assert len(np.unique((draws * 2**53).astype(np.int64) % 1024)) == 1024, "the last bits are drawn too"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (uniform(1, 0, ALL, Purpose.FLIP, 1), uniform(1, 0, ALL + 1, Purpose.FLIP, 1)),
        (uniform(1, 0, ALL, Purpose.FLIP, 1), uniform(1, 1, ALL, Purpose.FLIP, 1)),
        (uniform(1, 0, ALL, Purpose.FLIP, 1), uniform(2, 0, ALL, Purpose.FLIP, 1)),
        (uniform(1, 0, ALL, Purpose.FLIP, 1), uniform(1, 0, ALL, Purpose.COLOR, 1)),
        (uniform(1, 0, ALL, Purpose.FLIP, 2)[:, :1], uniform(1, 0, ALL, Purpose.FLIP, 2)[:, 1:]),
    ],
    ids=["samples", "epochs", "seeds", "purposes", "draws"],
)
def test_neighbouring_draws_have_nothing_to_do_with_each_other(first: np.ndarray, second: np.ndarray) -> None:
    counts, _, _ = np.histogram2d(first[:, 0], second[:, 0], bins=10, range=((0, 1), (0, 1)))
    assert 1e-3 < stats.chisquare(counts.ravel()).pvalue < 1 - 1e-3


def test_no_images_no_draws() -> None:
    assert uniform(1, 0, np.arange(0), Purpose.FLIP, 3).shape == (0, 3)
    assert permutation(1, 0, 0).shape == (0,)


# --- what is made of draws ---


@pytest.mark.parametrize("num_images", [1, 2, 1000])
def test_permutation_has_every_index_once(num_images: int) -> None:
    order = permutation(3, 4, num_images)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(num_images))
    assert (order == permutation(3, 4, num_images)).all()


def test_permutations_differ_by_seed_and_epoch_and_are_shuffled() -> None:
    orders = [permutation(seed, epoch, 1000) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    for i, first in enumerate(orders):
        assert abs(stats.spearmanr(first, np.arange(1000)).statistic) < 0.1
        for second in orders[i + 1 :]:
            assert (first == second).sum() < 10, "about one index in place by chance"


def test_every_order_of_three_is_as_likely() -> None:
    orders = [tuple(permutation(seed, epoch, 3).tolist()) for seed in range(60) for epoch in range(20)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_derived_seeds_fit_other_generators_and_do_not_repeat() -> None:
    seeds = [
        derive_seed(seed, step, purpose)
        for seed in (0, 1, -1, 2**40)
        for step in (*range(50), 2**32, 2**32 + 1)
        for purpose in (Purpose.LAYERS, Purpose.INITIAL_WEIGHTS)
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**60
    assert derive_seed(5, 6, Purpose.LAYERS) == derive_seed(5, 6, Purpose.LAYERS)
