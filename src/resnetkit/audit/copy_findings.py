"""Leaks between splits, pictures under two classes, and pictures that are there twice, as findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from resnetkit.audit.copies import SAME_PIXELS, find_firsts
from resnetkit.audit.findings import Finding, Mark
from resnetkit.audit.subject import Subject
from resnetkit.images.types import Indices
from resnetkit.terminal import quoted


def look_for_copies(subject: Subject) -> Iterator[Finding]:
    """Look for leaks between splits, pictures under two classes, and pictures that are there twice."""
    for find in (_leaks, _conflicts, _duplicates, _near_duplicates):
        finding = find(subject)
        if finding.count:
            yield finding


def _leaks(subject: Subject) -> Finding:
    """Images whose picture is in an earlier split too."""
    groups = subject.copies.groups
    earliest = np.full(int(groups.max(initial=-1)) + 1, len(subject.split_names))
    np.minimum.at(earliest, groups, subject.splits)
    leaked = np.flatnonzero(subject.splits > earliest[groups]).tolist()
    ways = Counter((subject.split_of(row), subject.split_names[earliest[groups[row]]]) for row in leaked)
    told = (
        f"{count:,} {'image' if count == 1 else 'images'} of {split} {'is' if count == 1 else 'are'} also in {earlier}"
        for (split, earlier), count in ways.items()
    )
    return Finding(
        "leaks",
        "error",
        "Leaks between splits",
        len(leaked),
        "; ".join(told),
        "The score counts images that were trained on or chosen by, and is too high. Leave these images out of the "
        "earlier split.",
        _sorted(_beside(subject, row, subject.splits < subject.splits[row]) for row in leaked),
    )


def _conflicts(subject: Subject) -> Finding:
    """Pictures that are under several classes; each of their images is in a mark."""
    groups = subject.copies.groups
    classes = np.unique(np.stack([groups, subject.labels], 1), axis=0)[:, 0]
    pictures = np.flatnonzero(np.bincount(classes) > 1)
    marks = dict[int, Mark]()
    for row in np.flatnonzero(np.isin(groups, pictures))[::-1].tolist():
        if row not in marks:
            mark = _beside(subject, row, subject.labels != subject.labels[row])
            assert mark.other is not None
            names = f"{quoted(subject.class_of(row))}, and {quoted(subject.class_of(mark.other))}"
            marks[row] = marks[mark.other] = Mark(row, mark.other, f"{names}: {mark.note}", mark.score)
    verb = "picture is" if len(pictures) == 1 else "pictures are"
    return Finding(
        "conflicts",
        "error",
        "One picture, two classes",
        len(pictures),
        f"{len(pictures):,} {verb} under two classes",
        "At least one of the labels is wrong: training is told both. Keep the right one, or leave both out.",
        _sorted(set(marks.values())),
    )


def find_repeated(subject: Subject) -> Indices:
    """The first image with the pixels, split and class of each image, int64 ``(N,)``."""
    return find_firsts(subject.splits, subject.labels, subject.digests.view(np.int64))


def _duplicates(subject: Subject) -> Finding:
    firsts = find_repeated(subject)
    again = np.flatnonzero(firsts != np.arange(len(subject))).tolist()
    return Finding(
        "duplicates",
        "warning",
        "The same pixels again",
        len(again),
        f"{_images(len(again))} the pixels of another one in the same split and class",
        "Such a picture counts several times in training, and in scores. One of each is enough.",
        tuple(Mark(row, int(firsts[row]), SAME_PIXELS) for row in again),
    )


def _near_duplicates(subject: Subject) -> Finding:
    everyone = np.arange(len(subject))
    is_near = find_firsts(subject.splits, subject.labels, subject.copies.groups) != everyone
    near = np.flatnonzero(is_near & (find_repeated(subject) == everyone)).tolist()
    return Finding(
        "near_duplicates",
        "warning",
        "Nearly the same picture",
        len(near),
        f"{_images(len(near))} nearly the look of another one in the same split and class",
        "Stored anew, resized, brightened, mirrored or cropped, or taken a moment later. Where a validation split is "
        "drawn at random, such pictures come to stand on both sides.",
        _sorted(_beside(subject, row, _like_it_before(subject, row)) for row in near),
    )


def _like_it_before(subject: Subject, row: int) -> npt.NDArray[np.bool_]:
    """Mask of the earlier rows in the split and class of a row."""
    same = (subject.splits == subject.splits[row]) & (subject.labels == subject.labels[row])
    return np.asarray(same & (np.arange(len(subject)) < row))


def _beside(subject: Subject, row: int, among: npt.NDArray[np.bool_]) -> Mark:
    """An image, beside the likest of some others with its picture."""
    pair = subject.copies.likest(row, among)
    return Mark(row, pair.beside(row), pair.note, pair.likeness)


def _images(count: int) -> str:
    return "1 image has" if count == 1 else f"{count:,} images have"


def _sorted(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    return tuple(sorted(marks, key=lambda mark: (-(mark.score or 0.0), mark.row)))
