"""Folds: every image is in one, every class in each, what belongs together stays together, names decide."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cats_and_dogs import write_images

from resnetkit.data.folds import folds_in_order, folds_of
from resnetkit.data.loading import open_data
from resnetkit.data.source import DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.images.types import Indices

NAMES = [f"image{number}" for number in range(103)]
LABELS = np.array([number % 3 for number in range(103)])


def fold(names: list[str] = NAMES, labels: Indices = LABELS, seed: int = 0, **others: object) -> Indices:
    return folds_of(names, labels, "abc", num_folds=5, seed=seed, **others)  # type: ignore[arg-type]


def test_every_class_is_spread_evenly() -> None:
    folds = fold()
    for label in range(3):
        counts = np.bincount(folds[label == LABELS], minlength=5)
        assert counts.max() - counts.min() <= 1
    sizes = np.bincount(folds, minlength=5)
    assert sizes.max() - sizes.min() <= 2


def test_names_and_seed_decide_and_the_order_does_not() -> None:
    order = np.random.default_rng(0).permutation(len(NAMES))
    assert np.array_equal(fold([NAMES[row] for row in order], LABELS[order]), fold()[order])
    assert not np.array_equal(fold(seed=1), fold())


def test_what_belongs_together_in_any_way_is_in_one_fold() -> None:
    groups = [number // 4 for number in range(103)]
    copies: list[object] = [f"alone{number}" for number in range(103)]
    copies[0] = copies[100] = "copy"  # of groups 0 and 25
    folds = fold(together=(groups, copies))
    assert all(len({*folds[np.array(groups) == group].tolist()}) == 1 for group in groups)
    assert folds[0] == folds[100] != folds[50]
    assert np.bincount(folds).min() >= 15, "groups are spread too"


def test_a_class_whose_images_all_belong_together_is_refused() -> None:
    with pytest.raises(ResnetkitError, match="class 'b' cannot be divided"):
        fold(together=(["b" if label == 1 else str(row) for row, label in enumerate(LABELS)],))


def test_in_order_a_set_is_in_one_fold_and_classes_are_in_all() -> None:
    rng = np.random.default_rng(0)
    labels, sets = rng.integers(0, 3, 200), rng.integers(0, 120, 200)
    folds = folds_in_order(labels, sets, 5)
    assert len(np.unique(sets)) < 120 < 200, "some are there twice"
    for one in np.unique(sets):
        assert len(np.unique(folds[sets == one])) == 1
    alone = folds_in_order(labels, np.arange(200), 5)
    for label in range(3):
        counts = np.bincount(alone[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1


def opened(source: Path | str, number: int, **others: object) -> DataSource:
    spec = DataSpec(str(source), num_folds=4, fold=number)
    return open_data(replace(spec, **others))  # type: ignore[arg-type]


def test_each_image_of_a_folder_is_tested_on_once(tmp_path: Path) -> None:
    write_images(tmp_path)
    seen: Counter[str] = Counter()
    for number in range(4):
        source = opened(tmp_path, number)
        parts = {name: set(listing.identifiers) for name, listing in source.listings.items()}
        assert sum(map(len, parts.values())) == len(set.union(*parts.values())) == 24
        assert [len(parts[name]) for name in ("train", "val", "test")] == [16, 2, 6]
        assert any(f"fold {number + 1} of 4 is the test split" in note for note in source.notes)
        seen.update(parts["test"])
    assert set(seen.values()) == {1}
    assert len(seen) == 24


def test_a_test_split_of_the_datas_own_is_left_alone(tmp_path: Path) -> None:
    write_images(tmp_path / "train")
    write_images(tmp_path / "test")
    held = {name for number in range(4) for name in opened(tmp_path, number).listings["test"].identifiers}
    assert len(held) == 24
    assert all(name.startswith("train") for name in held)
    assert sum(opened(tmp_path, 0).split_sizes.values()) == 24
    assert sum(opened("digits", 0).split_sizes.values()) == 1438, "without the 359 that test"


def test_data_without_images_to_train_on_have_no_folds(tmp_path: Path) -> None:
    write_images(tmp_path)
    rows = [f"{path.relative_to(tmp_path)},{path.parent.name},test" for path in sorted(tmp_path.glob("*/*.png"))]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,split", *rows]))
    with pytest.raises(ResnetkitError, match="list has no images to train on") as raised:
        opened(tmp_path / "list.csv", 0)
    assert raised.value.fix == "leave data.num_folds out"


def test_copies_of_a_file_and_photographs_of_one_object_are_in_one_fold(tmp_path: Path) -> None:
    write_images(tmp_path)
    shutil.copy(tmp_path / "cat/00.png", tmp_path / "cat/copy.png")
    for number in range(4):
        test = opened(tmp_path, number).listings["test"].identifiers
        assert ("cat/00.png" in test) == ("cat/copy.png" in test)
    for path in (tmp_path / "dog").iterdir():
        path.rename(path.with_name(f"rex{int(path.stem) // 3}_{path.name}"))
    grouped = opened(tmp_path, 1, group_by=r"(rex\d|cat/\w+)").listings
    rex = [{name.split("_")[0] for name in part.identifiers if "rex" in name} for part in grouped.values()]
    assert sum(map(len, rex)) == len(set.union(*rex)) == 4


def test_what_has_no_effect_and_what_contradicts_is_told(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / "cow").mkdir()
    for number in range(2):
        Image.new("RGB", (12, 14), (number, 0, 0)).save(tmp_path / "cow" / f"{number}.png")
    found = [opened(tmp_path, number, test_fraction=0.3).warnings for number in range(4)]
    assert all(any("data.test_fraction=0.3 has no effect" in text for text in texts) for texts in found)
    assert sum(any("has no image of class 'cow'" in text for text in texts) for texts in found) == 2
    for wrong in ({"num_folds": 1}, {"num_folds": 3, "fold": 3}, {"fold": 1}, {"num_folds": 3, "validation": "test"}):
        with pytest.raises(ResnetkitError, match="data\\."):
            DataSpec("digits", **wrong)  # type: ignore[arg-type]
