"""Compute the runs of a study that are to be done, and tell how far they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from resnetkit.errors import ResnetkitError
from resnetkit.files import make_folder
from resnetkit.pages.formatting import duration
from resnetkit.study.outcomes import Outcome, find_run, read_outcome, read_value
from resnetkit.study.places import Process, Start
from resnetkit.study.plan import ArmPlan, Job
from resnetkit.study.pool import run_side_by_side
from resnetkit.study.reading_words import TITLES, value_words
from resnetkit.study.study import Reading

OUTPUT_NAME = "output.txt"
FREE_SECONDS = 90.0  # for a run whose study was killed, to write its checkpoint and end
NUM_LINES = 3  # of what a failed run said


class StudyListener:
    """Hears of a study while it runs, and does nothing; override what you want to know."""

    def message(self, text: str) -> None:
        """Something worth knowing."""

    def warning(self, text: str) -> None:
        """Something the user should look at."""

    def waiting(self, text: str) -> None:
        """The state of the runs now; soon there is another."""


class Session:
    """The runs of a study that are to be done, and how far they are."""

    def __init__(
        self,
        jobs: Sequence[Job],
        arms: Mapping[str, ArmPlan],
        readings: Sequence[Reading],
        start: Start,
        num_places: int,
        listener: StudyListener,
    ) -> None:
        self._jobs, self._arms, self._start, self._num_places, self._listener = jobs, arms, start, num_places, listener
        self._readings = readings
        self._failed: list[str] = []
        self._done = set[Job]()
        self._began, self._share = time.monotonic(), 0.0

    def run_all(self) -> list[str]:
        """Compute what is to be done; sentences about runs that failed, after the others are done."""
        outcomes = [read_outcome(job) for job in self._jobs]
        self._done = {outcome.job for outcome in outcomes if outcome.is_done}
        self._tell_start(outcomes)
        # The longest of a seed first, so that no core waits for it alone in the end.
        to_do = sorted(
            (one for one in outcomes if not one.is_done and one.status != "damaged"),
            key=lambda one: (one.job.seed, -self._arms[one.job.arm].weight),
        )
        for outcome in to_do:
            _wait_until_free(outcome, self._listener)
        self._began, self._share = time.monotonic(), self._done_share()
        run_side_by_side(
            [outcome.job for outcome in to_do],
            self._start_job,
            self._num_places,
            on_end=self._ended,
            on_wait=_now_and_then(self._tell_state),
        )
        damaged = [f"{one.job}: {one.reason}" for one in outcomes if one.status == "damaged"]
        return [*damaged, *self._failed]

    def _start_job(self, job: Job) -> Process:
        make_folder(job.folder)
        run = find_run(job)
        command = job.command if run is None else ("resnetkit", "train", "--resume", str(run.path))
        return self._start(command, job.folder / OUTPUT_NAME)

    def _tell_start(self, outcomes: Sequence[Outcome]) -> None:
        resumed = [one for one in outcomes if one.status == "unfinished"]
        text = f"{len(outcomes)} runs, {self._num_places} side by side"
        text += f"; {len(self._done)} are done" if self._done else ""
        self._listener.message(text + (f", {len(resumed)} go on where they were" if resumed else ""))
        for outcome in outcomes:
            for path in outcome.remnants:
                self._listener.warning(f"{outcome.job}: passed over {path}, which was begun and holds no run")
            if outcome.status == "damaged":
                self._listener.warning(f"{outcome.job}: {outcome.reason}")

    def _ended(self, job: Job, exit_code: int) -> None:
        outcome = read_outcome(job)
        if not outcome.is_done:
            said = _last_lines(job.folder / OUTPUT_NAME)
            self._failed.append(f"{job}: exit code {exit_code}: {said}")
            self._listener.warning(f"{job} failed with exit code {exit_code}: {said}")
            return
        self._done.add(job)
        for reading in self._readings:
            read_value(outcome, reading)  # what is to be measured is so now, while others train, and kept
        text = f"{job}: did not converge"
        if outcome.result is not None:
            error = read_value(outcome, "test_error")
            score = "" if error is None else f"{TITLES['test_error']} {value_words('test_error', error)}, "
            text = f"{job}: {score}{duration(outcome.result.seconds)}"
        self._listener.message(f"{text}  ({len(self._done)} of {len(self._jobs)} runs{self._time_left()})")

    def _tell_state(self, running: Sequence[Job]) -> None:
        parts = []
        for job in running:
            done, epochs = self._num_epochs(job), self._arms[job.arm].epochs
            parts.append(f"{job.arm} #{job.seed} {done}/{epochs}")
        self._listener.waiting("epochs: " + ", ".join(parts) + self._time_left())

    def _num_epochs(self, job: Job) -> int:
        """Epochs that a run has had so far."""
        run = find_run(job)
        return 0 if run is None else max((row["epoch"] for row in run.events("epoch")), default=0)

    def _done_share(self) -> float:
        """The share of the work that is done, in [0, 1]."""
        done = total = 0.0
        for job in self._jobs:
            arm = self._arms[job.arm]
            total += arm.weight
            done += arm.weight * (1.0 if job in self._done else min(1.0, self._num_epochs(job) / arm.epochs))
        return done / total

    def _time_left(self) -> str:
        share, seconds = self._done_share(), time.monotonic() - self._began
        if share <= self._share or share >= 1:
            return ""
        return f", about {duration(seconds * (1 - share) / (share - self._share))} left"


def _now_and_then(tell: Callable[[Sequence[Job]], None], seconds: float = 2.0) -> Callable[[Sequence[Job]], None]:
    """The same, but called no more often than that."""
    last = time.monotonic()

    def call(running: Sequence[Job]) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            tell(running)
            last = time.monotonic()

    return call


def _wait_until_free(outcome: Outcome, listener: StudyListener) -> None:
    """Wait for the process of a run whose study was killed: it is about to write a checkpoint and end.

    Raises:
        ResnetkitError: where it goes on.
    """
    if outcome.run is None:
        return
    ends, is_told = time.monotonic() + FREE_SECONDS, False
    while True:
        try:
            with outcome.run.locked():
                return
        except ResnetkitError:
            if time.monotonic() > ends:
                raise
        if not is_told:
            listener.message(f"{outcome.job}: waiting for the process that is still training in it")
            is_told = True
        time.sleep(0.2)


def _last_lines(file: Path) -> str:
    """The end of what a run said."""
    lines = file.read_text(errors="replace").strip().splitlines() if file.is_file() else []
    return " / ".join(line.strip() for line in lines[-NUM_LINES:]) or "it said nothing"
