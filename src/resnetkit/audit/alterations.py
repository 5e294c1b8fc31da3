"""Alterations that leave a picture the same to people: the eight orientations, and margins cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import numpy.typing as npt

Thumbnails = npt.NDArray[np.float32]

# Margins, as shares of a side, so that any within a tenth are near one of these (benchmarks/trust.md).
SLIGHT, CUT, MOST = 0.03, 0.05, 0.09


@dataclass(frozen=True)
class Alteration:
    """A way in which one of two images may have come from the other.

    Attributes:
        note: tells of it; empty where nothing was changed.
        apply: from thumbnails float32 ``(N, S, S)`` to altered ones.
        goes_both_ways: whether it, or another one of the table, undoes it: then each pair is tried once.
    """

    note: str
    apply: Callable[[Thumbnails], Thumbnails]
    goes_both_ways: bool


def turn(images: Thumbnails, *, transposed: bool, down: bool, across: bool) -> Thumbnails:
    """Images with rows and columns exchanged, then mirrored from top to bottom, and from left to right."""
    turned = images.transpose(0, 2, 1) if transposed else images
    return turned[:, :: -1 if down else 1, :: -1 if across else 1]


def cut(images: Thumbnails, margins: tuple[float, float, float, float]) -> Thumbnails:
    """Images without margins at the left, top, right and bottom, enlarged to their size again."""
    left, top, right, bottom = margins
    side = images.shape[1]
    return (_stretch(top, bottom, side) @ images @ _stretch(left, right, side).T).astype(np.float32)


def _stretch(before: float, behind: float, side: int) -> Thumbnails:
    """The matrix ``(S, S)`` that makes a whole side of what lies between two margins, linearly between pixels."""
    places = np.clip((before + (np.arange(side) + 0.5) / side * (1 - before - behind)) * side - 0.5, 0, side - 1)
    first = np.minimum(places.astype(np.int64), side - 2)
    matrix = np.zeros((side, side), np.float32)
    matrix[np.arange(side), first] = 1 - (places - first)
    matrix[np.arange(side), first + 1] = places - first
    return matrix


def _orientations() -> Iterator[Alteration]:
    for transposed, down, across in product((False, True), repeat=3):
        is_mirrored = (transposed + down + across) % 2 == 1
        turned = "by a quarter" if transposed else "upside down" if down else ""
        note = " and ".join(["mirrored"] * is_mirrored + [f"turned {turned}"] * bool(turned))
        yield Alteration(note, partial(turn, transposed=transposed, down=down, across=across), goes_both_ways=True)


def _crops() -> Iterator[Alteration]:
    margins = [(share, share, share, share) for share in (SLIGHT, 2 * SLIGHT, MOST)]
    margins += [(CUT, 0, 0, 0), (0, CUT, 0, 0), (0, 0, CUT, 0), (0, 0, 0, CUT)]
    margins += [(left, top, CUT - left, CUT - top) for left in (0, CUT) for top in (0, CUT)]
    for each in margins:
        yield Alteration("cropped", partial(cut, margins=each), goes_both_ways=False)


ALTERATIONS = (*_orientations(), *_crops())
