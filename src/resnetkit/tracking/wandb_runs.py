"""The tracker ``wandb``: a run of Weights & Biases, kept in the run folder, and sent where that is asked for alone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.report_contents import report_without_images
from resnetkit.runs.result import Result
from resnetkit.tracking.journal import Journal, read_journal, write_journal
from resnetkit.tracking.points import as_scalars, hyperparameters, mistakes, scores_of

FOLDER_NAME = "wandb"
PROJECT = "resnetkit"


class WandbRuns:
    """Logs each step once: what was told, wandb cannot forget.

    ``WANDB_MODE=online`` in the environment is how one asks for an upload while the run trains; else it is offline, and
    ``wandb sync`` sends it later. The page is never opened, and nothing is asked on the terminal.
    """

    def __init__(self) -> None:
        # Both are read when the package is imported. Silent, it does not ask for a key either, but fails.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        self._wandb = wandb

    def begin(self, folder: RunFolder, record: Record) -> None:
        """Begin a run of the folder's name, or go on with it."""
        self._folder = folder.path / FOLDER_NAME
        self._journal = read_journal(self._folder) or Journal(id=secrets.token_hex(4))
        write_journal(self._folder, self._journal)
        # What it would gather by itself: of the machine, the user, the repository, the terminal.
        gathers_nothing = {"x_disable_stats": True, "x_disable_meta": True, "disable_git": True, "save_code": False}
        self._run: Any = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            mode=os.environ.get("WANDB_MODE", "offline"),
            id=self._journal.id,
            name=folder.path.name,
            dir=str(folder.path),
            resume="allow",
            config=hyperparameters(record),
            settings=self._wandb.Settings(silent=True, console="off", **gathers_nothing),
        )

    def rewind(self, step: int) -> None:
        """Do nothing: what is told again is passed over."""

    def log(self, values: Mapping[str, float], step: int, epoch: int) -> None:
        """Log, where the step is new."""
        if step > self._journal.step:
            # Before it is told: a kill in between loses one point, and doubles none.
            self._journal = replace(self._journal, step=step, is_finished=False)
            write_journal(self._folder, self._journal)
            self._run.log({**values, "epoch/number": epoch}, step=step)

    def finish(self, result: Result, step: int) -> None:
        """Log scores as the run's summary, the confusion matrix as a table, and the report without its images."""
        if not self._journal.is_finished:
            self._run.summary.update(as_scalars(scores_of(result)))
            if result.judged_split:
                rows = [list(row) for row in mistakes(result.scores[result.judged_split])]
                table = self._wandb.Table(columns=["true", "predicted", "images"], data=rows)
                self._run.log({f"confusion/{result.judged_split}": table}, step=step)
            report = self._wandb.Artifact(f"report-{self._journal.id}", type="report")
            with report.new_file("report.html", encoding="utf-8") as file:
                file.write(report_without_images(result))
            self._run.log_artifact(report)
            write_journal(self._folder, replace(self._journal, is_finished=True))
        self._run.finish(exit_code=0)

    def stop(self) -> None:
        """Close; wandb shows the run as failed until it goes on."""
        self._run.finish(exit_code=1)
