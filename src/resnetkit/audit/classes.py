"""Classes of very different sizes, with few images, or without any to judge them by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from resnetkit.audit.findings import Finding
from resnetkit.audit.subject import Subject
from resnetkit.data.fingerprint import FEW_IMAGES
from resnetkit.images.types import Indices
from resnetkit.terminal import first_few, quoted

UNEVEN_RATIO = 10  # of the largest class to another
SHOWN_CLASSES = 5


def find_uneven_classes(subject: Subject) -> Iterator[Finding]:
    """Look at the numbers of images by class, in training and in what scores it; data to score alone have none."""
    trained = count_classes(subject, "train")
    if not trained.any():
        return
    rare = np.flatnonzero(trained * UNEVEN_RATIO <= trained.max())
    if len(rare):
        largest = int(trained.argmax())
        yield Finding(
            "rare_classes",
            "warning",
            "Classes of uneven size",
            len(rare),
            f"{_classes(len(rare))} at most a tenth of the images of {quoted(subject.class_names[largest])} "
            f"({trained[largest]:,}): {_counted(subject, rare, trained)}",
            "The share of all images that is right says little of them: read the recall by class. Class weights may "
            "help (--set class_weights=balanced).",
        )
    small = np.flatnonzero(trained < FEW_IMAGES)
    if len(small):
        yield Finding(
            "small_classes",
            "warning",
            "Small classes",
            len(small),
            f"{_classes(len(small))} fewer than {FEW_IMAGES} training images: {_counted(subject, small, trained)}",
            "Too few to learn much from, unless it starts from weights that know such images.",
        )
    for split in subject.split_names:
        counts = count_classes(subject, split)
        absent = np.flatnonzero((counts == 0) & (trained > 0))
        if split != "train" and len(absent):
            yield Finding(
                f"absent_from_{split}",
                "info",
                f"Without images in {split}",
                len(absent),
                f"{_classes(len(absent))} no image in {split}: {_counted(subject, absent, trained)}",
                "Its score says nothing of them.",
            )


def count_classes(subject: Subject, split: str) -> Indices:
    """The number of images of each class in a split, int64 ``(K,)``."""
    return np.bincount(subject.labels[subject.rows_of(split)], minlength=len(subject.class_names)).astype(np.int64)


def _classes(count: int) -> str:
    return "1 class has" if count == 1 else f"{count:,} classes have"


def _counted(subject: Subject, labels: Indices, counts: Indices) -> str:
    order = labels[np.argsort(counts[labels], kind="stable")]
    return first_few([f"{quoted(subject.class_names[label])} ({counts[label]:,})" for label in order], SHOWN_CLASSES)
