"""Fingerprint and warnings, on splits made by hand."""

from dataclasses import replace

import numpy as np

from resnetkit.data.review import fingerprint, warnings_about
from resnetkit.data.source import ArrayImages, Split

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
