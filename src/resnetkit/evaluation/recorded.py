"""The images that training held back, found again by their digests, whatever their files are called and wherever."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from resnetkit.data.seen import SeenImages, contains, unpack_digests
from resnetkit.data.source import DataSource
from resnetkit.data.splitting import SPLITS
from resnetkit.data.types import LoadedData
from resnetkit.errors import Code, require
from resnetkit.images.digests import Digests


def load_recorded(
    load: Callable[[Sequence[str]], LoadedData],
    source: DataSource,
    seen: SeenImages,
    split: str,
    *,
    num_images: int,
) -> LoadedData:
    """A split of the data that weights were trained with, as it was then; its warnings say what has changed.

    Args:
        load: gives the splits of these names.
        source: the same data, perhaps with other file names, with images missing, or with new ones.
        split: ``train``, ``val`` or ``test``.
        num_images: how many there were in all splits.

    Raises:
        ResnetkitError: where images cannot be read, or none of the split is left.
    """
    sizes = source.split_sizes
    if split in sizes and sum(sizes.values()) == num_images:
        loaded = load([split])
        if np.array_equal(np.unique(loaded.splits[split].digests), unpack_digests(seen.packed(split))):
            return loaded
    return as_recorded(load(SPLITS), seen, split)


def as_recorded(loaded: LoadedData, seen: SeenImages, split: str) -> LoadedData:
    """Keep, of data with all their splits, the images that belonged to one of them in training.

    Raises:
        ResnetkitError: where there is none.
    """
    recorded, digests = unpack_digests(seen.packed(split)), _digests(loaded)
    parts = {
        name: part.select(np.flatnonzero(contains(recorded, part.digests))) for name, part in loaded.splits.items()
    }
    splits = {name: part for name, part in parts.items() if len(part)}
    require(
        bool(splits),
        f"none of the {len(recorded):,} {split} images of the run is among these images",
        fix="give data of your own to be scored whole: resnetkit evaluate RUN DATA",
        code=Code.DATA,
    )
    num_missing = len(np.setdiff1d(recorded, digests))
    num_new = int((~np.isin(digests, np.concatenate(_recorded(seen)))).sum())
    notes = []
    if num_missing:
        notes.append(f"{num_missing:,} of the {len(recorded):,} {split} images of the run are missing")
    if num_new:
        notes.append(f"{num_new:,} images were not there when the run was started, and are not scored")
    return replace(loaded, splits=splits, warnings=(*loaded.warnings, *notes))


def holds_all(loaded: LoadedData, seen: SeenImages) -> bool:
    """Tell whether data hold all images of a training; never where it held back none for its test."""
    return bool(seen.test) and bool(np.isin(np.concatenate(_recorded(seen)), _digests(loaded)).all())


def _recorded(seen: SeenImages) -> list[Digests]:
    return [unpack_digests(seen.packed(name)) for name in SPLITS]


def _digests(loaded: LoadedData) -> Digests:
    return np.concatenate([split.digests for split in loaded.splits.values()])
