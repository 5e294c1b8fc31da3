"""A tracker: what keeps the numbers of a run where people look at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result


class Tracker(Protocol):
    """A place for numbers by name; steps are updates, from 1.

    Whatever a method raises ends the tracking, not the run.
    """

    def begin(self, folder: RunFolder, record: Record) -> None:
        """Begin, or go on, to keep the run of a folder."""

    def rewind(self, step: int) -> None:
        """Make ready for what comes next: numbers of this step and later ones.

        What is kept of them already, from a part of the run that is done again, is dropped; a tracker that cannot drop
        it passes over the new ones instead.
        """

    def log(self, values: Mapping[str, float], step: int, epoch: int) -> None:
        """Keep numbers; each step comes once, in order."""

    def finish(self, result: Result, step: int) -> None:
        """Keep how the run ended, after ``step`` updates, and close; once where that is told of twice."""

    def stop(self) -> None:
        """Close: the run ends before its time, and may go on later."""
