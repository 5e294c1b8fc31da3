"""Events of a run while it runs; the command line prints them, trackers keep them, Python callers do what they like."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from resnetkit.errors import ResnetkitError, first_line, summarize
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result
from resnetkit.terminal import warn


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

    @property
    def num_updates(self) -> int:
        """Updates since the run began."""
        return (self.epoch - 1) * self.num_steps + self.step


class Listener:
    """Hears of everything and does nothing; override what you want to know.

    Of several processes that train together, the first one tells. What a listener raises does not end the run, see
    :class:`Listeners`; to have it stop after writing a checkpoint, as Ctrl-C does: ``signal.raise_signal(SIGTERM)``.

    Attributes:
        must_hear: whether the run ends where this listener fails.
    """

    must_hear = False

    @property
    def name(self) -> str:
        """The name that it is told of by, where it fails."""
        return type(self).__name__

    def message(self, text: str) -> None:
        """Something worth knowing."""

    def warning(self, text: str) -> None:
        """Something the user should look at."""

    def run_started(self, folder: RunFolder, record: Record, step: int) -> None:
        """The run has its folder, and goes on from there.

        Args:
            record: the recipe, and all else that is known.
            step: updates that are done already; 0 in a new run. Later ones that were told of are told of again.
        """

    def step_ended(self, report: StepReport) -> None:
        """An update was made; on a GPU, some."""

    def epoch_ended(self, row: dict[str, Any]) -> None:
        """An epoch was trained, and validated if that was due; ``row`` is its line in metrics.jsonl."""

    def run_ended(self, result: Result) -> None:
        """The run has finished, with these scores; ``result.folder`` has the classifier, the answers and the report.

        A run that had finished before, and is resumed, tells of its start and of this.
        """

    def run_stopped(self, error: BaseException) -> None:
        """The run ends before its time: it was interrupted, has diverged, or failed; it may be resumed."""


# What a listener can hear.
EVENTS = tuple(name for name, value in vars(Listener).items() if callable(value) and not name.startswith("_"))


class Listeners(Listener):
    """Several listeners, each of which hears of everything, in order.

    One that raises an exception hears no more, and the others are warned of it, or stderr where there are none: a
    tracker that cannot reach its server must not end a run of hours. ``KeyboardInterrupt`` and its like pass, and so
    does what a listener raises that :attr:`~Listener.must_hear`: the run is then as if it had been killed, and can be
    resumed.
    """

    def __init__(self, *listeners: Listener) -> None:
        self.parts: list[Listener] = []
        for listener in listeners:  # those of another tee are heard side by side, so that each fails alone
            self.parts += listener.parts if isinstance(listener, Listeners) else [listener]
        for event in EVENTS:
            setattr(self, event, partial(self._tell, event))

    def _tell(self, event: str, *values: Any) -> None:
        for listener in tuple(self.parts):
            if listener not in self.parts:  # any more: it failed at the news of another's failure
                continue
            try:
                getattr(listener, event)(*values)
            except Exception as error:
                if listener.must_hear:
                    raise
                self.parts.remove(listener)
                told = f"{_blame(listener, error)} in {event}: it hears no more of this run, which goes on"
                (self.warning if self.parts else warn)(told)


def _blame(listener: Listener, error: Exception) -> str:
    # Frames of this room are where it was told, the last may be deep in a library.
    own = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).parent != Path(__file__).parent]
    place = f" ({Path(own[0].filename).name}, line {own[0].lineno})" if own else ""
    return f"{listener.name} failed with {summarize(error)}{place}"


@contextmanager
def telling_of_a_stop(listener: Listener) -> Iterator[None]:
    """Tell a listener where the block ends in an exception."""
    try:
        yield
    except BaseException as error:
        with suppress(ResnetkitError):  # of the log, whose disk may be why
            listener.run_stopped(error)
        raise


class Logger(Listener):
    """Writes what lasts to a run's log."""

    must_hear = True

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

    def run_stopped(self, error: BaseException) -> None:
        """Log."""
        self.log(f"the run ends before its time: {first_line(error)}")
