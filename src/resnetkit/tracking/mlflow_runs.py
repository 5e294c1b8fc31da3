"""The tracker ``mlflow``: a run in a store of files in the run folder, or where the user's tracking URI says."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.report_contents import report_without_images
from resnetkit.runs.result import Result
from resnetkit.terminal import csv_line, without_credentials
from resnetkit.tracking.journal import Journal, read_journal, write_journal
from resnetkit.tracking.points import as_scalars, hyperparameters, mistakes, scores_of

FOLDER_NAME, STORE_NAME = "mlflow", "store"
EXPERIMENT = "resnetkit"
MOST_PARAMS = 100  # in one call, as MLflow has it


class MlflowRuns:
    """Logs each step once: what was told, MLflow cannot forget.

    ``MLFLOW_TRACKING_URI``, or ``mlflow.set_tracking_uri``, is how one asks for a server.
    """

    def __init__(self) -> None:
        # Read when the package is imported.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        self._mlflow = mlflow

    def begin(self, folder: RunFolder, record: Record) -> None:
        """Begin a run of the folder's name, or go on with it."""
        self._folder = folder.path / FOLDER_NAME
        place = self._mlflow.get_tracking_uri() if self._mlflow.is_tracking_uri_set() else ""
        journal = read_journal(self._folder)
        if not place:  # MLflow 3.17 asks for this, because it would rather have a database
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        own = (self._folder / STORE_NAME).absolute().as_uri()
        self._client: Any = self._mlflow.MlflowClient(tracking_uri=place or own)
        known = without_credentials(place)  # the run folder may be given away
        if journal is not None and journal.place == known:
            self._journal = journal
            self._client.update_run(journal.id, status="RUNNING")
        else:
            self._journal = Journal(id=self._new_run(folder, record), place=known)
            write_journal(self._folder, self._journal)

    def rewind(self, step: int) -> None:
        """Do nothing: what is told again is passed over."""

    def log(self, values: Mapping[str, float], step: int, epoch: int) -> None:
        """Log, where the step is new."""
        if step > self._journal.step:
            # Before it is told: a kill in between loses one point, and doubles none.
            self._journal = replace(self._journal, step=step, is_finished=False)
            write_journal(self._folder, self._journal)
            self._log({**values, "epoch/number": epoch}, step)

    def finish(self, result: Result, step: int) -> None:
        """Log scores as metrics, the confusion matrix as a table in CSV, and the report without its images."""
        run = self._journal.id
        if not self._journal.is_finished:
            if result.judged_split:
                rows = mistakes(result.scores[result.judged_split])
                cells = [("true", "predicted", "images"), *((true, other, str(count)) for true, other, count in rows)]
                self._client.log_text(run, "".join(map(csv_line, cells)), f"confusion_{result.judged_split}.csv")
            self._client.log_text(run, report_without_images(result), "report.html")
            # Last, because MLflow replaces files, and keeps doubled points: what fails is told again on a resume.
            self._log(as_scalars(scores_of(result)), step)
            write_journal(self._folder, replace(self._journal, is_finished=True))
        self._client.set_terminated(run, status="FINISHED")

    def stop(self) -> None:
        """Close; MLflow shows the run as killed until it goes on."""
        self._client.set_terminated(self._journal.id, status="KILLED")

    def _new_run(self, folder: RunFolder, record: Record) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        known = self._client.get_experiment_by_name(name)
        experiment = self._client.create_experiment(name) if known is None else known.experiment_id
        run: str = self._client.create_run(experiment, run_name=folder.path.name).info.run_id
        param = self._mlflow.entities.Param
        params = [param(key, str(value)) for key, value in hyperparameters(record).items()]
        for first in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(run, params=params[first : first + MOST_PARAMS])
        return run

    def _log(self, values: Mapping[str, float], step: int) -> None:
        now = round(1000 * time.time())
        metric = self._mlflow.entities.Metric
        self._client.log_batch(
            self._journal.id, metrics=[metric(key, float(v), now, step) for key, v in values.items()]
        )
