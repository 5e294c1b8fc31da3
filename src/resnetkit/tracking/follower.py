"""From the events of a run to the numbers that a tracker keeps."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result
from resnetkit.tracking.points import epoch_points, step_points
from resnetkit.tracking.tracker import Tracker

STEP_POINTS = 1000
"""About so many updates of a run are kept, evenly spread; all of them in a run of fewer."""


class Follower(Listener):
    """Tells a tracker of a run, each step once and in order.

    The last update of an epoch is told with the end of the epoch, which has its numbers: so where a run goes on between
    the two, nothing of that step has been told, or all of it.
    """

    def __init__(self, name: str, tracker: Tracker) -> None:
        self._name, self._tracker = name, tracker
        self._done = self._step = 0  # before the run went on, and by now
        self._has_begun = self._is_ready = False

    @property
    def name(self) -> str:
        """The option that asks for it."""
        return f"--track {self._name}"

    def run_started(self, folder: RunFolder, record: Record, step: int) -> None:
        """Begin, or go on."""
        self._tracker.begin(folder, record)
        self._done = self._step = step
        self._has_begun, self._is_ready = True, False

    def step_ended(self, report: StepReport) -> None:
        """Numbers of some updates."""
        stride = ceil(report.num_epochs * report.num_steps / STEP_POINTS)
        before, step = self._step, report.num_updates
        if report.step < report.num_steps and step // stride > before // stride:
            self._log(step_points(report), step, report.epoch)
        self._step = step

    def epoch_ended(self, row: dict[str, Any]) -> None:
        """Numbers of an epoch and of its last update."""
        self._log(epoch_points(row), row["step"], row["epoch"])
        self._step = row["step"]

    def run_ended(self, result: Result) -> None:
        """Scores, confusion matrix and report."""
        self._tracker.finish(result, self._step)
        self._has_begun = False

    def run_stopped(self, error: BaseException) -> None:
        """Close."""
        if self._has_begun:  # the run may have stopped before it went on
            self._tracker.stop()
            self._has_begun = False

    def _log(self, values: Mapping[str, float], step: int, epoch: int) -> None:
        if not self._is_ready:
            # Where a run goes on between the last update of an epoch and the epoch's end, `step` is done already.
            self._tracker.rewind(min(step, self._done + 1))
            self._is_ready = True
        self._tracker.log(values, step, epoch)
