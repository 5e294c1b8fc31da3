"""Groups: images of one object on one side, whatever is held back."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.data.groups import about_groups, about_held_back, groups_by, split_groups
from resnetkit.data.loading import open_data
from resnetkit.data.source import DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.data.splitting import SPLITS, split_indices
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.spec import Preprocessing

FRACTIONS = {"validation_fraction": 0.1, "test_fraction": 0.25}
# Three classes of 40 objects, of each of which there are one to four images.
NAMES = [
    f"{label}/{label}-{number}_{view}.png"
    for label in range(3)
    for number in range(40)
    for view in range(1 + number % 4)
]
LABELS = np.array([int(name[0]) for name in NAMES])
GROUPS = groups_by(r"([^/_]+)_\d+", NAMES)


def parts(groups: list[str], labels: np.ndarray, seed: int = 0, **fractions: float) -> dict[str, set[str]]:
    found = split_groups(groups, labels, seed=seed, **(fractions or FRACTIONS))
    return {name: {groups[index] for index in indices} for name, indices in found.items()}


def test_every_image_is_in_one_split_and_every_group_too() -> None:
    found = split_groups(GROUPS, LABELS, seed=0, **FRACTIONS)
    assert sorted(np.concatenate([found[name] for name in SPLITS]).tolist()) == list(range(300))
    there = parts(GROUPS, LABELS)
    assert sum(map(len, there.values())) == 120
    counts = {name: np.bincount(LABELS[found[name]]) for name in SPLITS}
    assert all(abs(counts[name] - share).max() <= 2 for name, share in (("val", 10), ("test", 25)))


def test_images_that_are_each_a_group_are_divided_as_without_groups() -> None:
    for seed in range(5):
        expected = split_indices(NAMES, LABELS, seed=seed, **FRACTIONS)
        found = split_groups(NAMES, LABELS, seed=seed, **FRACTIONS)
        assert {name: found[name].tolist() for name in SPLITS} == {name: expected[name].tolist() for name in SPLITS}


def test_order_and_other_classes_do_not_matter_but_the_seed_does() -> None:
    expected = parts(GROUPS, LABELS)
    assert parts(GROUPS[::-1], LABELS[::-1]) == expected
    first = [group for group in GROUPS if group.startswith("0")]
    alone = parts(first, np.zeros(len(first), np.int64))
    assert all(alone[name] <= expected[name] for name in SPLITS)
    assert parts(GROUPS, LABELS, seed=1) != expected


def test_groups_of_several_classes_stay_whole_and_each_class_has_its_share() -> None:
    draw = np.random.default_rng(0)
    patients = [f"patient{number}" for number in draw.integers(0, 150, 2000)]
    labels = draw.choice(4, 2000, p=[0.6, 0.25, 0.1, 0.05])
    there = parts(patients, labels)
    assert sum(map(len, there.values())) == len(set(patients))
    found = split_groups(patients, labels, seed=0, **FRACTIONS)
    total = np.bincount(labels)
    for name, share in (("val", 0.1), ("test", 0.25)):
        assert np.allclose(np.bincount(labels[found[name]], minlength=4) / total, share, atol=0.06)


@pytest.mark.parametrize(
    ("num_groups", "sizes"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (4, (2, 1, 1)), (20, (13, 2, 5))]
)
def test_small_classes_keep_a_group_in_train(num_groups: int, sizes: tuple[int, int, int]) -> None:
    groups = [f"{number}" for number in range(num_groups) for _ in range(30)]
    found = parts(groups, np.zeros(len(groups), np.int64))
    assert tuple(len(found[name]) for name in SPLITS) == sizes


def test_a_class_of_one_group_stays_in_train_also_where_the_group_has_images_of_others() -> None:
    groups, labels = [*"aabbccdd", "a"], np.array([0] * 8 + [1])
    for seed in range(10):
        assert "a" in parts(groups, labels, seed, test_fraction=0.5)["train"]


def test_of_groups_that_are_all_too_large_the_least_is_held_back() -> None:
    groups = ["a"] * 50 + ["b"] * 20 + ["c"] * 40
    for seed in range(5):
        assert parts(groups, np.zeros(110, np.int64), seed, test_fraction=0.05)["test"] == {"b"}


def test_a_hundred_thousand_groups_are_divided_at_once() -> None:
    groups = [f"object{number // 2}" for number in range(200_000)]
    found = split_groups(groups, np.arange(200_000) // 2 % 100, seed=0, **FRACTIONS)
    assert len(found["test"]) == 50_000


@pytest.mark.parametrize(
    ("pattern", "group"),
    [
        (r"([^/_]+)_\d+", "rex"),
        (r"\w+(?=_\d)", "rex"),
        (r"^(\w+)/(?P<group>\w)", "r"),
        (r"(?:dog|cat)/(\w+)_(\d+)", "rex"),
    ],
)
def test_a_pattern_finds_what_is_in_its_brackets(pattern: str, group: str) -> None:
    assert groups_by(pattern, ["dog/rex_17.png"]) == [group]


def test_paths_without_a_group_are_named() -> None:
    with pytest.raises(ResnetkitError, match=r"finds no group in 7 of 8 paths") as raised:
        groups_by(r"(\D*)\d+", ["cat/tom1.png", "12.png", *(f"dog/{name}.png" for name in "abcdef")])
    assert raised.value.why == "'12.png', 'dog/a.png', 'dog/b.png', 'dog/c.png', 'dog/d.png' and 2 more"
    assert raised.value.code == Code.DATA


def test_no_regular_expression_is_refused() -> None:
    with pytest.raises(ResnetkitError, match="no regular expression") as raised:
        groups_by("(dog", ["dog/1.png"])
    assert "unterminated" in raised.value.why


def test_what_groups_cannot_do_is_told() -> None:
    of_one, two = {"train": np.array([0, 0, 0]), "test": np.array([0])}, ("a", "b")
    (none,) = about_held_back(two, of_one | {"train": np.array([0, 0, 1])}, {"test": 0.1})
    assert none == "test has no images of class 'b': too few groups of it"
    (much,) = about_held_back(("a",), {"train": np.zeros(5, int), "test": np.zeros(5, int)}, {"test": 0.15})
    assert much == "groups are large: test has 5 of 10 of 'a', where 15 % is asked"
    with pytest.raises(ResnetkitError, match="no images can be held back for val"):
        about_held_back(two, of_one, {"test": 0.1, "val": 0.1})
    assert about_groups({"train": ["a", "b"], "val": ["c"]}) == (
        "grouping has no effect: each image is in a group of its own",
    )
    assert "all 3 images are in one group" in about_groups({"train": ["a", "a"], "val": ["a"]})[0]


# --- through the entrance ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, ten objects of each, two images of each object."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(20):
            Image.new("RGB", (8, 8), (number, 0, len(name))).save(tmp_path / name / f"{name}{number // 2}_{number}.png")
    return tmp_path


def by_object(folder: Path, **settings: object) -> DataSource:
    return open_data(replace(DataSpec(str(folder), group_by=r"([^/_]+)_\d+"), **settings))


def test_an_image_folder_is_divided_by_its_groups(folder: Path) -> None:
    source = by_object(folder)
    assert source.split_sizes == {"train": 32, "val": 4, "test": 4}
    assert not source.warnings
    assert source.notes == ("20 groups of 40 images, held back whole",)
    groups = {name: set(listing.groups or ()) for name, listing in source.listings.items()}
    assert sum(map(len, groups.values())) == 20
    for listing in source.listings.values():
        assert [re.split(r"[/_]", path)[1] for path in listing.identifiers] == listing.groups
        assert listing.select(np.array([3, 1])).groups == [listing.groups[3], listing.groups[1]]
    assert all(listing.groups is None for listing in open_data(DataSpec(str(folder))).listings.values())


def test_what_validates_is_by_groups_also_where_some_images_are_chosen(folder: Path) -> None:
    source = by_object(folder, max_train_images=10)
    groups = source.listings["train"].groups or ()
    assert (len(groups), len(set(groups))) == (10, 6), "two images of each object, and of each class one in part"
    loaded = source.load(["train"], Preprocessing(8, 8))
    assert loaded.splits["train"].select(np.array([1, 0])).groups == [groups[1], groups[0]]


def test_groups_that_given_splits_share_are_a_warning(folder: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(5):
            where = folder / "test" / name
            where.mkdir(parents=True, exist_ok=True)
            (folder / name / f"{name}{number // 2}_{number}.png").rename(where / f"{name}{number // 2}_{number}.png")
        (folder / "train").mkdir(exist_ok=True)
        (folder / name).rename(folder / "train" / name)
    (warning,) = by_object(folder, validation_fraction=0.0).warnings
    assert warning.startswith("2 of 6 groups of test are also in train, with 2 of its 10 images ('cat2', 'dog2'): ")


def test_a_pattern_of_classes_holds_nothing_back(folder: Path) -> None:
    with pytest.raises(ResnetkitError, match="no images can be held back for val"):
        by_object(folder, group_by="cat|dog")


def test_named_data_have_no_groups() -> None:
    assert (
        "data.group_by has no effect: digits is no image folder" in open_data(DataSpec("digits", group_by="x")).warnings
    )
