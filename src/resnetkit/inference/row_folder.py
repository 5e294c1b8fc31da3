"""Answers for any number of images, in a folder of Parquet files that survives being killed: a manifest and parts.

``_manifest.json`` says what all rows depend on. Each ``part-000000.parquet`` is written whole or not at all, holds rows
of its own and is never touched again; so a row is there at most once, and who goes on asks for the paths that are in no
part yet. Every reader of Parquet takes the folder as one table.

A path that is no UTF-8 stands in the table as ``\\xe9`` for each byte that is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.extras import import_extra
from resnetkit.files import durable_file, io_errors, locked, make_folder, write_durably
from resnetkit.foreign_json import parse_json

FORMAT = "resnetkit rows 1"
PART = re.compile(r"part-(\d{6,})\.parquet")
LEFT_OVER = re.compile(r"\.(part-\d{6,}\.parquet|_manifest\.json)\.[0-9a-f]{16}")
ROWS_TOGETHER = 1024  # of a part: what a kill loses, and what a worker is given at once


@dataclass(frozen=True)
class RowFolder:
    """Rows keyed by ``path``, in parts.

    Attributes:
        about: what all rows depend on, JSON-ready; rows of others are not mixed with them.
    """

    folder: Path
    about: dict[str, Any]

    def opened(self) -> AbstractContextManager[None]:
        """Make the folder, or go on with it; no other process writes to it meanwhile.

        Raises:
            ResnetkitError: where pyarrow is not installed, or the folder holds something else.
        """
        _parquet()
        manifest = self.folder / "_manifest.json"
        said = {"format": FORMAT, "about": self.about}
        if manifest.is_file():
            _check_same(self.folder, parse_json(manifest.read_bytes()), said)
        else:
            is_free = not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir()))
            require(is_free, f"{self.folder} is there already, and holds no rows of ours", fix="give a new name")
            make_folder(self.folder)
            write_durably(manifest, (json.dumps(said, indent=2) + "\n").encode())
        for path in self.folder.iterdir():
            if LEFT_OVER.fullmatch(path.name):  # of a run that was killed
                path.unlink(missing_ok=True)
        taken = ResnetkitError(Code.USAGE, f"another process is writing to {self.folder}", fix="wait for it")
        return locked(self.folder, if_taken=taken)

    def missing(self, paths: Iterable[str]) -> list[str]:
        """Those of the paths that have no row yet, each once."""
        known = {path for table in self.tables(["path"]) for path in table.column("path").to_pylist()}
        return [path for path in dict.fromkeys(paths) if as_text(path) not in known]

    def add(self, table: Any) -> None:
        """Write a new part."""
        numbers = [int(found[1]) for path in self.folder.iterdir() if (found := PART.fullmatch(path.name))]
        with durable_file(self.folder / f"part-{max(numbers, default=-1) + 1:06d}.parquet") as file:
            _parquet().write_table(table, file)

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The parts as tables of pyarrow.

        Raises:
            ResnetkitError: for a damaged part.
        """
        for path in sorted(path for path in self.folder.iterdir() if PART.fullmatch(path.name)):
            try:
                with io_errors(f"read {path}"):
                    table = _parquet().read_table(path, columns=columns, partitioning=None)
            except ValueError as error:  # pyarrow's errors are
                raise ResnetkitError(
                    Code.IO, f"{path} is damaged", why=str(error), fix="remove this file; its images are answered again"
                ) from None
            yield table


def in_parts(paths: Sequence[str]) -> list[list[str]]:
    """Paths, as many together as a part has rows."""
    return [list(paths[start : start + ROWS_TOGETHER]) for start in range(0, len(paths), ROWS_TOGETHER)]


def as_text(path: str) -> str:
    r"""A path as it stands in a table.

    >>> as_text("caf\udce9.png")
    'caf\\xe9.png'
    """
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def make_table(columns: dict[str, Any]) -> Any:
    """A table of pyarrow, of lists or arrays by name."""
    return import_module("pyarrow").table(columns)


def _parquet() -> Any:
    return import_extra("pyarrow.parquet", extra="parquet", what="Parquet needs pyarrow, which is not installed")


def _check_same(folder: Path, found: Any, wanted: dict[str, Any]) -> None:
    known = found.get("about") if isinstance(found, dict) and found.get("format") == FORMAT else None
    require(
        isinstance(known, dict), f"{folder}/_manifest.json is damaged, or of another version", fix="give a new name"
    )
    assert isinstance(known, dict)
    about = wanted["about"]
    differing = [name for name in {**known, **about} if known.get(name) != json.loads(json.dumps(about.get(name)))]
    require(
        not differing,
        f"the rows in {folder} are of another kind: they differ in {', '.join(differing)}",
        fix="give a new name, or the options that they were made with",
    )
