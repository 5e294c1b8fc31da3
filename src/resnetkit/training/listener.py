"""What a run tells while it runs; the command line prints it, Python callers may do what they like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StepReport:
    """The state after an update (on a GPU: after some); losses and accuracies are means over this epoch so far.

    Attributes:
        epoch, step: from 1; ``step`` counts within the epoch of ``num_steps``.
        eta_seconds: until the end of the last epoch, validation not counted.
    """

    epoch: int
    num_epochs: int
    step: int
    num_steps: int
    loss: float
    top1: float
    learning_rate: float
    images_per_second: float
    eta_seconds: float


class Listener:
    """Hears of everything and does nothing; override what you want to know."""

    def message(self, text: str) -> None:
        """Something worth knowing."""

    def warning(self, text: str) -> None:
        """Something the user should look at."""

    def step_ended(self, report: StepReport) -> None:
        """An update was made; on a GPU, some."""

    def epoch_ended(self, row: dict[str, Any]) -> None:
        """An epoch was trained, and validated if that was due; ``row`` is its line in metrics.jsonl."""


class LoggingListener(Listener):
    """Passes everything on to another listener, and writes what lasts to a run's log."""

    def __init__(self, other: Listener, log: Callable[[str], None]) -> None:
        self.other, self.log = other, log

    def message(self, text: str) -> None:
        """Log and pass on."""
        self.log(text)
        self.other.message(text)

    def warning(self, text: str) -> None:
        """Log and pass on."""
        self.log(f"warning: {text}")
        self.other.warning(text)

    def step_ended(self, report: StepReport) -> None:
        """Pass on."""
        self.other.step_ended(report)

    def epoch_ended(self, row: dict[str, Any]) -> None:
        """Log and pass on."""
        values = (f"{key} {value:.5g}" for key, value in row.items() if key != "epoch" and value is not None)
        self.log(f"epoch {row['epoch']} ended: {', '.join(values)}")
        self.other.epoch_ended(row)
