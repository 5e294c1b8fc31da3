"""Tables in files: CSV, TSV and JSON lines, as spreadsheets, scripts and the hub write them."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from resnetkit.errors import Code, ResnetkitError
from resnetkit.foreign_json import parse_json
from resnetkit.terminal import listed, shown

# By the end of a file's name, what can stand between cells; the one that the first row has most of does.
DELIMITERS: Mapping[str, str] = {".csv": ",;\t", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
SUFFIXES = (*DELIMITERS, *JSON_LINES)
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
UNREADABLE = (OSError, ValueError, csv.Error, RecursionError)

Rows = Iterator[tuple[int, list[str]]]


@dataclass(frozen=True)
class Table:
    """Rows of a file, all as wide as there are columns; what is missing is empty.

    Attributes:
        columns: their names.
        rows: the cells of each row; of JSON, what is no text as JSON.
        lines: the line of the file that each row begins in, from 1.
    """

    columns: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def column(self, name: str) -> list[str]:
        """The cells of one column."""
        position = self.columns.index(name)
        return [row[position] for row in self.rows]


def is_table(path: str | os.PathLike[str]) -> bool:
    """Tell whether this is a file with the name of a table."""
    return os.fspath(path).lower().endswith(SUFFIXES) and os.path.isfile(path)


def is_folder_or_list(place: str | os.PathLike[str]) -> bool:
    """Tell whether image files can be found by this: a folder, or a table that may list them."""
    return os.path.isdir(place) or is_table(place)


def read_table(file: Path) -> Table:
    """The table in a file, which must be UTF-8, or UTF-16 that says so.

    Raises:
        ResnetkitError: for another encoding, or what is no such table.
    """
    try:
        content = file.read_bytes()
        if file.suffix.lower() in JSON_LINES:
            return _read_json_lines(_decoded(content, file))
        return _read_separated(_decoded(content, file), DELIMITERS[file.suffix.lower()])
    except UNREADABLE as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ResnetkitError(Code.DATA, f"cannot read {file}", why=why, fix="repair or remove it") from None


def _decoded(content: bytes, file: Path) -> str:
    if content.startswith(UTF_16):
        return content.decode("utf-16")
    if b"\0" in content:
        raise ValueError("it holds zero bytes, so it is no text, or UTF-16 without its mark")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ResnetkitError(
            Code.DATA,
            f"{file} is not UTF-8",
            why=f"line {line:,} holds the bytes {content[error.start : error.start + 8]!r}, which other encodings read "
            "differently",
            fix="save it as UTF-8 (in a spreadsheet 'CSV UTF-8'); or, if Windows wrote it: "
            f"iconv -f WINDOWS-1252 -t UTF-8 {shlex.quote(str(file))} > NEW{file.suffix}",
        ) from None


def _read_separated(text: str, delimiters: str) -> Table:
    head = text.lstrip()
    delimiter = max(
        delimiters, key=lambda sign: len(next(csv.reader(io.StringIO(head, newline=""), delimiter=sign), ()))
    )
    columns = tuple(cell.strip() for cell in next(_rows_of(text, delimiter), (0, []))[1])
    twice = [name for name, count in Counter(columns).items() if name and count > 1]
    if twice:
        raise ValueError(f"several columns are called {listed(twice)}")
    rows, lines = [], []
    for line, row in _rows_of(text, delimiter):
        if any(cell.strip() for cell in row[len(columns) :]):
            raise ValueError(
                f"line {line:,} has {len(row):,} cells, and there are {len(columns):,} columns: a cell that holds "
                f"{delimiter!r} must stand in quotation marks"
            )
        rows.append([*row, *[""] * (len(columns) - len(row))][: len(columns)])
        lines.append(line)
    return Table(columns, rows[1:], lines[1:])


def _rows_of(text: str, delimiter: str) -> Rows:
    """Rows that are not empty, each with the line that it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {line:,}: {error}; is a quotation mark left open there?") from None


def _read_json_lines(text: str) -> Table:
    values: list[Mapping[str, object]] = []
    lines = []
    # Only these end lines: splitlines also does at signs that JSON may hold.
    for line, written in enumerate(text.split("\n"), 1):
        if not written.strip():
            continue
        try:
            value = parse_json(written)
        except ValueError as error:
            raise ValueError(f"line {line:,}: {error}") from None
        if not isinstance(value, dict):
            raise ValueError(f'line {line:,} is no JSON object, such as {{"path": "cat/1.jpg", "label": "cat"}}')
        values.append(value)
        lines.append(line)
    columns = tuple(dict.fromkeys(name for value in values for name in value))
    return Table(columns, [[_as_cell(value.get(name)) for name in columns] for value in values], lines)


def _as_cell(value: object) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def tell_lines(lines: list[int], cells: list[str], most: int = 20) -> str:
    """Lines of a table with what they are told for, the first few of many; one below the other.

    >>> print(tell_lines([3, 7, 1200], ["a.jpg", "b.jpg", "c.jpg"], 2))
    line 3: a.jpg
        line 7: b.jpg
        … and 1 more
    """
    told = [f"line {line:,}: {shown(cell)}" for line, cell in zip(lines[:most], cells, strict=False)]
    told += [f"… and {len(lines) - most:,} more"] if len(lines) > most else []
    return "\n    ".join(told)
