"""What a run tells while it runs; the command line prints it, Python callers may do what they like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnetkit.recipes.recipe import Recipe

if TYPE_CHECKING:
    from resnetkit.evaluation.metrics import Scores


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

    def run_started(self, run: Path, recipe: Recipe) -> None:
        """The run has its folder, and goes on from there."""

    def step_ended(self, report: StepReport) -> None:
        """An update was made; on a GPU, some."""

    def epoch_ended(self, row: dict[str, Any]) -> None:
        """An epoch was trained, and validated if that was due; ``row`` is its line in metrics.jsonl."""

    def run_ended(self, scores: Mapping[str, Scores]) -> None:
        """The run has finished; ``scores`` of its classifier by split."""


class Listeners(Listener):
    """Several listeners, each of which hears of everything, in order."""

    def __init__(self, *listeners: Listener) -> None:
        for event in EVENTS:
            setattr(self, event, _to_all([getattr(listener, event) for listener in listeners]))


# What a listener can hear.
EVENTS = tuple(name for name in vars(Listener) if not name.startswith("_"))


def _to_all(heard: Sequence[Callable[..., None]]) -> Callable[..., None]:
    def tell(*values: Any) -> None:
        for hear in heard:
            hear(*values)

    return tell


class Logger(Listener):
    """Writes what lasts to a run's log."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self.log = log

    def message(self, text: str) -> None:
        """Log."""
        self.log(text)

    def warning(self, text: str) -> None:
        """Log as a warning."""
        self.log(f"warning: {text}")

    def epoch_ended(self, row: dict[str, Any]) -> None:
        """Log."""
        values = (f"{key} {value:.5g}" for key, value in row.items() if key != "epoch" and value is not None)
        self.log(f"epoch {row['epoch']} ended: {', '.join(values)}")
