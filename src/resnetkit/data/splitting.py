"""Hold images back for validation and test, and choose some, by their names and a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from resnetkit.images.types import Indices

SPLITS: tuple[str, ...] = ("train", "val", "test")
NONE: Indices = np.empty(0, np.int64)

Hashes = npt.NDArray[np.uint64]


def split_indices(
    identifiers: Sequence[str],
    labels: Indices,
    *,
    seed: int,
    validation_fraction: float = 0.0,
    test_fraction: float = 0.0,
) -> dict[str, Indices]:
    """Positions of the images of ``train``, ``val`` and ``test``, the same fraction of every class.

    Each class is ordered by a hash of ``seed/identifier``: test takes from one end, val from the other. So a new
    file moves at most one image per split, and the splits of one class do not depend on the other classes. At least
    one image of every class stays in train; a class with enough images has at least one in each split asked for.
    """
    members = _members_in_order(hashes_of(identifiers, seed), labels)
    chosen: dict[str, list[Indices]] = {name: [] for name in SPLITS}
    for indices in members:
        num_test = num_held_back(len(indices), test_fraction, len(indices) - 1)
        num_val = num_held_back(len(indices), validation_fraction, len(indices) - 1 - num_test)
        first_val = len(indices) - num_val
        chosen["test"].append(indices[:num_test])
        chosen["train"].append(indices[num_test:first_val])
        chosen["val"].append(indices[first_val:])
    return {name: np.sort(np.concatenate([NONE, *parts])) for name, parts in chosen.items()}


def choose_some(
    identifiers: Sequence[str], labels: Indices, *, seed: int, num_images: int, groups: Sequence[str] | None = None
) -> Indices:
    """Positions of ``num_images`` of the images: about the same share of every class, one of each where they suffice.

    Each class is ordered by a hash of ``seed/identifier``, and of all classes those come first that stand foremost in
    their own. So fewer images are among more of them, and a new file changes few of those chosen.

    Args:
        groups: of each image, all of one object: a class is ordered by a hash of ``seed/group`` first, so that fewer
            images are those of fewer objects, each class's last one perhaps in part; None: each stands for itself.
    """
    hashes = hashes_of(identifiers, seed)
    members = _members_in_order(hashes if groups is None else np.hstack([hashes_of(groups, seed), hashes]), labels)
    rank, share = np.empty(len(labels), np.int64), np.empty(len(labels))
    for indices in members:
        rank[indices] = np.arange(len(indices))
        share[indices] = (rank[indices] + 0.5) / len(indices)
    # Among classes of one size, which are level at every rank, the hash decides.
    return np.sort(np.lexsort((hashes[:, 1], hashes[:, 0], share, rank > 0))[:num_images])


def _members_in_order(hashes: Hashes, labels: Indices) -> list[Indices]:
    """Positions of each class's images, in the order of their hashes ``(N, H)``, the first of which count most."""
    order = np.lexsort((*hashes.T[::-1], labels))
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []


def hashes_of(identifiers: Sequence[str], seed: int) -> Hashes:
    """A hash of ``seed/identifier`` for each, ``(N, 2)``: as numbers they take a tenth of the memory of objects."""
    hashes = bytearray()
    for identifier in identifiers:
        # File names need not be valid UTF-8.
        text = f"{seed}/{identifier}".encode("utf-8", "surrogateescape")
        hashes += hashlib.blake2b(text, digest_size=16).digest()
    return np.frombuffer(hashes, ">u8").reshape(-1, 2)


def num_held_back(num_images: int, fraction: float, available: int) -> int:
    """Number of images of a class to hold back: at least one of those available, where any are to be."""
    return min(max(1, int(num_images * fraction + 0.5)), available) if fraction > 0 else 0
