"""Images that hold the same picture, pixel by pixel or by their look, and the groups that they come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from resnetkit.audit.likeness import Alike, find_alike, join_rows
from resnetkit.images.digests import Digests
from resnetkit.images.types import Indices, UInt8Images

SAME_PIXELS = "same pixels"


@dataclass(frozen=True)
class Copy:
    """Two rows, the earlier one first, that hold the same picture; ``note`` tells how that is known."""

    first: int
    second: int
    note: str = SAME_PIXELS
    likeness: float = 1.0

    def beside(self, row: int) -> int:
        """The other one of the two."""
        return self.first if row == self.second else self.second


@dataclass(frozen=True)
class Copies:
    """All images that hold the same picture as another one.

    Attributes:
        pairs: as many as connect the images of a picture; of few images, all that are alike.
        groups: int64 ``(N,)``, the number of each row's picture: rows that pairs connect, directly or by others, share
            theirs.
    """

    pairs: Sequence[Copy]
    groups: Indices

    @cached_property
    def pairs_of(self) -> dict[int, list[Copy]]:
        """The pairs of each row that has any."""
        found: dict[int, list[Copy]] = {}
        for pair in self.pairs:
            found.setdefault(pair.first, []).append(pair)
            found.setdefault(pair.second, []).append(pair)
        return found

    def likest(self, row: int, among: npt.NDArray[np.bool_]) -> Copy:
        """The best pair of a row with one of some others of its picture; mostly it was seen, else others connect it."""
        seen = [pair for pair in self.pairs_of.get(row, ()) if among[pair.beside(row)]]
        if seen:
            return max(seen, key=lambda pair: pair.likeness)
        first, second = sorted((row, int(np.argmax(among & (self.groups == self.groups[row])))))
        return Copy(first, second, "by way of another copy", 0.0)


def find_copies(
    digests: Digests,
    grey: UInt8Images,
    *,
    num_workers: int = 1,
    on_done: Callable[[int], None] = lambda more: None,
) -> Copies:
    """Look for images with the same pixels, and for those that look the same.

    Args:
        digests: uint64 ``(N,)``, of the pixels.
        grey: thumbnails, uint8 ``(N, S, S)``.
        on_done: called with how many images more have been compared with all others.
    """
    exact = find_exact_copies(digests)
    # One of each picture is enough to look for others that are like it.
    rows = np.setdiff1d(np.arange(len(digests)), [copy.second for copy in exact])
    on_done(len(digests) - len(rows))
    alike = find_alike(grey[rows], num_workers=num_workers, on_done=on_done)
    near = [
        Copy(int(rows[pair.first]), int(rows[pair.second]), _tell_likeness(pair), pair.correlation) for pair in alike
    ]
    return group_copies(len(digests), [*exact, *near])


def group_copies(num_rows: int, pairs: Sequence[Copy]) -> Copies:
    """Those pairs, with the groups that they come to.

    >>> group_copies(4, [Copy(0, 2), Copy(2, 3)]).groups.tolist()
    [0, 1, 0, 0]
    """
    first, second = np.array([(pair.first, pair.second) for pair in pairs], np.int64).reshape(-1, 2).T
    return Copies(pairs, join_rows(num_rows, first, second))


def find_exact_copies(digests: Digests) -> list[Copy]:
    """Each image whose pixels are those of an earlier one, with the first of them.

    >>> find_exact_copies(np.array([5, 7, 5, 5], np.uint64))[1]
    Copy(first=0, second=3, note='same pixels', likeness=1.0)
    """
    first = find_firsts(digests.view(np.int64))
    return [Copy(int(first[row]), int(row)) for row in np.flatnonzero(first != np.arange(len(digests)))]


def find_firsts(*columns: Indices) -> Indices:
    """The first row with the values of each row in all of some columns, int64 ``(N,)``.

    >>> find_firsts(np.array([5, 7, 5, 5]), np.array([0, 0, 1, 0])).tolist()
    [0, 1, 2, 0]
    """
    _, firsts, which = np.unique(np.stack(columns, 1), axis=0, return_index=True, return_inverse=True)
    return firsts[which.reshape(-1)].astype(np.int64)


def _tell_likeness(pair: Alike) -> str:
    return f"looks the same{f', {pair.alteration}' if pair.alteration else ''} (correlation {pair.correlation:.3f})"
