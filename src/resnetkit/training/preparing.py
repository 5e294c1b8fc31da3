"""The beginning of a run, before anything of it is written: its images, its state, how far a time lets it go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from resnetkit.config import to_dict
from resnetkit.data.batches import Shard
from resnetkit.data.seen import unpack_digests
from resnetkit.data.source import DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.data.splitting import SPLITS
from resnetkit.data.types import LoadedData
from resnetkit.machine.runtime import Runtime
from resnetkit.models.resnet import ResNet
from resnetkit.pages.formatting import duration
from resnetkit.recipes.recipe import Chosen, Recipe
from resnetkit.recipes.warnings import settings_without_validation, warnings_about_classes
from resnetkit.runs.events import Listener
from resnetkit.runs.first_look import FirstLook
from resnetkit.runs.folder import RunFolder
from resnetkit.training.checkpoint import Checkpoint
from resnetkit.training.distributed import check_same_on_all_ranks
from resnetkit.training.first_look import take_first_look
from resnetkit.training.pace import keep_within
from resnetkit.training.preconditions import check_batches, check_classes, check_doubts
from resnetkit.training.resuming import find_checkpoint
from resnetkit.training.starting_weights import check_same_weights, seen_before
from resnetkit.training.state import TrainingState, new_network, new_state
from resnetkit.training.time_budget import TimeBudget
from resnetkit.weights import load_weights, read_weights, to_native

LONG_CHECK_SECONDS = 120.0


@dataclass(frozen=True)
class RunStart:
    """The place where a run lives: a new folder in ``out``, or the folder to go on in.

    Attributes:
        repeat: the command that repeats it, with these settings; None where a program gave the images.
        budget: time that a new run may take.
        moved_weights: where the weights that the recipe names are now.
    """

    out: Path
    folder: RunFolder | None
    repeat: Callable[[Mapping[str, Any]], str] | None = None
    budget: TimeBudget | None = None
    moved_weights: str | None = None


@dataclass(frozen=True)
class Prepared:
    """All that a run begins with.

    Attributes:
        chosen: the recipe, as a time to train in has left it.
        checkpoint: of a run that goes on, yet to be restored.
        restarts: whether it had checkpoints, of which none is whole.
        look: the first look of a new run, where it is worth one.
    """

    chosen: Chosen
    computing: Runtime
    state: TrainingState
    checkpoint: Checkpoint | None
    restarts: bool
    loaded: LoadedData
    look: FirstLook | None


def prepare(
    source: DataSource, chosen: Chosen, start: RunStart, computing: Runtime, shard: Shard, listener: Listener
) -> Prepared:
    """Load the images, make the state and choose what is left to choose, telling of all of it.

    Nothing is written but what any reading of images keeps in the cache.

    Raises:
        ResnetkitError: where the weights, the images and the recipe do not go together.
    """
    recipe, is_new = chosen.recipe, start.folder is None
    for text in (*source.told(), *chosen.reasons):
        listener.message(text)
    listener.message(f"computing on {computing}")
    for text in (*chosen.warnings, *computing.notes):
        listener.warning(text)
    state, checkpoint, restarts = _first_state(recipe, start, computing, listener)
    loaded = _load(source, recipe, checkpoint, shard, listener)
    look = _first_look(recipe, state, loaded, computing) if is_new and shard.rank == 0 else None
    if look is not None:
        listener.message(str(look))
    if start.budget is not None:
        before, chosen = chosen, keep_within(start.budget, chosen, state, loaded, computing, shard)
        for text in chosen.reasons[len(before.reasons) :]:
            listener.message(text)
        for text in chosen.warnings[len(before.warnings) :]:
            listener.warning(text)
    return Prepared(chosen, computing, state, checkpoint, restarts, loaded, look)


def _first_state(
    recipe: Recipe, start: RunStart, computing: Runtime, listener: Listener
) -> tuple[TrainingState, Checkpoint | None, bool]:
    """State that a run starts from, the checkpoint yet to be restored, and whether all there were are damaged."""
    state, checkpoint, any_damaged = new_state(recipe, new_network(recipe), computing.device), None, False
    if start.folder is not None:
        checkpoint, any_damaged = find_checkpoint(start.folder, recipe, state, listener)
    if checkpoint is None and (network := _fine_tuned_network(recipe, start)) is not None:
        # Before the images, so that weights which do not fit are refused at once.
        state = new_state(recipe, network, computing.device)
    return state, checkpoint, any_damaged and checkpoint is None


def _load(
    source: DataSource, recipe: Recipe, checkpoint: Checkpoint | None, shard: Shard, listener: Listener
) -> LoadedData:
    """The images, checked; their warnings are also what is to be said of the recipe, now that they are known."""
    lazily, is_first = recipe.data.check == "lazy", shard.rank == 0
    if not lazily and is_first:
        _tell_of_a_long_check(source, recipe, listener)
    loaded = source.load(SPLITS, recipe.preprocessing, whole=_kept_whole(recipe), lazily=lazily, progress=is_first)
    position = (checkpoint.step, checkpoint.epoch) if checkpoint else None
    own = {"their recipe": _without_places(recipe), "their images": loaded.fingerprint}
    check_same_on_all_ranks({**own, "the checkpoint they go on from": position}, shard)
    check_batches(recipe, len(loaded.splits["train"]), shard)
    check_classes(recipe, loaded)
    check_doubts(recipe, loaded)
    counts = np.bincount(loaded.splits["train"].labels, minlength=len(loaded.class_names)).tolist()
    told = (
        *warnings_about_classes(recipe, loaded.class_names, counts),
        *settings_without_validation(recipe, has_validation="val" in loaded.splits),
    )
    return replace(loaded, warnings=(*loaded.warnings, *told))


def _first_look(recipe: Recipe, state: TrainingState, loaded: LoadedData, computing: Runtime) -> FirstLook | None:
    """A look at what the weights know, where it is worth one; it is part of the time that a run is given."""
    seen = seen_before(recipe).then(loaded.splits, val_chose=recipe.validation_chooses)
    return take_first_look(recipe, state.network, loaded, unpack_digests(seen.earlier_train), computing)


def _kept_whole(recipe: Recipe) -> tuple[str, ...]:
    """Training images that are not cropped at random are prepared as all others are, so that both are as sharp."""
    return () if recipe.augmentation.crop_area is None else ("train",)


def _tell_of_a_long_check(source: DataSource, recipe: Recipe, listener: Listener) -> None:
    """Say how long it takes to decode all images first, where that is long, and what to do about it."""
    seconds = source.time_to_check(recipe.preprocessing, _kept_whole(recipe))
    if seconds is not None and seconds >= LONG_CHECK_SECONDS:
        count = sum(source.split_sizes.values())
        listener.message(
            f"checking {count:,} images first takes about {duration(seconds)}; --check lazy starts at once, and checks "
            "each when it is first needed"
        )


def first_network(recipe: Recipe, start: RunStart) -> ResNet:
    """The network that a run without checkpoint starts with."""
    return _fine_tuned_network(recipe, start) or new_network(recipe)


def _fine_tuned_network(recipe: Recipe, start: RunStart) -> ResNet | None:
    """The network that a run without checkpoint starts with from others' weights; None for fresh ones.

    Raises:
        ResnetkitError: where the weights do not fit, or are no longer those that the run began with.
    """
    weights, tuning = start.moved_weights or recipe.fine_tuning.weights, recipe.fine_tuning
    if start.folder is not None:
        check_same_weights(weights, start.folder.read_record().weights)
    if weights is None:
        return None
    network = new_network(recipe)
    load_weights(
        network,
        to_native(read_weights(weights, entry=tuning.entry)).tensors,
        source=weights,
        reset_head=tuning.reset_head,
        adapt_channels=tuning.adapt_channels,
    )
    return network


def _without_places(recipe: Recipe) -> dict[str, Any]:
    """A recipe's values but for where data and devices are, in which machines may differ."""
    return to_dict(replace(recipe, data=DataSpec(""), runtime=replace(recipe.runtime, device="auto")))  # type: ignore[no-any-return]
