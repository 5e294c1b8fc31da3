"""Show a training run below the cell of a notebook that started it: one output, written over as the run goes on."""

from __future__ import annotations

import time
from typing import Any

from resnetkit.errors import first_line
from resnetkit.jupyter import LiveOutput, in_notebook
from resnetkit.pages.formatting import plain_percent
from resnetkit.pages.templates import fill_template
from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.result import Result

LIVE_SECONDS = 0.5
MAX_EPOCHS = 12  # the last ones are shown; metrics.jsonl and the report have all


def usual_listener() -> Listener:
    """The listener of a run that nobody else follows: in a notebook it shows progress, elsewhere nothing."""
    return NotebookListener() if in_notebook() else Listener()


class NotebookListener(Listener):
    """Shows what a run says, its last epochs in a table, and the state of the one that is under way."""

    def __init__(self) -> None:
        self.output = LiveOutput()
        self.last_shown = 0.0
        self.messages: list[str] = []
        self.warnings: list[str] = []
        self.epochs: list[dict[str, Any]] = []
        self.step: StepReport | None = None
        self.end = ""

    def message(self, text: str) -> None:
        """One more line among those that can be unfolded."""
        self.messages.append(text)
        self._show()

    def warning(self, text: str) -> None:
        """One more line that stands out."""
        self.warnings.append(text)
        self._show()

    def step_ended(self, report: StepReport) -> None:
        """The bar moves on, now and then."""
        self.step = report
        if time.monotonic() - self.last_shown >= LIVE_SECONDS:
            self._show()

    def epoch_ended(self, row: dict[str, Any]) -> None:
        """One more row; those that a resumed run tells of once more have but one."""
        self.epochs = [*(known for known in self.epochs if known["epoch"] < row["epoch"]), row]
        self._show()

    def run_ended(self, result: Result) -> None:
        """The bar goes."""
        self._finish("finished")

    def run_stopped(self, error: BaseException) -> None:
        """The bar goes, and the reason is told."""
        self._finish(f"ended before its time: {first_line(error)}")

    def _finish(self, end: str) -> None:
        self.step, self.end = None, end
        self._show()

    def _show(self) -> None:
        self.last_shown = time.monotonic()
        html = fill_template(
            "runs/notebook_progress.html.jinja",
            messages=self.messages,
            warnings=self.warnings,
            epochs=self.epochs[-MAX_EPOCHS:],
            num_hidden=max(0, len(self.epochs) - MAX_EPOCHS),
            best=max((row["val_top1"] for row in self.epochs if row.get("val_top1") is not None), default=None),
            step=self.step,
            end=self.end,
        )
        self.output.show(html, self._in_a_line())

    def _in_a_line(self) -> str:
        """The same for front ends that show text alone."""
        if not self.epochs:
            return (self.messages or ["training"])[-1]
        last = self.epochs[-1]
        top1 = last["train_top1"] if last.get("val_top1") is None else last["val_top1"]
        return f"epoch {last['epoch']}: top-1 {plain_percent(top1, 2)}{', ' * bool(self.end)}{self.end}"
