"""Answers for any number of images, in a folder of Parquet files that survives being killed: a manifest and parts.

``_manifest.json`` says what all rows depend on. Each ``part-000000.parquet`` is written whole or not at all and holds
rows of its own; so a row is there at most once, and who goes on asks for the paths that are in no part yet. A row holds
as long as its image's file is as it was; one that does not is taken out before the image is answered again. Every
reader of Parquet takes the folder as one table.

A path that is no UTF-8 stands in the table as ``\\xe9`` for each byte that is none.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.extras import import_extra
from resnetkit.files import durable_file, io_errors, locked, make_folder, sync_file, write_durably
from resnetkit.foreign_json import parse_json
from resnetkit.images.image_rows import state_of

FORMAT = "resnetkit rows 2"
PART = re.compile(r"part-(\d{6,})\.parquet")
LEFT_OVER = re.compile(r"\.(part-\d{6,}\.parquet|_manifest\.json)\.[0-9a-f]{16}")
OTHER_FORMATS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xlsx", ".txt", ".html")
ROWS_TOGETHER = 1024  # of a part: what a kill loses, and what a worker is given at once


@dataclass(frozen=True)
class RowFolder:
    """Rows keyed by ``path``, in parts.

    Attributes:
        about: what all rows depend on, JSON-ready; rows of others are not mixed with them.
        root: the folder that paths start from.
    """

    folder: Path
    about: dict[str, Any]
    root: str = "/"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder, or go on with it; no other process writes to it within the block.

        Raises:
            ResnetkitError: where pyarrow is not installed, the folder holds something else, or is called like a file
                of another format.
        """
        _parquet()
        ending, parquet = self.folder.suffix.lower(), self.folder.with_suffix(".parquet")
        require(
            ending not in OTHER_FORMATS or self.folder.is_dir(),
            f"rows are kept in a folder of Parquet files, and {self.folder} is called like a file of {ending[1:]}",
            fix=f"--out {parquet}; in one file: predict --format csv > FILE.csv, or evaluate --answers FILE.csv",
        )
        require(
            self.folder.is_dir() or not os.path.lexists(self.folder), f"{self.folder} is a file", fix="give a new name"
        )
        with io_errors(f"make {self.folder}"):
            make_folder(self.folder)
        taken = ResnetkitError(Code.USAGE, f"another process is writing to {self.folder}", fix="wait for it")
        with locked(self.folder, if_taken=taken):  # before anything in it is looked at: it may be another's
            self._begin()
            yield

    def forget_outdated(self, paths: Iterable[str]) -> int:
        """Take out the rows of these paths that do not hold; how many.

        They are those of a file that has changed since, and of one that could not be read, which may not have been the
        file's fault.
        """
        wanted, num_forgotten = {as_text(path): path for path in paths}, 0
        for part in self._parts():
            known = _read(part, ["path", "reason", "bytes", "changed_ns"]).to_pylist()
            holds = [row["path"] not in wanted or self._holds(wanted[row["path"]], row) for row in known]
            if all(holds):
                continue
            num_forgotten += holds.count(False)
            if any(holds):
                self._write(part, _read(part).filter(import_module("pyarrow").array(holds)))
            else:
                part.unlink()
                sync_file(self.folder)
        return num_forgotten

    def missing(self, paths: Iterable[str]) -> list[str]:
        """Those of the paths that have no row, each once."""
        wanted = {as_text(path): path for path in paths}
        for table in self.tables(["path"]):
            for path in table.column("path").to_pylist():
                wanted.pop(path, None)
        return list(wanted.values())

    def add(self, table: Any) -> None:
        """Write a new part."""
        last = max((int(part.stem.removeprefix("part-")) for part in self._parts()), default=-1)
        self._write(self.folder / f"part-{last + 1:06d}.parquet", table)

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The parts as tables of pyarrow, read one by one.

        Raises:
            ResnetkitError: for a damaged part.
        """
        return (_read(part, columns) for part in self._parts())

    def _begin(self) -> None:
        """Write what the rows depend on, or see that they depend on nothing else; remove what a kill left behind."""
        manifest, said = self.folder / "_manifest.json", {"format": FORMAT, "about": self.about}
        left_over = [path for path in self.folder.iterdir() if LEFT_OVER.fullmatch(path.name)]
        if manifest.is_file():
            _check_same(self.folder, _parsed(manifest), said)
        else:
            is_free = len(list(self.folder.iterdir())) == len(left_over)
            require(is_free, f"{self.folder} is there already, and holds no rows of ours", fix="give a new name")
            write_durably(manifest, (json.dumps(said, indent=2) + "\n").encode())
        for path in left_over:
            path.unlink(missing_ok=True)

    def _holds(self, path: str, row: dict[str, Any]) -> bool:
        return not row["reason"] and state_of(os.path.join(self.root, path)) == (row["bytes"], row["changed_ns"])

    def _parts(self) -> list[Path]:
        return sorted(
            (path for path in self.folder.iterdir() if PART.fullmatch(path.name)),
            key=lambda path: (len(path.name), path.name),
        )

    def _write(self, part: Path, table: Any) -> None:
        with durable_file(part) as file:
            _parquet().write_table(table, file)


def in_parts(paths: Sequence[str]) -> list[list[str]]:
    """Paths, as many together as a part has rows."""
    return [list(paths[start : start + ROWS_TOGETHER]) for start in range(0, len(paths), ROWS_TOGETHER)]


def as_text(path: str) -> str:
    r"""A path as it stands in a table.

    >>> as_text("caf\udce9.png")
    'caf\\xe9.png'
    """
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def make_table(columns: dict[str, Any], like: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """A table of pyarrow, of lists or arrays by name.

    Args:
        like: for columns that may be without a value, one of the type that they have all the same.
    """
    pyarrow = import_module("pyarrow")
    typed = {name: pyarrow.array(columns[name], pyarrow.array([value]).type) for name, value in like.items()}
    return pyarrow.table({**columns, **typed})


def _parquet() -> Any:
    return import_extra("pyarrow.parquet", extra="parquet", what="Parquet needs pyarrow, which is not installed")


def _read(part: Path, columns: Sequence[str] | None = None) -> Any:
    try:
        with io_errors(f"read {part}"):
            return _parquet().read_table(part, columns=columns, partitioning=None)
    except ValueError as error:  # pyarrow's errors are
        raise ResnetkitError(
            Code.IO, f"{part} is damaged", why=str(error), fix="remove this file; its images are answered again"
        ) from None


def _parsed(manifest: Path) -> Any:
    """The values of a manifest; None for a damaged one."""
    try:
        with io_errors(f"read {manifest}"):
            return parse_json(manifest.read_bytes())
    except (ValueError, RecursionError):
        return None


def _check_same(folder: Path, found: Any, wanted: dict[str, Any]) -> None:
    known = found.get("about") if isinstance(found, dict) and found.get("format") == FORMAT else None
    require(
        isinstance(known, dict), f"{folder}/_manifest.json is damaged, or of another version", fix="give a new name"
    )
    assert isinstance(known, dict)
    about = json.loads(json.dumps(wanted["about"]))
    differing = [name for name in {**known, **about} if known.get(name) != about.get(name)]
    require(
        not differing,
        f"the rows in {folder} are of another kind: they differ in {', '.join(differing)}",
        why="; ".join(f"{name} was {_said(known, name)} and is {_said(about, name)} now" for name in differing),
        fix="give a new name, or the options that they were made with",
    )


def _said(about: dict[str, Any], name: str) -> str:
    return json.dumps(about[name]) if name in about else "not said"
