"""Fingerprint and warnings, on splits made by hand."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resnetkit.data.fingerprint import audit_advice, audit_splits, fingerprint, warnings_about, what_is_left_out
from resnetkit.data.types import Split
from resnetkit.images.types import ArrayImages

NAMES = ("cat", "dog")
SHA256 = {"train": [b"1" * 32, b"2" * 32, b"3" * 32], "test": [b"2" * 32, b"1" * 32, b"4" * 32]}


def split(name: str, labels: list[int], digests: list[int]) -> Split:
    images = ArrayImages(np.zeros((len(labels), 1, 2, 2), dtype=np.uint8))
    identifiers = [f"{name}{index}" for index in range(len(labels))]
    ratios = np.ones(len(labels), dtype=np.float32)
    return Split(name, images, np.array(labels), identifiers, ratios, np.array(digests, dtype=np.uint64))


SPLITS = {"train": split("train", [0, 1, 1], [1, 2, 3]), "test": split("test", [1, 1, 0], [2, 1, 4])}


def test_everything_that_matters_is_in_the_fingerprint() -> None:
    others = [
        fingerprint(NAMES, SPLITS, SHA256),
        fingerprint(("cat", "cow"), SPLITS, SHA256),
        fingerprint(NAMES, {"train": SPLITS["train"]}, SHA256),
        fingerprint(NAMES, {**SPLITS, "test": split("test", [1, 1, 1], [2, 1, 4])}, SHA256),
        fingerprint(NAMES, {**SPLITS, "test": replace(SPLITS["test"], identifiers=["a", "b", "c"])}, SHA256),
        fingerprint(NAMES, SPLITS, {**SHA256, "test": [b"0" * 32] * 3}),
    ]
    assert len(set(others)) == len(others)
    assert fingerprint(NAMES, SPLITS, SHA256) == others[0]


def test_shared_images_are_counted_with_examples_and_contradictions() -> None:
    shared = warnings_about(NAMES, SPLITS)[0]
    assert shared == ("2 images of test are also in train: test0 = train1, test1 = train0 (1 under another class)")


def test_one_shared_image_is_singular() -> None:
    splits = {**SPLITS, "test": split("test", [1, 1, 0], [3, 8, 9])}
    assert warnings_about(NAMES, splits)[0] == "1 image of test is also in train: test0 = train2"


def test_many_shared_images_are_cut_short() -> None:
    splits = {name: split(name, [0] * 5, [0, 1, 2, 3, 4]) for name in ("train", "val")}
    assert warnings_about(("cat",), splits)[0].endswith("val2 = train2, …")


def test_the_same_pixels_under_two_classes_of_one_split_are_told() -> None:
    twice = {"train": split("train", [0] * 20 + [1] * 20, [*range(20), 3, 3, 7, *range(100, 117)])}
    (told,) = warnings_about(NAMES, twice)
    assert told.startswith("5 images of train have the same pixels under two classes: train3 = train2")
    assert "train7 = train22" in told
    same_class = {"train": split("train", [0] * 20 + [1] * 20, [*range(19), 3, *range(100, 120)])}
    assert warnings_about(NAMES, same_class) == ()


def test_what_is_left_out_is_counted_named_and_weighed() -> None:
    files = {"train": ([f"cat/{n}" for n in range(10)] + [f"dog/{n}" for n in range(30)], np.repeat([0, 1], [10, 30]))}
    (told,) = what_is_left_out(NAMES, files, {"train": {0: "is truncated", 5: "is empty", 12: "is truncated"}})
    assert told == (
        "3 of 40 image files are left out: cat/0 is truncated; cat/5 is empty; dog/2 is truncated; "
        "among them 2 of 10 of 'cat'"
    )
    (many,) = what_is_left_out(NAMES, files, {"train": dict.fromkeys(range(11, 20), "is empty")})
    assert "dog/5 is empty; 4 more; among them 9 of 30 of 'dog'" in many
    assert what_is_left_out(NAMES, files, {"train": {}}) == ()


def test_counts_of_leaks_conflicts_and_copies() -> None:
    splits = {
        "train": split("train", [0, 0, 1, 1, 0], [1, 1, 2, 1, 3]),
        "val": split("val", [1, 0], [2, 9]),
        "test": split("test", [0, 1, 1], [9, 3, 3]),
    }
    audit = audit_splits(NAMES, splits)
    assert audit.num_leaks == 4, "2 of val, 9 and twice 3 of test"
    assert audit.num_conflicts == 2, "pictures 1 and 3"
    assert audit.num_duplicates == 2, "1 of train, 3 of test"
    assert audit.class_sizes == {"train": (3, 2), "val": (1, 1), "test": (1, 2)}
    assert not audit.is_trustworthy
    assert audit_splits(NAMES, {"train": split("train", [0, 0, 1], [1, 1, 2])}).is_trustworthy


def test_what_is_found_in_three_splits_takes_two_lines() -> None:
    splits = {name: split(name, [0] * 10 + [1] * 10, [*range(19), 3]) for name in ("train", "val", "test")}
    shared, doubtful = warnings_about(NAMES, splits)
    for pair in ("20 images of val are also in train", "20 images of test are also in val"):
        assert pair in shared
    assert doubtful.count("under two classes") == 3


def test_what_to_type_is_short_where_the_data_are_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "photos" / "b").mkdir(parents=True)
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert audit_advice(os.path.abspath("photos/b")).startswith("resnetkit audit photos/b shows")
    assert audit_advice(str(tmp_path / "photos")).startswith(f"resnetkit audit {tmp_path}/photos shows")
