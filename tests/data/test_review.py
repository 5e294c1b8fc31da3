"""Fingerprint and warnings, on splits made by hand."""

from dataclasses import replace

import numpy as np

from resnetkit.data.review import fingerprint, warnings_about
from resnetkit.data.source import ArrayImages, Split

NAMES = ("cat", "dog")
DIGESTS = {"train": [b"1" * 32, b"2" * 32, b"3" * 32], "test": [b"2" * 32, b"1" * 32, b"4" * 32]}


def split(name: str, labels: list[int]) -> Split:
    images = ArrayImages(np.zeros((len(labels), 1, 2, 2), dtype=np.uint8))
    identifiers = [f"{name}{index}" for index in range(len(labels))]
    return Split(name, images, np.array(labels), identifiers, np.ones(len(labels), dtype=np.float32))


SPLITS = {"train": split("train", [0, 1, 1]), "test": split("test", [1, 1, 0])}


def test_everything_that_matters_is_in_the_fingerprint() -> None:
    others = [
        fingerprint(NAMES, SPLITS, DIGESTS),
        fingerprint(("cat", "cow"), SPLITS, DIGESTS),
        fingerprint(NAMES, {"train": SPLITS["train"]}, DIGESTS),
        fingerprint(NAMES, {**SPLITS, "test": split("test", [1, 1, 1])}, DIGESTS),
        fingerprint(NAMES, {**SPLITS, "test": replace(SPLITS["test"], identifiers=["a", "b", "c"])}, DIGESTS),
        fingerprint(NAMES, SPLITS, {**DIGESTS, "test": [b"0" * 32] * 3}),
    ]
    assert len(set(others)) == len(others)
    assert fingerprint(NAMES, SPLITS, DIGESTS) == others[0]


def test_shared_images_are_counted_with_examples_and_contradictions() -> None:
    shared = warnings_about(NAMES, SPLITS, DIGESTS)[0]
    assert shared == ("2 images of test are also in train: test0 = train1, test1 = train0 (1 under another class)")


def test_one_shared_image_is_singular() -> None:
    digests = {**DIGESTS, "test": [b"3" * 32, b"8" * 32, b"9" * 32]}
    assert warnings_about(NAMES, SPLITS, digests)[0] == "1 image of test is also in train: test0 = train2"


def test_many_shared_images_are_cut_short() -> None:
    splits = {"train": split("train", [0] * 5), "val": split("val", [0] * 5)}
    digests = {name: [bytes([index]) * 32 for index in range(5)] for name in splits}
    assert warnings_about(("cat",), splits, digests)[0].endswith("val2 = train2, …")
