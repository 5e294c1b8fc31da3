"""The images that several classifiers answered and none was trained on, found by their digests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resnetkit.data.seen import contains
from resnetkit.errors import Code, require
from resnetkit.evaluation.answers import Answers
from resnetkit.folders.names import one_form
from resnetkit.images.digests import NOT_MET, Digests
from resnetkit.images.types import Indices


@dataclass(frozen=True)
class Side:
    """One of those that are compared, and what it answered on the split that it is judged by.

    Attributes:
        val_chose: these are validation images that chose among its epochs; None: they may have.
    """

    name: str
    answers: Answers
    val_chose: bool | None = False


@dataclass(frozen=True, eq=False)
class SharedImages:
    """N images, each once, in the order of the first side.

    Attributes:
        rows: of each side, where the images are in its answers, ``(N,)``.
        class_names, labels: the true classes, and which is whose.
        num_alone: of each side, different images that are not shared.
        num_trained_on: images that one side answered and another, or itself, was trained on.
        num_copies: images that are there more than once in a side, beyond the first.
        num_disputed: images that have two different classes, in one side or between sides.
    """

    rows: tuple[Indices, ...]
    class_names: tuple[str, ...]
    labels: Indices
    num_alone: tuple[int, ...]
    num_trained_on: int
    num_copies: int
    num_disputed: int

    def __len__(self) -> int:
        return len(self.labels)

    def notes(self, names: Sequence[str]) -> list[str]:
        """Sentences about images that are not compared."""
        told = [f"{name} alone answered {number:,} more" for name, number in self._alone(names)]
        told += [f"{self.num_trained_on:,} that one was trained on are left out"] if self.num_trained_on else []
        told += [f"{self.num_copies:,} copies count once"] if self.num_copies else []
        told += [f"{self.num_disputed:,} with two different classes are left out"] if self.num_disputed else []
        return told

    def _alone(self, names: Sequence[str]) -> list[tuple[str, int]]:
        return [(name, number) for name, number in zip(names, self.num_alone, strict=True) if number]


def share_images(sides: Sequence[Side]) -> SharedImages:
    """Match what several sides answered, image by image, by the pixels and not by place or name.

    Raises:
        ResnetkitError: where no image is left, saying why.
    """
    known = [_Known.of(side.answers) for side in sides]
    trained = np.unique(np.concatenate([one.trained_on for one in known]))
    disputed = np.unique(np.concatenate([one.disputed for one in known]))
    shared = known[0].digests
    for one in known[1:]:
        shared = np.intersect1d(shared, one.digests, assume_unique=True)
    num_alone = tuple(len(np.setdiff1d(one.digests, np.concatenate([shared, trained]))) for one in known)
    shared = shared[~contains(trained, shared) & ~contains(disputed, shared)]
    names = [one.names_of(shared) for one in known]
    agreed = np.all([other == names[0] for other in names[1:]], axis=0) if len(shared) else np.zeros(0, np.bool_)
    num_disputed = len(disputed) + int((~agreed).sum())
    shared = shared[agreed]
    require(
        len(shared) > 0,
        f"no image was answered by {' and '.join(side.name for side in sides)} alike",
        why=_why_none(len(trained), num_disputed, [len(one.digests) for one in known]),
        fix="evaluate them on the same images: resnetkit evaluate RUN DATA --answers FILE.npz, and compare these files",
        code=Code.DATA,
    )
    rows = [one.rows_of(shared) for one in known]
    order = np.argsort(rows[0])
    class_names = sides[0].answers.class_names
    return SharedImages(
        tuple(own[order] for own in rows),
        class_names,
        sides[0].answers.labels[rows[0][order]],
        num_alone,
        len(trained),
        sum(one.num_copies for one in known),
        num_disputed,
    )


def about_choosing(sides: Sequence[Side]) -> list[str]:
    """Sentences about sides that are judged by images that chose, or may have chosen, among their epochs."""
    chosen = [side.name for side in sides if side.val_chose]
    perhaps = [side.name for side in sides if side.val_chose is None]
    told = []
    if chosen:
        told.append(f"these images chose the epoch of {' and of '.join(chosen)}: that score is a little too good")
    if perhaps:
        told.append(f"these are validation images, which may have chosen the epoch of {' and of '.join(perhaps)}")
    return told


@dataclass(frozen=True, eq=False)
class _Known:
    """Images that one side answered: different ones ``digests``, ascending, at ``rows``, and what is to be left out."""

    answers: Answers
    digests: Digests
    rows: Indices
    trained_on: Digests
    disputed: Digests
    num_copies: int

    @classmethod
    def of(cls, answers: Answers) -> _Known:
        is_met = answers.digests != NOT_MET
        usable = np.flatnonzero(is_met & ~answers.trained_on)
        digests, first, counts = np.unique(answers.digests[usable], return_index=True, return_counts=True)
        pairs = np.unique(np.stack([answers.digests[usable], answers.labels[usable].astype(np.uint64)], 1), axis=0)
        found, num_labels = np.unique(pairs[:, 0], return_counts=True)
        return cls(
            answers,
            digests,
            usable[first],
            np.unique(answers.digests[is_met & answers.trained_on]),
            found[num_labels > 1],
            int(counts.sum() - len(digests)),
        )

    def rows_of(self, shared: Digests) -> Indices:
        rows: Indices = self.rows[np.searchsorted(self.digests, shared)]
        return rows

    def names_of(self, shared: Digests) -> npt.NDArray[np.str_]:
        names = np.array([one_form(name) for name in self.answers.class_names])
        return names[self.answers.labels[self.rows_of(shared)]]


def _why_none(num_trained_on: int, num_disputed: int, sizes: Sequence[int]) -> str:
    sentences = [f"they answered {' and '.join(f'{size:,}' for size in sizes)} different images"]
    sentences += [f"of {num_trained_on:,}, one was trained on it"] if num_trained_on else []
    sentences += [f"{num_disputed:,} have two different classes"] if num_disputed else []
    return ", ".join(sentences)
