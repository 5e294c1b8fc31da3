"""The images that several classifiers answered and none was trained on, found by their digests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resnetkit.data.seen import contains
from resnetkit.evaluation.answers import Answers
from resnetkit.folders.names import one_form
from resnetkit.images.digests import NOT_MET, Digests
from resnetkit.images.types import Indices


@dataclass(frozen=True, eq=False)
class SharedImages:
    """N images, each once, in the order of the first side.

    Attributes:
        rows: of each side, where the images are in its answers, ``(N,)``.
        class_names, labels: the true classes, and which is whose.
        num_answered: of each side, different images that it was not trained on.
        num_alone: those of them that another side did not answer.
        num_trained_on: images that one side answered and another, or itself, was trained on.
        num_copies: how often the N images are there again, in the side that has them most often.
        num_disputed: images that all answered and that have two different classes, in one side or between sides.
    """

    rows: tuple[Indices, ...]
    class_names: tuple[str, ...]
    labels: Indices
    num_answered: tuple[int, ...]
    num_alone: tuple[int, ...]
    num_trained_on: int
    num_copies: int
    num_disputed: int

    def __len__(self) -> int:
        return len(self.labels)

    def notes(self, names: Sequence[str]) -> list[str]:
        """Sentences about images that are not compared."""
        alone = [(name, number) for name, number in zip(names, self.num_alone, strict=True) if number]
        told = [f"{name} answered {number:,} more, which another did not" for name, number in alone]
        told += [f"{self.num_trained_on:,} that one was trained on are left out"] if self.num_trained_on else []
        told += [f"{self.num_copies:,} copies count once"] if self.num_copies else []
        told += [f"{self.num_disputed:,} with two different classes are left out"] if self.num_disputed else []
        return told


def share_images(sides: Sequence[Answers]) -> SharedImages:
    """Match the answers of several sides, image by image, by the pixels and not by place or name; perhaps none."""
    known = [_Known.of(answers) for answers in sides]
    trained = np.unique(np.concatenate([one.trained_on for one in known]))
    met = known[0].digests
    for one in known[1:]:
        met = np.intersect1d(met, one.digests, assume_unique=True)
    met = met[~contains(trained, met)]
    names = [one.names_of(met) for one in known]
    is_disputed = np.any(
        [contains(one.disputed, met) | (own != names[0]) for one, own in zip(known, names, strict=True)], 0
    )
    shared = met[~is_disputed]
    rows = [one.rows_of(shared) for one in known]
    order = np.argsort(rows[0])
    return SharedImages(
        tuple(own[order] for own in rows),
        sides[0].class_names,
        sides[0].labels[rows[0][order]],
        tuple(len(one.digests) for one in known),
        tuple(len(np.setdiff1d(one.digests, np.concatenate([met, trained]))) for one in known),
        len(trained),
        int(np.max([one.counts_of(shared) - 1 for one in known], 0).sum()),
        int(is_disputed.sum()),
    )


@dataclass(frozen=True, eq=False)
class _Known:
    """Images that one side answered without having been trained on them.

    Attributes:
        digests: of different ones, ascending.
        rows, counts: where each is first, and how often it is there.
        trained_on, disputed: digests of those that it was trained on, and that have two different classes, ascending.
    """

    answers: Answers
    digests: Digests
    rows: Indices
    counts: Indices
    trained_on: Digests
    disputed: Digests

    @classmethod
    def of(cls, answers: Answers) -> _Known:
        is_met = answers.digests != NOT_MET
        usable = np.flatnonzero(is_met & ~answers.trained_on)
        digests, first, counts = np.unique(answers.digests[usable], return_index=True, return_counts=True)
        pairs = np.unique(np.stack([answers.digests[usable], answers.labels[usable].astype(np.uint64)], 1), axis=0)
        found, num_labels = np.unique(pairs[:, 0], return_counts=True)
        trained_on = np.unique(answers.digests[is_met & answers.trained_on])
        return cls(answers, digests, usable[first], counts, trained_on, found[num_labels > 1])

    def rows_of(self, shared: Digests) -> Indices:
        rows: Indices = self.rows[np.searchsorted(self.digests, shared)]
        return rows

    def counts_of(self, shared: Digests) -> Indices:
        counts: Indices = self.counts[np.searchsorted(self.digests, shared)]
        return counts

    def names_of(self, shared: Digests) -> npt.NDArray[np.str_]:
        names = np.array([one_form(name) for name in self.answers.class_names])
        return names[self.answers.labels[self.rows_of(shared)]]
