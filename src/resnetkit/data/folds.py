"""Folds of the images of a data set, each of which is tested on once by a network that trains on the others."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np

from resnetkit.data.splitting import hashes_of
from resnetkit.errors import Code, require
from resnetkit.images.types import Indices, UInt8Images


def folds_of(
    identifiers: Sequence[str],
    labels: Indices,
    class_names: Sequence[str],
    *,
    num_folds: int,
    seed: int,
    together: Iterable[Sequence[Hashable]] = (),
) -> Indices:
    """The fold of each image, from 0, int64 ``(N,)``: the same share of every class in each, decided by names and seed.

    The largest of what stays together comes first, then the order of a hash of ``seed/identifier``; each goes to the
    fold that has fewest images of its classes so far. Where all images stand alone, folds differ by one image of a
    class at most.

    Args:
        together: keys of the images, in any number of ways: those of one key stay in one fold, as a group does, or
            files of the same content.

    Raises:
        ResnetkitError: for a class that cannot be both in a fold and outside of it.
    """
    sets = _sets(len(labels), together)
    hashes = hashes_of(identifiers, seed)
    first = {one: min(rows, key=lambda row: (hashes[row, 0], hashes[row, 1])) for one, rows in sets.items()}
    order = sorted(sets, key=lambda one: (-len(sets[one]), *hashes[first[one]].tolist()))
    num_sets = Counter(label for rows in sets.values() for label in set(labels[rows].tolist()))
    for label, count in num_sets.items():
        require(
            count > 1,
            f"class '{class_names[label]}' cannot be divided into folds",
            why="all of its images belong together, so that a network which trains on others has seen none of it",
            fix="add images of it, or leave the class out",
            code=Code.DATA,
        )
    folds, sizes = np.empty(len(labels), np.int64), [Counter[int]() for _ in range(num_folds)]
    totals = [0] * num_folds
    for one in order:
        rows = sets[one]
        own = Counter(labels[rows].tolist())
        fold = min(range(num_folds), key=lambda f: (sum(sizes[f][label] for label in own), totals[f], f))
        folds[rows] = fold
        sizes[fold].update(own)
        totals[fold] += len(rows)
    return folds


def _sets(num_images: int, together: Iterable[Sequence[Hashable]]) -> dict[int, list[int]]:
    """Rows that stay together, by one of them: those of the same key in any way of naming, and so on from these."""
    leader = list(range(num_images))

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = row = leader[leader[row]]
        return row

    for keys in together:
        known: dict[Hashable, int] = {}
        for row, key in enumerate(keys):
            leader[find(row)] = find(known.setdefault(key, row))
    sets = defaultdict[int, list[int]](list)
    for row in range(num_images):
        sets[find(row)].append(row)
    return dict(sets)


def file_keys(root: Path, paths: Sequence[str]) -> list[Hashable]:
    """A key for each file, alike for files of the same bytes; one that cannot be read stands alone."""
    keys: list[Hashable] = []
    for path in paths:
        try:
            with open(root / path, "rb") as file:
                keys.append(hashlib.file_digest(file, "blake2b").digest())
        except OSError:
            keys.append(path)
    return keys


def pixel_keys(pixels: UInt8Images) -> list[Hashable]:
    """A key for each image ``(N, …)``, alike for the same pixels."""
    return [hashlib.blake2b(np.ascontiguousarray(one).tobytes(), digest_size=16).digest() for one in pixels]
