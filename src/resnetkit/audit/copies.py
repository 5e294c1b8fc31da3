"""Images that are there twice: with the same pixels or looking the same, in one split, in two, or under two classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from resnetkit.audit.findings import Finding, Mark
from resnetkit.audit.likeness import Alike, find_alike
from resnetkit.audit.subject import Subject
from resnetkit.images.digests import Digests
from resnetkit.images.types import Indices
from resnetkit.terminal import progress_bar, quoted

SAME_PIXELS = "same pixels"


@dataclass(frozen=True)
class Copy:
    """Two rows, the earlier one first, that hold the same picture; ``note`` tells how that is known."""

    first: int
    second: int
    note: str = SAME_PIXELS
    likeness: float = 1.0

    @property
    def is_exact(self) -> bool:
        """True where every pixel is the same."""
        return self.note == SAME_PIXELS


def find_copies(subject: Subject) -> Iterator[Finding]:
    """Look for leaks between splits, pictures under two classes, and pictures that are there twice."""
    exact = find_exact_copies(subject.digests)
    # One of each picture is enough to look for others that are like it.
    rows = np.setdiff1d(np.arange(len(subject)), [copy.second for copy in exact])
    with progress_bar("comparing images", len(rows), wanted=subject.progress) as on_done:
        alike = find_alike(subject.grey[rows], num_workers=subject.source.spec.num_workers, on_done=on_done)
    near = [
        Copy(int(rows[pair.first]), int(rows[pair.second]), _tell_likeness(pair), pair.correlation) for pair in alike
    ]
    yield from tell_copies(subject, [*exact, *near])


def find_exact_copies(digests: Digests) -> list[Copy]:
    """Each image whose pixels are those of an earlier one, with the first of them.

    >>> find_exact_copies(np.array([5, 7, 5, 5], np.uint64))[1]
    Copy(first=0, second=3, note='same pixels', likeness=1.0)
    """
    _, firsts, groups = np.unique(digests, return_index=True, return_inverse=True)
    first = firsts[groups]
    return [Copy(int(first[row]), int(row)) for row in np.flatnonzero(first != np.arange(len(digests)))]


def tell_copies(subject: Subject, copies: Sequence[Copy]) -> Iterator[Finding]:
    """Yield what pairs of rows that hold the same picture come to."""
    groups = group_rows(len(subject), copies)
    for find in (_leaks, _conflicts, _duplicates, _near_duplicates):
        finding = find(subject, copies, groups)
        if finding.count:
            yield finding


def group_rows(num_rows: int, copies: Sequence[Copy]) -> Indices:
    """The number of each row's group: rows that pairs connect, directly or by others, share theirs.

    >>> group_rows(4, [Copy(0, 2), Copy(2, 3)]).tolist()
    [0, 1, 0, 0]
    """
    ends = np.array([(copy.first, copy.second) for copy in copies], np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(copies)), (ends[0], ends[1])), shape=(num_rows, num_rows))
    groups: Indices = connected_components(links, directed=False)[1].astype(np.int64)
    return groups


def _leaks(subject: Subject, copies: Sequence[Copy], groups: Indices) -> Finding:
    """Images whose picture is in an earlier split too."""
    earliest = np.full(int(groups.max(initial=-1)) + 1, len(subject.split_names))
    np.minimum.at(earliest, groups, subject.splits)
    leaked = np.flatnonzero(subject.splits > earliest[groups])
    sources = _partners(copies, across=subject.splits)
    marks = []
    for row in leaked.tolist():
        # Mostly the copy itself is there; else one that others connect it with.
        other = sources.get(row)
        if other is None:
            kin = np.flatnonzero((groups == groups[row]) & (subject.splits == earliest[groups[row]]))
            other = Copy(int(kin[0]), row, "by way of another copy", 0.0)
        marks.append(Mark(row, other.first, other.note, other.likeness))
    ways = Counter((subject.split_of(row), subject.split_names[earliest[groups[row]]]) for row in leaked.tolist())
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
        "The score counts images that were trained on, and is too high. Leave these images out of the earlier split.",
        _sorted(marks),
    )


def _conflicts(subject: Subject, copies: Sequence[Copy], groups: Indices) -> Finding:
    """Pictures that are under several classes."""
    marks, pictures = [], set()
    for copy in copies:
        one, other = subject.labels[copy.first], subject.labels[copy.second]
        if one != other:
            names = f"{quoted(subject.class_of(copy.second))}, and {quoted(subject.class_of(copy.first))}"
            marks.append(Mark(copy.second, copy.first, f"{names}: {copy.note}", copy.likeness))
            pictures.add(int(groups[copy.second]))
    verb = "picture is" if len(pictures) == 1 else "pictures are"
    return Finding(
        "conflicts",
        "error",
        "One picture, two classes",
        len(pictures),
        f"{len(pictures):,} {verb} under two classes",
        "At least one of the labels is wrong: training is told both. Keep the right one, or leave both out.",
        _sorted(marks),
    )


def _duplicates(subject: Subject, copies: Sequence[Copy], groups: Indices) -> Finding:
    exact = [copy for copy in copies if copy.is_exact and _within(subject, copy)]
    return Finding(
        "duplicates",
        "warning",
        "The same pixels again",
        len(exact),
        f"{_images(len(exact))} the pixels of another one in the same split and class",
        "Such a picture counts several times in training, and in scores. One of each is enough.",
        tuple(Mark(copy.second, copy.first, copy.note) for copy in exact),
    )


def _near_duplicates(subject: Subject, copies: Sequence[Copy], groups: Indices) -> Finding:
    near = {}
    for copy in sorted(copies, key=lambda copy: copy.likeness):
        if not copy.is_exact and _within(subject, copy):
            near[copy.second] = Mark(copy.second, copy.first, copy.note, copy.likeness)
    return Finding(
        "near_duplicates",
        "warning",
        "Nearly the same picture",
        len(near),
        f"{_images(len(near))} nearly the look of another one in the same split and class",
        "Stored anew, resized, brightened or mirrored, or taken a moment later. Where a validation split is drawn at "
        "random, such pictures come to stand on both sides.",
        _sorted(near.values()),
    )


def _images(count: int) -> str:
    return "1 image has" if count == 1 else f"{count:,} images have"


def _within(subject: Subject, copy: Copy) -> bool:
    """Tell whether a pair is in one split and class, and so neither leak nor conflict."""
    return bool(
        subject.splits[copy.first] == subject.splits[copy.second]
        and subject.labels[copy.first] == subject.labels[copy.second]
    )


def _partners(copies: Sequence[Copy], across: Indices) -> dict[int, Copy]:
    """The likest copy of each row among those of an earlier split."""
    best: dict[int, Copy] = {}
    for copy in copies:
        is_earlier = across[copy.first] < across[copy.second]
        if is_earlier and (copy.second not in best or copy.likeness > best[copy.second].likeness):
            best[copy.second] = copy
    return best


def _tell_likeness(pair: Alike) -> str:
    return f"looks the same{f', {pair.alteration}' if pair.alteration else ''} (correlation {pair.correlation:.3f})"


def _sorted(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    return tuple(sorted(marks, key=lambda mark: (-(mark.score or 0.0), mark.row)))
