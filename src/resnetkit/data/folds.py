"""Folds of images: each is answered for once by what has learned from others; what belongs together is in one."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

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
    rows_of = defaultdict[int, list[int]](list)
    for row, one in enumerate(sets_of(len(labels), together).tolist()):
        rows_of[one].append(row)
    sets = dict(rows_of)
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


def folds_in_order(labels: Indices, sets: npt.NDArray[Any], num_folds: int) -> Indices:
    """The fold of each image, from 0, int64 ``(N,)``: every class evenly in each, in the order that the images have.

    Args:
        sets: ``(N,)``, alike for images that stay in one fold; a set counts as an image of the class of its first.
    """
    _, firsts, members = np.unique(sets, return_index=True, return_inverse=True)
    leading = np.sort(firsts)
    folds = np.empty(len(labels), np.int64)
    folds[leading] = ranks_in_class(labels[leading]) % num_folds
    return folds[firsts][members]


def ranks_in_class(labels: Indices) -> Indices:
    """The position of each image among those of its class, from 0, int64 ``(N,)``."""
    ranks = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        own = labels == label
        ranks[own] = np.arange(own.sum())
    return ranks


def sets_of(num_images: int, together: Iterable[Sequence[Hashable]]) -> Indices:
    """The set of each image, int64 ``(N,)``: images of the same key in any way of naming, and so on from these.

    >>> sets_of(4, [["rex", "rex", "tom", "ada"], [5, 7, 7, 9]]).tolist()
    [0, 0, 0, 3]
    """
    leader = list(range(num_images))

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = row = leader[leader[row]]
        return row

    for keys in together:
        known: dict[Hashable, int] = {}
        for row, key in enumerate(keys):
            leader[find(row)] = find(known.setdefault(key, row))
    return np.array([find(row) for row in range(num_images)], np.int64)


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
