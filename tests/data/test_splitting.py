"""Held-back splits: fractions per class, stability, and small classes."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from resnetkit.data.splitting import SPLITS, choose_some, split_indices


def parts(identifiers: list[str], labels: list[int], **fractions: float) -> dict[str, set[str]]:
    found = split_indices(identifiers, np.array(labels), **({"seed": 0} | fractions))
    return {name: {identifiers[index] for index in indices} for name, indices in found.items()}


NAMES = [f"{label}/{number}.jpg" for label in range(3) for number in range(40)]
LABELS = [int(name[0]) for name in NAMES]
FRACTIONS = {"validation_fraction": 0.1, "test_fraction": 0.25}


def test_every_image_is_in_one_split_with_the_same_share_of_each_class() -> None:
    found = split_indices(NAMES, np.array(LABELS), seed=0, **FRACTIONS)
    assert sorted(np.concatenate([found[name] for name in SPLITS]).tolist()) == list(range(120))
    counts = {name: np.bincount(np.array(LABELS)[found[name]]).tolist() for name in SPLITS}
    assert counts == {"train": [26] * 3, "val": [4] * 3, "test": [10] * 3}


def test_order_and_other_classes_do_not_matter_but_the_seed_does() -> None:
    expected = parts(NAMES, LABELS, **FRACTIONS)
    assert parts(NAMES[::-1], LABELS[::-1], **FRACTIONS) == expected
    first_class = parts(NAMES[:40], LABELS[:40], **FRACTIONS)
    assert all(first_class[name] <= expected[name] for name in SPLITS)
    assert parts(NAMES, LABELS, seed=1, **FRACTIONS) != expected


def test_a_new_file_moves_at_most_one_image_per_split() -> None:
    before = parts(NAMES, LABELS, **FRACTIONS)
    for number in range(40, 60):
        after = parts([*NAMES, f"1/{number}.jpg"], [*LABELS, 1], **FRACTIONS)
        assert all(len(before[name] - after[name]) <= 1 for name in SPLITS)


@pytest.mark.parametrize(
    ("num_images", "sizes"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (5, (3, 1, 1)), (20, (13, 2, 5))]
)
def test_small_classes_keep_an_image_in_train(num_images: int, sizes: tuple[int, int, int]) -> None:
    found = parts(NAMES[:num_images], LABELS[:num_images], **FRACTIONS)
    assert tuple(len(found[name]) for name in SPLITS) == sizes


def test_names_that_are_not_utf8_can_be_split() -> None:
    assert parts(["\udcff.jpg", "b.jpg"], [0, 0], test_fraction=0.5)["test"]


def some(num_images: int, names: list[str] = NAMES, seed: int = 0) -> set[str]:
    labels = np.array([int(name[0]) for name in names])
    return {names[index] for index in choose_some(names, labels, seed=seed, num_images=num_images)}


def test_fewer_images_are_among_more_and_every_class_has_its_share() -> None:
    chosen = [some(count) for count in range(3, len(NAMES) + 1)]
    assert [len(names) for names in chosen] == list(range(3, len(NAMES) + 1))
    assert all(fewer < more for fewer, more in pairwise(chosen))
    for names in chosen:
        counts = np.bincount([int(name[0]) for name in names], minlength=3)
        assert counts.max() - counts.min() <= 1


def test_classes_keep_their_shares_and_small_ones_an_image() -> None:
    names = NAMES[:41] + [f"2/{number}.jpg" for number in range(79)]
    counts = np.bincount([int(name[0]) for name in some(60, names)], minlength=3)
    assert counts[1] == 1
    assert abs(counts[0] - 20) <= 1
    assert np.bincount([int(name[0]) for name in some(3, names)]).tolist() == [1, 1, 1]


def test_fewer_images_are_those_of_fewer_objects() -> None:
    """Of each class one object at most is there in part, and more images are more objects."""
    views = [(label, thing, view) for label in range(3) for thing in range(12) for view in range(1 + thing % 4)]
    names = [f"{label}/{thing}_{view}.jpg" for label, thing, view in views]
    labels, groups = np.array([int(name[0]) for name in names]), [name.split("_")[0] for name in names]

    def chosen(count: int) -> set[str]:
        rows = choose_some(names, labels, seed=0, num_images=count, groups=groups)
        return {names[row] for row in rows}

    sizes = Counter(groups)
    for count in range(3, len(names) + 1):
        counts = Counter(name.split("_")[0] for name in chosen(count))
        assert counts.total() == count
        in_part = [group for group, number in counts.items() if number < sizes[group]]
        assert len({group[0] for group in in_part}) == len(in_part)
        assert chosen(count - 1) < chosen(count)
        by_class = Counter(name[0] for name in chosen(count))
        assert max(by_class.values()) - min(by_class.values()) <= 1


def test_which_images_are_chosen_depends_on_names_and_seed_alone() -> None:
    assert some(20, NAMES[::-1]) == some(20)
    assert some(20, seed=1) != some(20)
    assert len(some(20) - some(20, [*NAMES, "1/new.jpg"])) <= 2


def test_where_there_is_not_one_image_for_each_class_the_first_ones_are_chosen() -> None:
    assert len(some(2)) == 2
    assert some(2) < some(3)
