"""Images in the rows of Parquet and Arrow tables, as data sets of the Hugging Face hub keep them.

A row has a path as if its table were a folder: ``data/train-00000-of-00001.parquet/17``.
"""

from __future__ import annotations

import contextlib
import os
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

from resnetkit.errors import ResnetkitError, first_line
from resnetkit.extras import import_extra

SUFFIXES = (".parquet", ".arrow")
USUAL_NAMES = ("image", "img")
KEPT_TABLES = 32  # open files
KEPT_GROUPS = 2  # of rows, each of which Parquet reads as a whole: what is read in turn is read once


def row_of(path: str | os.PathLike[str]) -> tuple[str, int] | None:
    """The table and the row that a path names; None for the path of a file.

    >>> row_of("data/test.parquet/17"), row_of("cats/17.png")
    (('data/test.parquet', 17), None)
    """
    table, _, row = os.fspath(path).rpartition("/")
    return (table, int(row)) if row.isdecimal() and table.endswith(SUFFIXES) else None


def file_of(path: str) -> str:
    """The file that holds an image: its own, or the table of its row."""
    row = row_of(path)
    return path if row is None else row[0]


def state_of(path: str) -> tuple[int, int]:
    """Size of an image's file and time of its last change, to its content, name or rights; else what no file has.

    The time is the ctime, which no program can set.
    """
    try:
        status = os.stat(file_of(path))
    except (OSError, ValueError):
        return -1, -1
    return status.st_size, status.st_ctime_ns


def read_row(table: str, row: int) -> bytes | None:
    """The bytes of an image file in a row; None where the row has none.

    Raises:
        OSError: for a table that cannot be read.
        ValueError: for one that is damaged or has no such row.
    """
    opened = open_table(table)
    group = bisect_right(opened.starts, row) - 1
    if row >= opened.num_rows:
        raise ValueError(f"the table has {opened.num_rows:,} rows")
    with _damage_told():
        with _reading:
            images = _group(opened, group)
        value = images[row - opened.starts[group]].as_py()
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else None


class Table:
    """A table that is open; what is damaged in it raises an ``OSError`` or a ``ValueError``.

    Attributes:
        schema: its columns, as pyarrow describes them.
        num_rows: of all of it.
        starts: the first row of each group that is read at once.
    """

    def __init__(self, path: str) -> None:
        arrow = import_arrow()
        if path.endswith(".parquet"):
            self._parquet: Any = import_module("pyarrow.parquet").ParquetFile(path, memory_map=True)
            self.schema = self._parquet.schema_arrow
            layout = self._parquet.metadata
            sizes = [layout.row_group(number).num_rows for number in range(layout.num_row_groups)]
        else:
            self._parquet = None
            self._batches: Any = _stream(arrow, path).read_all()  # of a file mapped to memory: no image is read yet
            self._batches.validate(full=True)  # or a damaged offset is an address that is read
            self.schema = self._batches.schema
            sizes = [self._batches.num_rows]
        self.starts: list[int] = [sum(sizes[:number]) for number in range(len(sizes))]
        self.num_rows = sum(sizes)
        columns = image_columns(self.schema)
        if not columns:
            raise ValueError("it has no column of images")
        self.image_column = next((name for name in USUAL_NAMES if name in columns), columns[0])

    def column(self, name: str) -> list[Any]:
        """All values of a small column."""
        with _damage_told():
            table = self._batches if self._parquet is None else self._parquet.read(columns=[name])
            return list(table.column(name).to_pylist())

    def images(self, group: int) -> Sequence[Any]:
        """The images of a group of rows, as pyarrow's values."""
        if self._parquet is None:
            return self._batches.column(self.image_column)  # type: ignore[no-any-return]
        return self._parquet.read_row_group(group, columns=[self.image_column]).column(0)  # type: ignore[no-any-return]


def open_table(path: str) -> Table:
    """A table, open; one that was opened before and has not changed since is not opened again."""
    status = os.stat(path)
    with _damage_told():
        return _table(path, status.st_size, status.st_mtime_ns)


def image_columns(schema: Any) -> list[str]:
    """Names of the columns that hold image files: bytes, alone or beside a path."""
    types = import_arrow().types

    def is_bytes(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    def holds_images(kind: Any) -> bool:
        if types.is_struct(kind):
            return any(field.name == "bytes" and is_bytes(field.type) for field in kind)
        return is_bytes(kind)

    return [field.name for field in schema if holds_images(field.type)]


def import_arrow() -> Any:
    """pyarrow.

    Raises:
        ResnetkitError: where it is not installed.
    """
    return import_extra("pyarrow", extra="datasets", what="Parquet and Arrow tables need pyarrow")


@contextlib.contextmanager
def _damage_told() -> Iterator[None]:
    """Turns what pyarrow raises for a damaged table, which is of many kinds, into a ``ValueError`` of one line."""
    try:
        yield
    except (OSError, ResnetkitError):
        raise
    except Exception as error:
        raise ValueError(f"it is damaged ({first_line(error)})") from error


def _stream(arrow: Any, path: str) -> Any:
    """A reader of an Arrow file, which datasets writes as a stream, others with an index at its end."""
    mapped = arrow.memory_map(path)
    try:
        return arrow.ipc.open_stream(mapped)
    except arrow.ArrowInvalid:
        return arrow.ipc.open_file(mapped)


@lru_cache(maxsize=KEPT_TABLES)
def _table(path: str, size: int, changed_ns: int) -> Table:
    return Table(path)


_reading = threading.Lock()  # a table is read by one thread at a time, images are decoded by many


@lru_cache(maxsize=KEPT_GROUPS)
def _group(table: Table, group: int) -> Sequence[Any]:
    return table.images(group)
