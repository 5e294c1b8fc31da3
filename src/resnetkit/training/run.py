"""A whole run, from data to a finished run folder: the verbs ``train`` and ``resume``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from resnetkit.data.batches import Shard
from resnetkit.data.datasets import DATASETS
from resnetkit.data.given import GIVEN, GivenData
from resnetkit.data.loading import open_data
from resnetkit.data.seen import SeenImages
from resnetkit.data.source import DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.data.types import LoadedData
from resnetkit.errors import Code, require
from resnetkit.files import write_durably
from resnetkit.folders.table_file import is_folder_or_list
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.recipe import Chosen, Recipe
from resnetkit.runs.events import Listener, Listeners, Logger, telling_of_a_stop
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.notebook_progress import usual_listener
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result, finished_result
from resnetkit.tracking.trackers import open_trackers, trackers_of
from resnetkit.training.automatic_weights import AUTO, WeightsChoice
from resnetkit.training.best_classifier import ClassifierOrigin, best_classifier
from resnetkit.training.checkpoint import remove_leftovers
from resnetkit.training.computing import start_computing
from resnetkit.training.distributed import from_first_rank, process_group
from resnetkit.training.final_scores import finish
from resnetkit.training.loop import Loop
from resnetkit.training.met_images import MetImages
from resnetkit.training.new_run import create_folder, make_record
from resnetkit.training.planning import command_line, plan_within
from resnetkit.training.preconditions import check_same_data
from resnetkit.training.preparing import RunStart, prepare
from resnetkit.training.resuming import resume_conditions, tell_resumed
from resnetkit.training.starting_weights import (
    told_of_seen,
    whole_path,
)
from resnetkit.training.steps import Steps
from resnetkit.training.time_budget import TimeBudget


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
    source, chosen, budget = plan_within(minutes, data, weights, model=model, recipe=recipe, settings=settings)
    repeat = None if isinstance(data, GivenData) else partial(command_line, source.spec, model, recipe)
    return run_chosen(source, chosen, RunStart(Path(out), None, repeat, budget), listener)


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
        place in DATASETS or is_folder_or_list(place),
        f"the images of {folder.path} are not in {place}",
        fix=f"say where they are now: resnetkit train --resume {folder.path} --data NEW/PATH",
        code=Code.DATA,
    )
    source = open_data(replace(recipe.data, source=place))
    start = RunStart(folder.path.parent, folder, moved_weights=None if weights is None else whole_path(str(weights)))
    return run_chosen(source, Chosen(recipe, (), ()), start, listener)


def run_chosen(source: DataSource, chosen: Chosen, start: RunStart, listener: Listener) -> Result:
    """Do a run whose recipe has been chosen, from the data to the finished folder.

    With several processes, the first one speaks and writes.

    Raises:
        ResnetkitError, Interrupted: as :func:`train`.
    """
    computing = start_computing(chosen.recipe, source.split_sizes["train"])
    # A run to go on with is ours before anything of it is read; a new one, once it has a folder.
    with process_group(computing.device) as shard, _lock(start.folder, shard):
        if shard.rank > 0:
            listener = Listener()
        prepared = prepare(source, chosen, start, computing, shard, listener)
        chosen, state, loaded, checkpoint = prepared.chosen, prepared.state, prepared.loaded, prepared.checkpoint
        recipe, restarts = chosen.recipe, prepared.restarts
        folder = start.folder
        if folder is None and shard.rank == 0:
            command = "" if start.repeat is None else start.repeat(chosen.settings)
            record = make_record(chosen, source, loaded, computing, command)
            folder = create_folder(start.out, chosen, record, loaded, prepared.look)
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
            del checkpoint, prepared  # the state has its own copies, and a run is long
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


def _seen_images(folder: RunFolder, recipe: Recipe, loaded: LoadedData) -> SeenImages:
    """The images that a run's weights meet; one begun by a version that wrote none down knows its own."""
    if recorded := folder.read_seen():
        return recorded
    before = SeenImages(is_complete=recipe.fine_tuning.weights is None)
    return before.then(loaded.splits, val_chose=recipe.validation_chooses)


def _lock(folder: RunFolder | None, shard: Shard) -> AbstractContextManager[None]:
    """Hold a folder's lock in the first process; nothing for no folder."""
    return folder.locked() if folder is not None and shard.rank == 0 else nullcontext()
