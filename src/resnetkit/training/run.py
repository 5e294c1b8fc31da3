"""A whole run, from data to a finished run folder: the verbs ``train`` and ``resume``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from resnetkit.config import to_dict
from resnetkit.data.batches import Shard
from resnetkit.data.datasets import DATASETS
from resnetkit.data.given import GIVEN, GivenData
from resnetkit.data.loading import DataSource, open_data
from resnetkit.data.seen import SeenImages, unpack_digests
from resnetkit.data.spec import DataSpec
from resnetkit.data.splitting import SPLITS
from resnetkit.data.types import LoadedData
from resnetkit.errors import Code, require
from resnetkit.files import write_durably
from resnetkit.machine.runtime import Runtime
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec
from resnetkit.pages.formatting import duration
from resnetkit.recipes.recipe import Chosen, Recipe
from resnetkit.recipes.warnings import settings_without_validation, warnings_about_classes
from resnetkit.runs.events import Listener, Listeners, Logger, telling_of_a_stop
from resnetkit.runs.first_look import FirstLook
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.notebook_progress import usual_listener
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result, finished_result
from resnetkit.tracking.trackers import open_trackers, trackers_of
from resnetkit.training.automatic_weights import AUTO, WeightsChoice
from resnetkit.training.best_classifier import ClassifierOrigin, best_classifier
from resnetkit.training.checkpoint import Checkpoint, remove_leftovers
from resnetkit.training.computing import start_computing
from resnetkit.training.distributed import check_same_on_all_ranks, from_first_rank, process_group
from resnetkit.training.final_scores import finish
from resnetkit.training.first_look import take_first_look
from resnetkit.training.loop import Loop
from resnetkit.training.met_images import MetImages
from resnetkit.training.new_run import create_folder, make_record
from resnetkit.training.pace import keep_within
from resnetkit.training.planning import command_line, plan
from resnetkit.training.preconditions import check_batches, check_classes, check_same_data
from resnetkit.training.resuming import find_checkpoint, resume_conditions, tell_resumed
from resnetkit.training.starting_weights import (
    check_same_weights,
    seen_before,
    told_of_seen,
    whole_path,
)
from resnetkit.training.state import TrainingState, new_network, new_state
from resnetkit.training.steps import Steps
from resnetkit.training.time_budget import TimeBudget, ladder
from resnetkit.weights import load_weights, read_weights, to_native

LONG_CHECK_SECONDS = 120.0


def train(
    data: str | DataSpec | GivenData,
    *,
    model: str | ResNetSpec | None = None,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    weights: str | Path | WeightsChoice = AUTO,
    minutes: float | TimeBudget | None = None,
    out: str | Path = "runs",
    listener: Listener | None = None,
    track: Sequence[str] = (),
) -> Result:
    """Train a classifier; network and recipe are chosen for the data where they are left open.

    Args:
        data: name of a data set, or path of an image folder; or images at hand, of which a run can be finished only by
            the program that has them.
        settings: fields of the :class:`Recipe` to replace, e.g. ``{"epochs": 5, "optimizer.learning_rate": 0.05}``.
        weights: to start from: ``auto``, for photographs the best on this machine, else fresh ones; ``none``; a file, a
            run's folder, ``hf://OWNER/NAME`` or the name of published weights; or a choice that may download them.
        minutes: for all of it, from the data to the report: the choice of weights goes by it, and so do epochs, or the
            ways in which each image is shown, once some seconds of the run have been measured; None: as the recipe has
            it.
        out: folder in which a new run folder is made.
        listener: hears what happens; None: in a notebook, what shows it there.
        track: trackers that keep the run too, by name: see :data:`~resnetkit.tracking.trackers.TRACKERS`.

    Raises:
        ResnetkitError: for unusable data, names or settings, and when training diverges.
        Interrupted: on SIGINT or SIGTERM, after writing a checkpoint.
    """
    listener = Listeners(listener or usual_listener(), *open_trackers(track))
    choice = weights if isinstance(weights, WeightsChoice) else WeightsChoice(str(weights))
    budget = TimeBudget(minutes) if isinstance(minutes, int | float) else minutes
    if budget is not None and choice.minutes is None:
        choice = replace(choice, minutes=budget.minutes)
    source, chosen = plan(data, model=model, recipe=recipe, settings=settings, weights=choice)
    if budget is not None:
        ladder(chosen.recipe, source.split_sizes["train"], chosen.settings)  # an error now costs no time
    repeat = None if isinstance(data, GivenData) else partial(command_line, source.spec, model, recipe)
    return _run(source, chosen, RunStart(Path(out), None, repeat, budget), listener)


def resume(
    run: str | Path,
    *,
    data: str | Path | None = None,
    weights: str | Path | None = None,
    listener: Listener | None = None,
    track: Sequence[str] | None = None,
) -> Result:
    """Go on with a run that was interrupted; it ends in the same bytes as if it had not been.

    Args:
        data: where the run's image folder is now, if it has another path than when the run was started.
        weights: the same for the weights it starts from, which it needs until its first checkpoint.
        track: as in :func:`train`; left out: what has kept the run so far.

    Raises:
        ResnetkitError: where this is no run folder, its data have changed, or another process is training in it.
        Interrupted: on SIGINT or SIGTERM, after writing a checkpoint.
    """
    folder = RunFolder(Path(run))
    record = folder.read_record()
    listener = Listeners(listener or usual_listener(), *open_trackers(trackers_of(folder) if track is None else track))
    recipe, done = record.recipe, finished_result(folder)
    if done is not None:
        listener.run_started(folder, record, folder.last_step)
        listener.message(f"{folder.path} is finished; nothing to resume")
        listener.run_ended(done)
        return done
    # The recipe stays what it was: where its files are now is no part of the run.
    place = folder.place_of_data(recipe) if data is None else str(Path(data).expanduser().absolute())
    require(
        recipe.data.source != GIVEN,
        f"the images of {folder.path} were given by a program, and are not kept",
        fix="have it train them again",
        code=Code.DATA,
    )
    require(
        weights is None or recipe.fine_tuning.weights is not None,
        f"{folder.path} does not start from weights",
        fix="leave --weights out; or start a new run from them: resnetkit train DATA --weights FILE",
    )
    require(
        place in DATASETS or Path(place).is_dir(),
        f"the images of {folder.path} are not in {place}",
        fix=f"say where they are now: resnetkit train --resume {folder.path} --data NEW/PATH",
        code=Code.DATA,
    )
    source = open_data(replace(recipe.data, source=place))
    start = RunStart(folder.path.parent, folder, moved_weights=None if weights is None else whole_path(str(weights)))
    return _run(source, Chosen(recipe, (), ()), start, listener)


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


def _run(source: DataSource, chosen: Chosen, start: RunStart, listener: Listener) -> Result:
    """Everything from the data to the finished folder; with several processes, the first one speaks and writes."""
    recipe = chosen.recipe
    computing = start_computing(recipe, source.split_sizes["train"])
    # A run to go on with is ours before anything of it is read; a new one, once it has a folder.
    with process_group(computing.device) as shard, _lock(start.folder, shard):
        if shard.rank > 0:
            listener = Listener()
        for text in (*source.told(), *chosen.reasons):
            listener.message(text)
        listener.message(f"computing on {computing}")
        for text in (*chosen.warnings, *computing.notes):
            listener.warning(text)
        state, checkpoint, restarts = _first_state(recipe, start, computing, listener)
        loaded = _load(source, recipe, checkpoint, shard, listener)
        look = _first_look(recipe, state, loaded, computing) if start.folder is None and shard.rank == 0 else None
        if look is not None:
            listener.message(str(look))
        if start.budget is not None:
            before, chosen = chosen, keep_within(start.budget, chosen, state, loaded, computing, shard)
            recipe = chosen.recipe
            for text in chosen.reasons[len(before.reasons) :]:
                listener.message(text)
            for text in chosen.warnings[len(before.warnings) :]:
                listener.warning(text)
        folder = start.folder
        if folder is None and shard.rank == 0:
            command = "" if start.repeat is None else start.repeat(chosen.settings)
            record = make_record(chosen, source, loaded, computing, command)
            folder = create_folder(start.out, chosen, record, loaded, look)
        folder = from_first_rank(folder, shard)
        assert folder is not None
        record = folder.read_record()
        check_same_data(folder, record, loaded)
        if shard.rank == 0:
            listener = Listeners(Logger(folder.log), listener)
        with _lock(folder if start.folder is None else None, shard), telling_of_a_stop(listener):
            for text in loaded.warnings:
                listener.warning(text)
            listener.message(f"run folder {folder.path}")
            listener.run_started(folder, record, 0 if checkpoint is None else checkpoint.step)
            if restarts:
                listener.warning("no checkpoint is whole: the run starts again from the beginning")
            conditions = resume_conditions(recipe, computing, shard)
            if checkpoint is not None:
                tell_resumed(checkpoint, recipe, conditions, listener)
                state.restore(checkpoint)
            del checkpoint  # the state has its own copies, and a run is long
            if shard.rank == 0:
                remove_leftovers(folder.checkpoints)
                folder.remember_place(recipe, source.spec.source)
                folder.forget_after(state.progress.step, state.progress.epoch)
            seen = _seen_images(folder, recipe, loaded)
            for text in told_of_seen(recipe, seen, loaded.splits):
                listener.warning(text)
            met = MetImages(folder, seen, loaded, shard, listener)
            origin = ClassifierOrigin(recipe, record.data.name or source.name, loaded, met)
            steps = Steps(recipe, state, loaded, computing, shard)
            result = _train(steps, folder, record, origin, conditions, listener)
            if start.budget is not None:
                listener.message(start.budget.told())
            return result


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


def _train(
    steps: Steps,
    folder: RunFolder,
    record: Record,
    origin: ClassifierOrigin,
    conditions: dict[str, Any],
    listener: Listener,
) -> Result:
    """All that is left of a run, and its end."""
    state = steps.state

    def write_best() -> None:
        write_durably(folder.best_file, best_classifier(state, origin, is_finished=False).to_bytes())

    Loop(steps, folder, listener, conditions, origin.met, write_best).run_all()
    result = None
    if steps.shard.rank == 0:
        result = finish(folder, record, best_classifier(state, origin), origin.met, state.progress, listener)
        listener.run_ended(result)
    return from_first_rank(result, steps.shard)  # type: ignore[no-any-return]


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


def _seen_images(folder: RunFolder, recipe: Recipe, loaded: LoadedData) -> SeenImages:
    """The images that a run's weights meet; one begun by a version that wrote none down knows its own."""
    if recorded := folder.read_seen():
        return recorded
    before = SeenImages(is_complete=recipe.fine_tuning.weights is None)
    return before.then(loaded.splits, val_chose=recipe.validation_chooses)


def _lock(folder: RunFolder | None, shard: Shard) -> AbstractContextManager[None]:
    """Hold a folder's lock in the first process; nothing for no folder."""
    return folder.locked() if folder is not None and shard.rank == 0 else nullcontext()
