"""Copies that features propose and pixels confirm: larger crops, small turns, what was written over a picture.

Two flowers of one species have features as near as a picture and its crop, so features only choose the pairs that are
looked at: of each image a few neighbours, whatever their number. What is told is told by pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from resnetkit.audit.copies import Copy
from resnetkit.audit.features import Features
from resnetkit.audit.likeness import Mask
from resnetkit.audit.registration import Overlay, lay_over, shrink
from resnetkit.images.types import Indices, UInt8Images
from resnetkit.pages.formatting import plain_percent
from resnetkit.training.first_look import of_length_one

# An altered photograph is nearly always the nearest of all to its original (benchmarks/trust.md).
MOST_NEIGHBOURS, LEAST_COSINE = 3, 0.5
# Of what is to be seen: beyond what different photographs reach (benchmarks/trust.md); outlines of cut-outs agree more.
LEAST_AGREEMENT, LEAST_OF_PLAIN = 0.5, 0.9
WHOLE = 0.97  # of a picture: less is a part
VALUES_AT_ONCE = 2**24  # cosines


def propose_pairs(
    features: Features, groups: Indices, rows: Indices, on_done: Callable[[int], None] = lambda more: None
) -> Indices:
    """Pairs of images with near features, none twice, int64 ``(P, 2)``, the earlier row of each first.

    Near is who is among the nearest of one of them, by the cosine of what distinguishes them from the mean.

    Args:
        features: float32 ``(N, F)``.
        groups: int64 ``(N,)``, of images that are known to hold the same picture, which are no pairs.
        rows: those that may be in a pair.
        on_done: called with how many rows more have been compared with all others.
    """
    if len(rows) < 2:
        return np.empty((0, 2), np.int64)
    chosen, own = features[rows], groups[rows]
    scaled = of_length_one(chosen - chosen.mean(0))
    most, step, found = min(MOST_NEIGHBOURS, len(rows) - 1), max(1, VALUES_AT_ONCE // len(rows)), []
    for start in range(0, len(rows), step):
        cosines = scaled[start : start + step] @ scaled.T
        cosines[own[start : start + step, None] == own] = -1.0
        nearest = np.argpartition(cosines, -most, axis=1)[:, -most:]
        which, place = np.nonzero(np.take_along_axis(cosines, nearest, 1) >= LEAST_COSINE)
        pairs = np.stack([rows[start + which], rows[nearest[which, place]]], 1)
        found.append(np.sort(pairs, axis=1))
        on_done(len(cosines))
    return np.unique(np.concatenate(found), axis=0)


def shrink_all(
    rows: Sequence[int],
    read: Callable[[int], UInt8Images],
    *,
    num_workers: int = 1,
    on_done: Callable[[int], None] = lambda more: None,
) -> dict[int, UInt8Images]:
    """The pictures of some rows, as they are laid over one another: about 4 kB each.

    Args:
        read: gives the picture of a row, uint8 ``(H, W, 3)``, with a longer side of
            :data:`~resnetkit.audit.registration.READ_PX` where it has as many.
        on_done: called with how many more have been read.
    """
    pictures = {}
    with ThreadPoolExecutor(max(1, num_workers)) as pool:
        for row, picture in zip(rows, pool.map(lambda row: shrink(read(row)), rows), strict=True):
            pictures[row] = picture
            on_done(1)
    return pictures


def confirm_pairs(
    pairs: Indices,
    pictures: Mapping[int, UInt8Images],
    is_plain: Mask,
    *,
    num_workers: int = 1,
    on_done: Callable[[int], None] = lambda more: None,
) -> list[Copy]:
    """Those of some pairs of rows ``(P, 2)`` of which one shows the other, or a good part of it.

    Args:
        pictures: of :func:`shrink_all`.
        is_plain: of all rows, those that show something on an empty background, which must agree in nearly all.
        on_done: called with how many pairs more have been looked at.
    """
    asked, found = pairs.tolist(), []
    with ThreadPoolExecutor(max(1, num_workers)) as pool:
        overlays = pool.map(lambda pair: lay_over(pictures[pair[0]], pictures[pair[1]]), asked)
        for (first, second), overlay in zip(asked, overlays, strict=True):
            least = LEAST_OF_PLAIN if is_plain[first] or is_plain[second] else LEAST_AGREEMENT
            if overlay is not None and overlay.agreement >= least:
                found.append(Copy(first, second, tell_overlay(overlay), overlay.agreement))
            on_done(1)
    return found


def tell_overlay(overlay: Overlay) -> str:
    """A few words on how a copy is known.

    >>> tell_overlay(Overlay(0.98, (1.0, 0.81), is_mirrored=True))
    'a part of the other, mirrored, by features and pixels (98 % of the detail agrees)'
    """
    smaller, larger = sorted(overlay.shared)
    shown = "looks the same" if smaller >= WHOLE else f"a part of {'the other' if larger >= WHOLE else 'one picture'}"
    mirrored = ", mirrored" if overlay.is_mirrored else ""
    return f"{shown}{mirrored}, by features and pixels ({plain_percent(overlay.agreement, 0)} of the detail agrees)"
