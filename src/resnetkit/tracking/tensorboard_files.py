"""The tracker ``tensorboard``: an event file in the run folder, written record by record.

Not by ``torch.utils.tensorboard``, which keeps what it was told for up to two minutes and loads TensorFlow where that
is installed. Of the package, only the messages and their framing are used.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result
from resnetkit.tracking.journal import Journal, read_journal, write_journal
from resnetkit.tracking.points import Value, as_scalars, confusion_picture, hyperparameters, scores_of, told_in_markdown

FOLDER_NAME = "tensorboard"
TOLD_METRICS = ("train/loss", "val/loss", "val/top1", "scores/val_top1", "scores/test_top1")
"""Columns of the page of hyperparameters, beside these."""


class EventFiles:
    """Writes a file for each time that a run is gone on with; its first record drops what is told again."""

    def __init__(self) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.plugins.hparams import metadata, plugin_data_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._new_writer = Event, RecordWriter
        self._hparams, self._hparams_data = metadata, plugin_data_pb2.HParamsPluginData

    def begin(self, folder: RunFolder, record: Record) -> None:
        """Open the next file; the first of a run has its recipe."""
        self._folder = folder.path / FOLDER_NAME
        journal = read_journal(self._folder)
        self._journal = journal or Journal()
        self._writer = self._new_writer(_create_next(self._folder))
        self._write(file_version="brain.Event:2")
        if journal is None:
            self._describe(record)
        write_journal(self._folder, self._journal)

    def rewind(self, step: int) -> None:
        """Have TensorBoard drop what it read of this step and later ones, in this run's earlier files."""
        # First: killed in between, scores are told twice rather than never.
        self._journal = Journal()
        write_journal(self._folder, self._journal)
        self._write(step=step, session_log={"status": "START"})

    def log(self, values: Mapping[str, float], step: int, epoch: int) -> None:
        """Write scalars."""
        self._summarize(step, *_scalars(values))

    def finish(self, result: Result, step: int) -> None:
        """Write the scores, the confusion matrix as an image, and both as a text, with the place of the report."""
        if not self._journal.is_finished:
            told = [*_scalars(as_scalars(scores_of(result))), _text("report", told_in_markdown(result))]
            if result.judged_split:
                png, side_px = confusion_picture(result.scores[result.judged_split])
                image = {"height": side_px, "width": side_px, "colorspace": 3, "encoded_image_string": png}
                told.append({"tag": f"confusion/{result.judged_split}", "image": image})
            self._tell_end("STATUS_SUCCESS")
            self._summarize(step, *told)  # one record, which is there or not
            write_journal(self._folder, Journal(is_finished=True))
        self._writer.close()

    def stop(self) -> None:
        """Close the file."""
        self._tell_end("STATUS_FAILURE")
        self._writer.close()

    def _describe(self, record: Record) -> None:
        values = hyperparameters(record)
        infos = [{"name": name, "type": _TYPES[type(value)]} for name, value in values.items()]
        metrics = [{"name": {"tag": tag}} for tag in TOLD_METRICS]
        start = self._hparams_data(session_start_info={"start_time_secs": time.time()})
        for name, value in values.items():
            setattr(start.session_start_info.hparams[name], _FIELDS[type(value)], value)
        experiment = self._hparams_data(experiment={"hparam_infos": infos, "metric_infos": metrics})
        self._tell_hparams(self._hparams.EXPERIMENT_TAG, experiment)
        self._tell_hparams(self._hparams.SESSION_START_INFO_TAG, start)

    def _tell_end(self, status: str) -> None:
        end = self._hparams_data(session_end_info={"status": status, "end_time_secs": time.time()})
        self._tell_hparams(self._hparams.SESSION_END_INFO_TAG, end)

    def _tell_hparams(self, tag: str, data: Any) -> None:
        described = self._hparams.create_summary_metadata(data)
        self._summarize(0, {"tag": tag, "metadata": described, "tensor": self._hparams.NULL_TENSOR})

    def _summarize(self, step: int, *values: Mapping[str, Any]) -> None:
        self._write(step=step, summary={"value": values})

    def _write(self, **fields: Any) -> None:
        """Write a record, and hand it to the system: it is there whatever becomes of this process."""
        self._writer.write(self._event(wall_time=time.time(), **fields).SerializeToString())
        self._writer.flush()


_TYPES: dict[type[Value], str] = {
    bool: "DATA_TYPE_BOOL", int: "DATA_TYPE_FLOAT64", float: "DATA_TYPE_FLOAT64", str: "DATA_TYPE_STRING",
}  # fmt: skip
_FIELDS: dict[type[Value], str] = {
    bool: "bool_value", int: "number_value", float: "number_value", str: "string_value",
}  # fmt: skip


def _create_next(folder: Path) -> BinaryIO:
    """The next file, open: TensorBoard reads them in the order of their names."""
    folder.mkdir(exist_ok=True)
    numbers = [int(path.name.rpartition(".")[2]) for path in folder.glob("events.out.tfevents.[0-9]*")]
    return (folder / f"events.out.tfevents.{max(numbers, default=0) + 1:06d}").open("xb")


def _scalars(values: Mapping[str, float]) -> list[Mapping[str, Any]]:
    return [{"tag": name, "simple_value": value} for name, value in values.items()]


def _text(tag: str, markdown: str) -> Mapping[str, Any]:
    shape = {"dim": [{"size": 1}]}
    tensor = {"dtype": "DT_STRING", "string_val": [markdown.encode()], "tensor_shape": shape}
    return {"tag": tag, "metadata": {"plugin_data": {"plugin_name": "text"}}, "tensor": tensor}
