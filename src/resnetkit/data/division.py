"""Division of images into splits: held back by their names, by groups, or as a fold."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from resnetkit.data.folds import folds_of
from resnetkit.data.groups import groups_at, split_groups
from resnetkit.data.spec import DataSpec
from resnetkit.data.splitting import split_indices
from resnetkit.folders.layout_option import UNSPLIT
from resnetkit.images.types import Indices


@dataclass(frozen=True)
class Labelled:
    """Images that were found under one name, with their classes.

    Attributes:
        contents: gives a key for each image, alike for the same content.
    """

    identifiers: Sequence[str]
    labels: Indices
    class_names: Sequence[str]
    contents: Callable[[], Sequence[Hashable]]
    groups: Sequence[str] | None = None


def divided(split: str, images: Labelled, spec: DataSpec, shares: Mapping[str, float]) -> dict[str, Indices]:
    """Positions by split of images: all stay there, ``shares`` of them are held back, or a fold is the test split."""
    rows = np.arange(len(images.labels))
    if spec.num_folds and split == "test":
        return {}
    if spec.num_folds and split in (UNSPLIT, "train"):
        ways = [way for way in (images.groups, images.contents()) if way is not None]
        folds = folds_of(
            images.identifiers,
            images.labels,
            images.class_names,
            num_folds=spec.num_folds,
            seed=spec.split_seed,
            together=ways,
        )
        rest = rows[folds != spec.fold]
        shares = {name: share for name, share in shares.items() if name != "test"}
        parts = {name: rest[chosen] for name, chosen in _held_back("train", images, rest, spec, shares).items()}
        return {**parts, "test": rows[folds == spec.fold]}
    return _held_back(split, images, rows, spec, shares)


def _held_back(
    split: str, images: Labelled, rows: Indices, spec: DataSpec, shares: Mapping[str, float]
) -> dict[str, Indices]:
    """Positions by split within ``rows``: all stay where they were found, or ``shares`` of them are held back."""
    if not any(shares.values()):
        return {"train" if split == UNSPLIT else split: np.arange(len(rows))}
    fractions = {"validation_fraction": shares.get("val", 0.0), "test_fraction": shares.get("test", 0.0)}
    labels, groups = images.labels[rows], groups_at(images.groups, rows)
    if groups is None:
        identifiers = [images.identifiers[row] for row in rows]
        parts = split_indices(identifiers, labels, seed=spec.split_seed, **fractions)
    else:
        parts = split_groups(groups, labels, seed=spec.split_seed, **fractions)
    return {name: indices for name, indices in parts.items() if len(indices)}


def share_to_test(spec: DataSpec, usual: float) -> float:
    """The share of images that the test split is to have: a fold, where there are any."""
    return 1 / spec.num_folds if spec.num_folds else usual
