"""The tracker ``csv``: one tidy table, metrics.csv in the run folder, a number in each row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from resnetkit.files import io_errors, write_durably
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result
from resnetkit.tracking.points import scores_of

COLUMNS = ("step", "epoch", "name", "value", "low", "high", "num_images")
FILE_NAME = "metrics.csv"


class MetricsTable:
    """Appends rows; those that a run tells again are dropped before, and scores replace those of before."""

    def begin(self, folder: RunFolder, record: Record) -> None:
        """Write the first line, where there is none."""
        self._file = folder.path / FILE_NAME
        if not self._file.exists():
            write_durably(self._file, _text([COLUMNS]))

    def rewind(self, step: int) -> None:
        """Drop what is told again."""
        self._rewrite([row for row in self._read() if int(row[0]) < step and not _is_score(row)])

    def log(self, values: Mapping[str, float], step: int, epoch: int) -> None:
        """Append."""
        text = _text((step, epoch, name, value, "", "", "") for name, value in values.items())
        with io_errors(f"write {self._file}"), self._file.open("ab") as file:
            file.write(text)

    def finish(self, result: Result, step: int) -> None:
        """Append the scores, in place of those of before."""
        scores = [(step, "", one.name, one.value, one.low, one.high, one.num_images) for one in scores_of(result)]
        self._rewrite([*(row for row in self._read() if not _is_score(row)), *scores])

    def stop(self) -> None:
        """Do nothing: rows are written when they are told."""

    def _read(self) -> list[list[str]]:
        """The whole rows, without the first line; a kill may have cut the last one short."""
        text = self._file.read_text(encoding="utf-8")
        rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))[1:]
        return [row for row in rows if len(row) == len(COLUMNS) and row[0].isdecimal()]

    def _rewrite(self, rows: Iterable[Sequence[object]]) -> None:
        write_durably(self._file, _text([COLUMNS, *rows]))


def _is_score(row: Sequence[str]) -> bool:
    return row[COLUMNS.index("name")].startswith("scores/")


def _text(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)  # None is an empty cell
    return text.getvalue().encode()
