"""Hold images back for validation and test, and choose some, by their names and a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from resnetkit.images.types import Indices

SPLITS: tuple[str, ...] = ("train", "val", "test")


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
    members = _members_in_order([_hash(f"{seed}/{identifier}") for identifier in identifiers], labels)
    chosen: dict[str, list[int]] = {name: [] for name in SPLITS}
    for indices in members.values():
        num_test = _num_held_back(len(indices), test_fraction, len(indices) - 1)
        num_val = _num_held_back(len(indices), validation_fraction, len(indices) - 1 - num_test)
        first_val = len(indices) - num_val
        chosen["test"] += indices[:num_test]
        chosen["train"] += indices[num_test:first_val]
        chosen["val"] += indices[first_val:]
    return {name: np.array(sorted(indices), dtype=np.int64) for name, indices in chosen.items()}


def choose_some(identifiers: Sequence[str], labels: Indices, *, seed: int, num_images: int) -> Indices:
    """Positions of ``num_images`` of the images: about the same share of every class, one of each where they suffice.

    Each class is ordered by a hash of ``seed/identifier``, and of all classes those come first that stand foremost in
    their own. So fewer images are among more of them, and a new file changes few of those chosen.
    """
    keys = [_hash(f"{seed}/{identifier}") for identifier in identifiers]
    members = _members_in_order(keys, labels)
    # Among classes of one size, which are level at every rank, the hash decides.
    ranked = [
        (rank > 0, (rank + 0.5) / len(indices), keys[index], index)
        for indices in members.values()
        for rank, index in enumerate(indices)
    ]
    return np.array(sorted(index for *_, index in sorted(ranked)[:num_images]), dtype=np.int64)


def _members_in_order(keys: Sequence[bytes], labels: Indices) -> dict[int, list[int]]:
    """Positions of each class's images, in the order of their keys."""
    members: dict[int, list[int]] = {}
    for index in sorted(range(len(keys)), key=keys.__getitem__):
        members.setdefault(int(labels[index]), []).append(index)
    return members


def _hash(text: str) -> bytes:
    # File names need not be valid UTF-8.
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _num_held_back(num_images: int, fraction: float, available: int) -> int:
    return min(max(1, int(num_images * fraction + 0.5)), available) if fraction > 0 else 0
