"""Several runs of one training, which differ by their seeds, or by the fold of the data that each is scored on.

Each is a run like any other, in a folder of their own parent, whose ``repeats.json`` is written before the first of
them begins: it has all that is needed to go on where a process ended.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from resnetkit.config import override
from resnetkit.data.loading import open_data
from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import create_numbered_folder, locked, next_numbered_folder
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.recipe import Chosen
from resnetkit.runs.events import Listener, Listeners
from resnetkit.runs.finding import REPEATS_NAME
from resnetkit.runs.folder import name_of_run
from resnetkit.runs.notebook_progress import usual_listener
from resnetkit.runs.repeated_result import RepeatedResult, read_repeated_result, write_page
from resnetkit.runs.repeats import Repeats, read_repeats, write_repeats
from resnetkit.runs.result import Result, finished_result
from resnetkit.tracking.trackers import open_trackers, trackers_of
from resnetkit.training.automatic_weights import AUTO, WeightsChoice
from resnetkit.training.computing import start_computing
from resnetkit.training.distributed import process_group, require_single_process
from resnetkit.training.interruption import Interrupted
from resnetkit.training.planning import command_line, plan_within
from resnetkit.training.preparing import RunStart, prepare
from resnetkit.training.run import resume, run_chosen
from resnetkit.training.starting_weights import whole_path
from resnetkit.training.time_budget import TimeBudget

By = Literal["seeds", "folds"]
OF_ONE_RUN = ("seed", "data.num_folds", "data.fold")


def train_repeats(
    data: str | DataSpec,
    num_runs: int,
    *,
    by: By = "seeds",
    model: str | ResNetSpec | None = None,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    weights: str | Path | WeightsChoice = AUTO,
    minutes: float | TimeBudget | None = None,
    out: str | Path = "runs",
    listener: Listener | None = None,
    track: Sequence[str] = (),
) -> RepeatedResult:
    """Train the same several times: what chance does to a score is then known.

    Args:
        num_runs: at least 2.
        by: ``seeds``: from the recipe's seed on, each one higher; ``folds``: of the images, each is tested on once.
        minutes: for all of the runs together, each of which gets the same share: the first seconds decide how far all
            of them go.
        out: folder in which their common folder is made.

    The other arguments are those of :func:`~resnetkit.training.run.train`.

    Raises:
        ResnetkitError: as from a run; those that have ended are kept, and :func:`resume_repeats` goes on.
        Interrupted: likewise.
    """
    require(num_runs >= 2, f"--{by} needs 2 or more, got {num_runs}", fix=f"--{by} 5")
    _refuse_several_processes()
    listener, settings = listener or usual_listener(), dict(settings or {})
    open_trackers(track)  # an error now costs no time
    budget = TimeBudget(minutes) if isinstance(minutes, int | float) else minutes
    share = None if budget is None else replace(budget, minutes=budget.minutes / num_runs)
    if by == "folds":
        set_twice = [path for path in OF_ONE_RUN if path.startswith("data.") and path in settings]
        require(not set_twice, f"--folds sets {' and '.join(set_twice)}", fix="leave one of them out")
        settings |= {"data.num_folds": num_runs, "data.fold": 0}
    source, chosen, share = plan_within(share, data, weights, model=model, recipe=recipe, settings=settings)
    if share is not None:
        computing = start_computing(chosen.recipe, source.split_sizes["train"])
        with process_group(computing.device) as shard:
            chosen = prepare(source, chosen, RunStart(Path(out), None, None, share), computing, shard, listener).chosen
    name = name_of_run(chosen.recipe)
    parent = create_numbered_folder(Path(out), f"{name}-{num_runs}-{by}")
    own = {path: value for path, value in chosen.settings.items() if path not in OF_ONE_RUN}
    repeats = Repeats(
        by=by,
        runs=tuple(f"{number + 1:04d}-{name}" for number in range(num_runs)),
        recipe=chosen.recipe,
        reasons=chosen.reasons,
        warnings=chosen.warnings,
        command=command_line(replace(source.spec, num_folds=0, fold=0), model, recipe, own),
    )
    with _locked(parent):
        write_repeats(parent, repeats)
        listener.message(f"folder of {num_runs} runs {parent}")
        return _do_all(parent, repeats, Continuation(track=track), listener)


def resume_repeats(
    parent: str | Path,
    *,
    data: str | Path | None = None,
    weights: str | Path | None = None,
    listener: Listener | None = None,
    track: Sequence[str] | None = None,
) -> RepeatedResult:
    """Go on where repeats were interrupted: with the run that has not ended, and those that have not begun.

    The arguments are those of :func:`~resnetkit.training.run.resume`.

    Raises:
        ResnetkitError: where this is no folder of repeats, or another process is training in it.
        Interrupted: on SIGINT or SIGTERM, after writing a checkpoint.
    """
    parent, listener = Path(parent), listener or usual_listener()
    _refuse_several_processes()
    repeats = read_repeats(parent)
    with _locked(parent):
        return _do_all(parent, repeats, Continuation(data, weights, track), listener)


@dataclass(frozen=True)
class Continuation:
    """Options of those who go on: where data and weights are now, and which trackers follow."""

    data: str | Path | None = None
    weights: str | Path | None = None
    track: Sequence[str] | None = None


def _do_all(parent: Path, repeats: Repeats, options: Continuation, listener: Listener) -> RepeatedResult:
    """Do what is left of the runs, in their order, and sum all of them up."""
    for number in range(len(repeats.runs)):
        folder = repeats.folders(parent)[number]
        listener.message(f"run {number + 1} of {len(repeats.runs)}: {repeats.label(number)}")
        try:
            if folder.recipe_file.is_file():
                if finished_result(folder) is None:
                    data, weights, track = options.data, options.weights, options.track
                    resume(folder.path, data=data, weights=weights, listener=listener, track=track)
            else:
                repeats = _with_next_name(parent, repeats, number)
                _begin(parent, repeats, number, options, listener)
        except Interrupted:
            listener.message(f"the runs go on with: {shlex.join(['resnetkit', 'train', '--resume', str(parent)])}")
            raise
    result = read_repeated_result(parent)
    write_page(result)
    return result


def _begin(parent: Path, repeats: Repeats, number: int, options: Continuation, listener: Listener) -> Result:
    """Do a run that has no folder yet."""
    require(
        repeats.recipe is not None,
        f"{parent / REPEATS_NAME} does not say what to train",
        why="its runs were not begun by resnetkit train",
        code=Code.WEIGHTS,
    )
    assert repeats.recipe is not None
    recipe = override(repeats.recipe, dict(repeats.changes(number)))
    place = recipe.data.source if options.data is None else str(Path(options.data).expanduser().absolute())
    changes = [f"--set {path}={value}" for path, value in repeats.changes(number).items()]
    start = RunStart(
        parent,
        None,
        lambda _: " ".join([repeats.command, *changes]),
        moved_weights=None if options.weights is None else whole_path(str(options.weights)),
    )
    source = open_data(replace(recipe.data, source=place))
    track = trackers_of(repeats.folders(parent)[0]) if options.track is None else options.track
    listeners = Listeners(listener, *open_trackers(track))
    return run_chosen(source, Chosen(recipe, repeats.reasons, repeats.warnings), start, listeners)


def _with_next_name(parent: Path, repeats: Repeats, number: int) -> Repeats:
    """The same with the name that the next run folder gets, which is another where a kill has left a folder behind."""
    assert repeats.recipe is not None
    name = next_numbered_folder(parent, name_of_run(repeats.recipe)).name
    if name == repeats.runs[number]:
        return repeats
    first = int(name.partition("-")[0])
    rest = [f"{first + step:04d}-{name.partition('-')[2]}" for step in range(len(repeats.runs) - number)]
    repeats = replace(repeats, runs=(*repeats.runs[:number], *rest))
    write_repeats(parent, repeats)
    return repeats


def _locked(parent: Path) -> AbstractContextManager[None]:
    what = f"another process is training in {parent}"
    return locked(parent, if_taken=ResnetkitError(Code.USAGE, what, fix="wait for it, or stop it first"))


def _refuse_several_processes() -> None:
    require_single_process(
        "repeats are trained by a single process",
        fix="leave out torchrun; or start each run by itself: --seed 0, --seed 1, …",
    )
