"""Refuse what does not fit together before training starts: batches, classes, and the data of a resumed run."""

from __future__ import annotations

import numpy as np

from resnetkit.data.batches import Shard
from resnetkit.data.fingerprint import audit_advice
from resnetkit.data.seen import SeenImages, unpack_digests
from resnetkit.data.splitting import SPLITS
from resnetkit.data.types import LoadedData
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.training.loss import make_class_weights


def check_batches(recipe: Recipe, num_train: int, shard: Shard) -> None:
    """Refuse batches that the data, the processes or mixing cannot fill evenly."""
    require(
        num_train >= 2,
        "one training image is too few",
        why="batch norms take their statistics from several",
        fix="give more",
        code=Code.DATA,
    )
    require(
        recipe.batch_size <= num_train,
        f"batch_size {recipe.batch_size} is more than the {num_train:,} training images",
        fix=f"--set batch_size={max(2, num_train // 4)}",
    )
    parts = shard.num_ranks * recipe.accumulate_steps
    require(
        recipe.batch_size % parts == 0 and recipe.batch_size // parts >= 2,
        f"batch_size {recipe.batch_size} cannot be cut into {parts} equal parts of at least 2 images "
        f"({shard.num_ranks} processes × {recipe.accumulate_steps} accumulate_steps)",
        fix=f"--set batch_size={max(2, round(recipe.batch_size / parts)) * parts}",
    )
    may_shrink = recipe.data.check == "lazy" and recipe.data.on_bad_image == "skip"
    require(
        not may_shrink or parts == 1,
        f"images left out when they are met (data.check=lazy, data.on_bad_image=skip) leave {parts} uneven parts of a "
        "batch",
        fix="--on-bad-image stop, and repair or remove what it names; or --check first",
    )
    mixes = recipe.augmentation.mixup_alpha or recipe.augmentation.cutmix_alpha
    require(
        not mixes or shard.num_ranks == 1 or recipe.batch_size // shard.num_ranks % 2 == 0,
        f"mixing pairs images, so each process needs an even share of batch_size {recipe.batch_size}",
        fix=f"--set batch_size={2 * shard.num_ranks * max(1, recipe.batch_size // (2 * shard.num_ranks))}",
    )


def check_classes(recipe: Recipe, loaded: LoadedData) -> None:
    """Refuse a network, or class weights, for another number of classes than the data have."""
    num_classes = len(loaded.class_names)
    require(
        recipe.model.num_classes == num_classes,
        f"the network has {recipe.model.num_classes} classes, the data have {num_classes}",
        fix="leave model.num_classes out: it follows the data",
    )
    # An error now leaves no run folder behind.
    make_class_weights(recipe, loaded.splits["train"].labels, loaded.class_names)


def check_doubts(recipe: Recipe, loaded: LoadedData) -> None:
    """Refuse images that are in two splits or under two classes, where the recipe asks for that."""
    audit = loaded.audit
    if recipe.data.on_doubt == "tell" or audit is None or audit.is_trustworthy:
        return
    leaks = f"{audit.num_leaks:,} {'image is' if audit.num_leaks == 1 else 'images are'} in an earlier split too"
    pictures = "picture is" if audit.num_conflicts == 1 else "pictures are"
    conflicts = f"{audit.num_conflicts:,} {pictures} under two classes"
    parts = [leaks] * bool(audit.num_leaks) + [conflicts] * bool(audit.num_conflicts)
    raise ResnetkitError(
        Code.DATA,
        ", and ".join(parts),
        why="scores or labels of these images cannot be trusted (data.on_doubt=stop)",
        fix=audit_advice(recipe.data.source),
    )


def check_same_data(folder: RunFolder, record: Record, loaded: LoadedData) -> None:
    """Refuse to go on with data other than those the run began with."""
    require(
        record.data.fingerprint == loaded.fingerprint,
        f"the data have changed since {folder.path} was started",
        why=_what_changed(folder.read_seen(), loaded),
        fix="put the images, or their list, back as they were; or start a new run",
        code=Code.DATA,
    )


def _what_changed(before: SeenImages | None, loaded: LoadedData) -> str:
    """Numbers of images that are missing or new, by their pixels."""
    if before is None:
        return "their fingerprint differs"
    recorded = np.concatenate([unpack_digests(before.packed(name)) for name in SPLITS])
    digests = np.concatenate([split.digests for split in loaded.splits.values()])
    num_missing, num_new = len(np.setdiff1d(recorded, digests)), len(np.setdiff1d(digests, recorded))
    if not num_missing and not num_new:
        return "the images are the same, but files or classes have other names, or files are there more or less often"
    return f"images that are missing or changed: {num_missing:,}; new or changed ones: {num_new:,}"
