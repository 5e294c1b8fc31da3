"""Images that look the same: stored anew, resized, brightened, mirrored or turned.

Two stages, of which the second is asked about pairs that pass the first: a perceptual hash of 64 bits (which of the
lowest 8 × 8 frequencies are above their median, as ImageHash's ``phash``), then the correlation of the thumbnails, both
in eight orientations. All pairs are looked at, block by block, so no table of all of them is ever there.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn

from resnetkit.images.types import Indices, UInt8Images

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.float32]

NUM_FREQUENCIES = 8  # along each side
ROWS, COLUMNS = 64, 4096  # of a block of pairs, which stays in the processor's cache
TOGETHER = 4096  # thumbnails of which the correlations are computed at once

# Of a drawing or a cut-out on an empty background, the outline decides; that of two different ones is often alike.
PLAIN_SHARE, PLAIN_LEVELS = 0.25, 9  # of a thumbnail within so many neighbouring grey levels
LEAST_SPREAD = 2.0  # standard deviation in grey levels; below, there is nothing to compare but noise

# As seen from the other image: turned clockwise. The position's bits are those of :func:`turn`, which undoes it.
ORIENTATIONS = (
    "",
    "mirrored",
    "upside down and mirrored",
    "turned by 180°",
    "mirrored and turned by 90°",
    "turned by 270°",
    "turned by 90°",
    "mirrored and turned by 270°",
)


@dataclass(frozen=True)
class Demand:
    """Demands on two images to be taken for the same picture: bits that may differ, and the least correlation."""

    most_bits: int
    least_correlation: float


OF_PHOTOGRAPHS, OF_PLAIN = Demand(12, 0.9), Demand(4, 0.99)


@dataclass(frozen=True)
class Alike:
    """Two positions, the earlier one first, that look the same; ``orientation`` is how the second stands to it."""

    first: int
    second: int
    correlation: float
    orientation: str


def find_alike(grey: UInt8Images, *, num_workers: int = 1) -> list[Alike]:
    """Pairs of thumbnails, uint8 ``(N, S, S)``, that look the same, each pair once in its best orientation."""
    compared = _Compared.of(grey)
    search = partial(_search, compared)
    best: dict[tuple[int, int], Alike] = {}
    with ThreadPoolExecutor(max(1, num_workers)) as pool:
        for found in pool.map(lambda start: list(search(start)), range(0, len(grey), ROWS)):
            for pair in found:
                place = (pair.first, pair.second)
                if place not in best or pair.correlation > best[place].correlation:
                    best[place] = pair
    return list(best.values())


def hash_images(grey: UInt8Images) -> Hashes:
    """The perceptual hashes of thumbnails, uint64 ``(N, 8)``: of the image in each of the :data:`ORIENTATIONS`.

    Mirroring changes the signs of odd frequencies, and a quarter turn exchanges both sides too, so one transform gives
    all eight.
    """
    hashes = np.empty((len(grey), len(ORIENTATIONS)), np.uint64)
    odd = np.where(np.arange(NUM_FREQUENCIES) % 2, -1, 1).astype(np.float32)
    for start in range(0, len(grey), TOGETHER):
        frequencies = dctn(grey[start : start + TOGETHER].astype(np.float32), axes=(1, 2))
        low = frequencies[:, :NUM_FREQUENCIES, :NUM_FREQUENCIES]
        for number in range(len(ORIENTATIONS)):
            turned = low.transpose(0, 2, 1) if number & 4 else low
            turned = turned * (odd if number & 1 else 1) * (odd[:, None] if number & 2 else 1)
            bits = turned > np.median(turned, axis=(1, 2), keepdims=True)
            hashes[start : start + TOGETHER, number] = np.packbits(bits.reshape(-1, 64), axis=1).view(np.uint64)[:, 0]
    return hashes


def turn(images: UInt8Images, number: int) -> UInt8Images:
    """Images ``(N, S, S)`` in one of the :data:`ORIENTATIONS`."""
    turned = images.transpose(0, 2, 1) if number & 4 else images
    return turned[:, :: -1 if number & 2 else 1, :: -1 if number & 1 else 1]


def are_plain(grey: UInt8Images) -> npt.NDArray[np.bool_]:
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


@dataclass(frozen=True)
class _Compared:
    """All that pairs are judged by; images of one colour have no spread and are like none."""

    grey: UInt8Images
    hashes: Hashes
    means: Numbers
    spreads: Numbers
    plain: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, grey: UInt8Images) -> _Compared:
        flat = grey.reshape(len(grey), -1)
        means, spreads = flat.mean(1, dtype=np.float32), flat.std(1, dtype=np.float32)
        spreads = np.where(spreads < LEAST_SPREAD, np.inf, spreads).astype(np.float32)
        return cls(grey, hash_images(grey), means, spreads, are_plain(grey))


def _search(compared: _Compared, start: int) -> Iterator[Alike]:
    """Pairs of so many rows, from ``start`` on, with all later ones."""
    own = compared.hashes[start : start + ROWS, :1]
    for number in range(len(ORIENTATIONS)):
        for column in range(start, len(compared.hashes), COLUMNS):
            turned = compared.hashes[column : column + COLUMNS, number]
            bits = np.bitwise_count(own ^ turned)
            near = bits <= OF_PHOTOGRAPHS.most_bits
            if not near.any():
                continue
            rows, columns = np.nonzero(near)
            later = columns + column > rows + start
            rows, columns = rows[later], columns[later]
            yield from _confirmed(compared, rows + start, columns + column, bits[rows, columns], number)


def _confirmed(
    compared: _Compared, first: Indices, second: Indices, bits: npt.NDArray[np.uint8], number: int
) -> Iterator[Alike]:
    for begin in range(0, len(first), TOGETHER):
        some = slice(begin, begin + TOGETHER)
        left, right = first[some], second[some]
        correlations = _correlate(compared, left, right, number)
        is_plain = compared.plain[left] | compared.plain[right]
        least = np.where(is_plain, OF_PLAIN.least_correlation, OF_PHOTOGRAPHS.least_correlation)
        most = np.where(is_plain, OF_PLAIN.most_bits, OF_PHOTOGRAPHS.most_bits)
        for place in np.flatnonzero((correlations >= least) & (bits[some] <= most)).tolist():
            yield Alike(int(left[place]), int(right[place]), float(correlations[place]), ORIENTATIONS[number])


def _correlate(compared: _Compared, left: Indices, right: Indices, number: int) -> Numbers:
    """Correlations of thumbnails with others in some orientation, float32 ``(n,)``."""
    one = compared.grey[left].astype(np.float32)
    other = turn(compared.grey[right], number).astype(np.float32)
    products = np.einsum("nhw,nhw->n", one, other) / one[0].size
    spreads = compared.spreads[left] * compared.spreads[right]
    correlations: Numbers = (products - compared.means[left] * compared.means[right]) / spreads
    return correlations
