"""A dry run: all that training would do, and what it would take, measured on some steps; no run is written."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from resnetkit.data.given import GivenData
from resnetkit.data.spec import DataSpec
from resnetkit.data.types import LoadedData
from resnetkit.files import next_numbered_folder
from resnetkit.images.types import ArrayImages
from resnetkit.machine.peaks import watch_memory
from resnetkit.machine.runtime import Runtime
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.recipe import Chosen
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import name_of_run
from resnetkit.runs.notebook_progress import usual_listener
from resnetkit.tracking.trackers import open_trackers
from resnetkit.training.automatic_weights import AUTO, WeightsChoice
from resnetkit.training.computing import start_computing
from resnetkit.training.distributed import process_group, require_single_process
from resnetkit.training.pace import forecasts_by, measure_pace, numbers_frozen
from resnetkit.training.planning import command_line, plan_within
from resnetkit.training.preparing import RunStart, prepare
from resnetkit.training.step_memory import StepMemory, estimate_step_memory
from resnetkit.training.steps import Steps
from resnetkit.training.time_budget import Forecast, TimeBudget

# A part of a run is measured on so many batches at most, and begins no other after so many seconds.
MOST_BATCHES, MOST_SECONDS = 20, 10.0


@dataclass(frozen=True)
class DryRun:
    """A run that was not done.

    Attributes:
        chosen: the recipe, with reasons and warnings, those of the images among them.
        steps_per_epoch: updates in an epoch.
        num_images: by split.
        image_bytes: what the decoded images take in memory; 0 where they are read in every epoch.
        num_parameters: of the network.
        step_memory: estimated, of an update.
        measured_bytes: what updates added to the memory that was in use before them; on a CPU, to the process's.
        peak_bytes: all that was in use at once, with that.
        num_measured: updates that were measured, the first among them.
        forecast: seconds from the first update on.
        seconds_so_far: that it took to read the data and prepare, which a run takes too.
        computing: where it would compute.
        folder: the run folder, if no other run is started before.
        command: that does it.
    """

    chosen: Chosen
    steps_per_epoch: int
    num_images: dict[str, int]
    image_bytes: int
    num_parameters: int
    step_memory: StepMemory
    measured_bytes: int
    peak_bytes: int
    num_measured: int
    forecast: Forecast
    seconds_so_far: float
    computing: Runtime
    folder: Path
    command: str

    @property
    def num_steps(self) -> int:
        """Updates of the whole run, unless it stops early."""
        return self.chosen.recipe.epochs * self.steps_per_epoch


def rehearse(
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
) -> DryRun:
    """Choose, load and check all that :func:`~resnetkit.training.run.train` would, and measure some of its steps.

    No folder is made and no file is written, but what any reading of images keeps in the cache (``data.cache``). The
    arguments are those of :func:`~resnetkit.training.run.train`.

    Raises:
        ResnetkitError: as training would before its first step.
    """
    started = time.monotonic()
    require_single_process(
        "a dry run is one of a single process, and says nothing of how several would fare",
        fix="leave out torchrun, or the dry run",
    )
    listener = listener or usual_listener()
    open_trackers(track)  # for those that are unknown or not installed
    source, chosen, budget = plan_within(minutes, data, weights, model=model, recipe=recipe, settings=settings)
    computing = start_computing(chosen.recipe, source.split_sizes["train"])
    with process_group(computing.device) as shard:
        prepared = prepare(source, chosen, RunStart(Path(out), None, None, budget), computing, shard, listener)
        chosen, loaded, network = prepared.chosen, prepared.loaded, prepared.state.network
        for text in loaded.warnings:
            listener.warning(text)
        so_far = time.monotonic() - started
        with watch_memory(computing.device) as before:
            pass
        with watch_memory(computing.device) as peak:
            trial = Steps(chosen.recipe, prepared.state, loaded, computing, shard)
            pace = measure_pace(trial, numbers_frozen(chosen.recipe), MOST_SECONDS, MOST_BATCHES)
        took = forecasts_by(pace, trial)(chosen.recipe)
    return DryRun(
        chosen=replace(chosen, warnings=(*chosen.warnings, *loaded.warnings)),
        steps_per_epoch=trial.steps_per_epoch,
        num_images={name: len(split) for name, split in loaded.splits.items()},
        image_bytes=_bytes_in_memory(loaded),
        num_parameters=sum(parameter.numel() for parameter in network.parameters()),
        step_memory=estimate_step_memory(chosen.recipe, network, bf16=computing.bf16),
        measured_bytes=max(0, peak.num_bytes - before.num_bytes),
        peak_bytes=peak.num_bytes,
        num_measured=prepared.state.progress.step,
        forecast=took,
        seconds_so_far=so_far,
        computing=computing,
        folder=next_numbered_folder(Path(out), name_of_run(chosen.recipe)),
        command="" if isinstance(data, GivenData) else command_line(source.spec, model, recipe, chosen.settings),
    )


def _bytes_in_memory(loaded: LoadedData) -> int:
    images = (split.images for split in loaded.splits.values())
    return sum(each.pixels.nbytes for each in images if isinstance(each, ArrayImages))
