"""Show a training run: one live line on a terminal, plain lines elsewhere; all on stderr."""

from __future__ import annotations

import time
from typing import Any

from resnetkit.pages.formatting import plain_percent
from resnetkit.runs.events import Listener, StepReport
from resnetkit.terminal import is_live, tell, tell_live, warn

LIVE_SECONDS = 0.2
PLAIN_SECONDS = 30.0
TOLD_GAP = 0.05  # between the accuracy of images and that of classes


class ConsoleListener(Listener):
    """Tells messages, one permanent line per epoch, and in between the state of the epoch."""

    def __init__(self) -> None:
        self.last_shown = time.monotonic()
        self.num_epochs = 0

    def message(self, text: str) -> None:
        """A plain line."""
        tell(text)

    def warning(self, text: str) -> None:
        """A line that stands out."""
        warn(text)

    def step_ended(self, report: StepReport) -> None:
        """The live line, or now and then a plain one."""
        self.num_epochs = report.num_epochs
        now = time.monotonic()
        if now - self.last_shown < (LIVE_SECONDS if is_live() else PLAIN_SECONDS):
            return
        self.last_shown = now
        text = (
            f"epoch {report.epoch}/{report.num_epochs}  step {report.step}/{report.num_steps}  "
            f"ETA {_duration(report.eta_seconds)}  loss {report.loss:.4f}  top-1 {plain_percent(report.top1, 1)}  "
            f"lr {report.learning_rate:.4g}  {report.images_per_second:,.0f} images/s"
        )
        (tell_live if is_live() else tell)(text)

    def epoch_ended(self, row: dict[str, Any]) -> None:
        """The permanent line."""
        text = f"epoch {row['epoch']}/{self.num_epochs}" if self.num_epochs else f"epoch {row['epoch']}"
        text += f"  train loss {row['train_loss']:.4f}, top-1 {plain_percent(row['train_top1'], 2)}"
        if "val_top1" in row:
            text += f"  val loss {row['val_loss']:.4f}, top-1 {plain_percent(row['val_top1'], 2)}"
            if abs(row["val_balanced_top1"] - row["val_top1"]) > TOLD_GAP:
                text += f", balanced {plain_percent(row['val_balanced_top1'], 2)}"
        if row["images_per_second"]:
            text += f"  {row['images_per_second']:,.0f} images/s"
        tell(f"{text}  {_duration(row['elapsed_seconds'])}")
        self.last_shown = time.monotonic()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
