"""Images that look the same: stored anew, resized, brightened, mirrored, turned or cropped.

Two stages, of which the second is asked about pairs that pass the first: a perceptual hash of 64 bits (which of the
lowest 8 × 8 frequencies are above their median, as ImageHash's ``phash``), then the correlation of the thumbnails, both
for every row of :data:`~resnetkit.audit.alterations.ALTERATIONS`. All pairs are looked at, block by block, so no table
of all of them is ever there. Of many images that look the same, as a fixed camera takes them, only as many pairs are
confirmed as connect them: which images belong together stays exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import compress

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from resnetkit.audit.alterations import ALTERATIONS, Thumbnails
from resnetkit.images.types import Indices, UInt8Images

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

NUM_FREQUENCIES = 8  # along each side
ROWS, COLUMNS = 64, 4096  # of a block of pairs, which stays in the processor's cache
TOGETHER = 1024  # thumbnails that are worked on at once
TOLD_WHOLE = 32  # images of one picture, of which all pairs are given; of more, as many as connect them

# Of a drawing or a cut-out on an empty background, the outline decides; that of two different ones is often alike.
PLAIN_SHARE, PLAIN_LEVELS = 0.2, 3  # of a thumbnail within so many neighbouring grey levels
LEAST_SPREAD = 2.0  # standard deviation in grey levels; below, there is nothing to compare but noise


@dataclass(frozen=True)
class Demand:
    """Demands on two images to be taken for the same picture: bits that may differ, and the least correlation."""

    most_bits: int
    least_correlation: float


OF_PHOTOGRAPHS, OF_PLAIN = Demand(12, 0.9), Demand(4, 0.99)


@dataclass(frozen=True)
class Alike:
    """Two positions, the earlier one first, that look the same.

    Attributes:
        alteration: the note of what makes one of the other; empty for none.
    """

    first: int
    second: int
    correlation: float
    alteration: str


def find_alike(
    grey: UInt8Images, *, num_workers: int = 1, on_done: Callable[[int], None] = lambda more: None
) -> list[Alike]:
    """Pairs of thumbnails, uint8 ``(N, S, S)``, that look the same, each pair once by its best alteration.

    Where more than :data:`TOLD_WHOLE` look the same, not all of their pairs, but as many as connect them.

    Args:
        on_done: called with how many rows more have been compared with all others.
    """
    compared = _Compared(grey, hash_images(grey), are_plain(grey))
    best: dict[tuple[int, int], Alike] = {}
    together = _Together(len(grey))
    with ThreadPoolExecutor(max(1, num_workers)) as pool:
        for found in pool.map(partial(_search, compared), range(0, len(grey), ROWS)):
            ends = _ends(found)
            for pair in compress(found, together.want(*ends)):
                place = (pair.first, pair.second)
                if place not in best or pair.correlation > best[place].correlation:
                    best[place] = pair
            together.join(*ends)
            on_done(ROWS)
    return list(best.values())


def hash_images(grey: UInt8Images) -> Hashes:
    """The perceptual hash of each thumbnail, uint64 ``(N, A)``, after each alteration of the table."""
    hashes = np.empty((len(grey), len(ALTERATIONS)), np.uint64)
    for start in range(0, len(grey), TOGETHER):
        some = grey[start : start + TOGETHER].astype(np.float32)
        for number, alteration in enumerate(ALTERATIONS):
            frequencies = dctn(alteration.apply(some), axes=(1, 2))[:, :NUM_FREQUENCIES, :NUM_FREQUENCIES]
            bits = frequencies > np.median(frequencies, axis=(1, 2), keepdims=True)
            hashes[start : start + TOGETHER, number] = np.packbits(bits.reshape(-1, 64), axis=1).view(np.uint64)[:, 0]
    return hashes


def are_plain(grey: UInt8Images) -> Mask:
    """Mask of the thumbnails ``(N, S, S)`` that show something on an empty background."""
    plain = np.zeros(len(grey), np.bool_)
    for start in range(0, len(grey), TOGETHER):
        values = grey[start : start + TOGETHER].reshape(-1, grey.shape[1] * grey.shape[2])
        places = values + 256 * np.arange(len(values))[:, None]
        counts = np.bincount(places.ravel(), minlength=256 * len(values)).reshape(-1, 256)
        summed = np.cumsum(np.pad(counts, ((0, 0), (1, PLAIN_LEVELS))), axis=1)
        fullest = (summed[:, PLAIN_LEVELS:] - summed[:, :-PLAIN_LEVELS]).max(1)
        plain[start : start + TOGETHER] = fullest >= PLAIN_SHARE * values.shape[1]
    return plain


def join_rows(num_rows: int, first: Indices, second: Indices) -> Indices:
    """The number of each row's set, int64 ``(N,)``: rows that pairs connect, directly or by others, share theirs.

    >>> join_rows(4, np.array([0, 2]), np.array([2, 3])).tolist()
    [0, 1, 0, 0]
    """
    links = coo_array((np.ones(len(first)), (first, second)), shape=(num_rows, num_rows))
    numbers: Indices = connected_components(links, directed=False)[1].astype(np.int64)
    return numbers


class _Together:
    """Sets of rows that pairs have joined."""

    def __init__(self, num_rows: int) -> None:
        self._numbers = np.arange(num_rows)
        self._sizes = np.ones(num_rows, np.int64)

    def want(self, first: Indices, second: Indices) -> Mask:
        """Mask of the pairs that are worth a look: all but those within a large set."""
        own = self._numbers[first]
        return np.asarray((own != self._numbers[second]) | (self._sizes[own] <= TOLD_WHOLE))

    def join(self, first: Indices, second: Indices) -> None:
        """Make one set of those of each pair."""
        if len(first):
            joined = join_rows(len(self._sizes), self._numbers[first], self._numbers[second])
            self._numbers = joined[self._numbers]
            self._sizes = np.bincount(self._numbers, minlength=len(self._sizes))


@dataclass(frozen=True)
class _Compared:
    grey: UInt8Images
    hashes: Hashes
    plain: Mask


def _search(compared: _Compared, start: int) -> list[Alike]:
    """Pairs of so many rows, from ``start`` on, with all others."""
    own, found, together = compared.hashes[start : start + ROWS, :1], list[Alike](), _Together(len(compared.hashes))
    for number, alteration in enumerate(ALTERATIONS):
        for column in range(start if alteration.goes_both_ways else 0, len(compared.hashes), COLUMNS):
            bits = np.bitwise_count(own ^ compared.hashes[column : column + COLUMNS, number])
            near = bits <= OF_PHOTOGRAPHS.most_bits
            if not near.any():
                continue
            rows, columns = np.nonzero(near)
            first, second = rows + start, columns + column
            wanted = second > first if alteration.goes_both_ways else second != first
            found += _confirmed(compared, together, first[wanted], second[wanted], bits[near][wanted], number)
    return found


def _confirmed(
    compared: _Compared,
    together: _Together,
    first: Indices,
    second: Indices,
    bits: npt.NDArray[np.uint8],
    number: int,
) -> Iterator[Alike]:
    """Those of some pairs that pass the second stage too; the second image of each was altered."""
    alteration = ALTERATIONS[number]
    is_open = together.want(first, second)
    while is_open.any():
        some = np.flatnonzero(is_open)[:TOGETHER]
        is_open[some] = False
        left, right = first[some], second[some]
        altered = alteration.apply(compared.grey[right].astype(np.float32))
        correlations = _correlate(compared.grey[left].astype(np.float32), altered)
        is_plain = compared.plain[left] & compared.plain[right]
        least = np.where(is_plain, OF_PLAIN.least_correlation, OF_PHOTOGRAPHS.least_correlation)
        most = np.where(is_plain, OF_PLAIN.most_bits, OF_PHOTOGRAPHS.most_bits)
        passed = np.flatnonzero((correlations >= least) & (bits[some] <= most))
        for place in passed.tolist():
            one, other = sorted((int(left[place]), int(right[place])))
            yield Alike(one, other, float(correlations[place]), alteration.note)
        if len(passed):
            together.join(left[passed], right[passed])
            is_open &= together.want(first, second)


def _ends(pairs: list[Alike]) -> tuple[Indices, Indices]:
    first, second = np.array([(pair.first, pair.second) for pair in pairs], np.int64).reshape(-1, 2).T
    return first, second


def _correlate(one: Thumbnails, other: Thumbnails) -> Thumbnails:
    """Correlation of each of some thumbnails with another, float32 ``(n,)``; 0 for what is of one colour."""
    centred = [images - images.mean((1, 2), keepdims=True) for images in (one, other)]
    spreads = [np.sqrt(np.square(images).mean((1, 2))) for images in centred]
    lengths = np.where(np.minimum(*spreads) < LEAST_SPREAD, np.inf, spreads[0] * spreads[1])
    correlations: Thumbnails = np.einsum("nhw,nhw->n", *centred) / one[0].size / lengths
    return correlations
