"""Keep which engine was chosen, with the converted graph: beside the classifier, or in the user's cache.

A choice holds for one content of the classifier, under the same
:class:`~resnetkit.inference.conditions.Conditions`. Whatever does not fit, or is damaged, is as if it were not there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from resnetkit.config import from_dict, to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.files import io_errors, sha256_of, write_durably
from resnetkit.inference.conditions import Conditions
from resnetkit.inference.trials import Trial

FORMAT = "resnetkit engine choice 3"
NAME_LENGTH = 16  # of a SHA-256's 64 digits: names stay readable, the whole stands in the record
NUM_KEPT = 8  # classifiers in the user's cache


@dataclass(frozen=True)
class Record:
    """A choice as it is kept.

    Attributes:
        engine: the chosen one's name.
        graph: the ONNX file's content where the engine reads one.
    """

    engine: str
    trials: tuple[Trial, ...]
    graph: bytes | None = None


@dataclass(frozen=True)
class Cache:
    """The places where one classifier's choices are kept, best first.

    Attributes:
        digest: SHA-256 of the classifier's content.
        file: the classifier's file; None for one that has none.
    """

    digest: str
    file: Path | None = None

    @classmethod
    def beside(cls, file: Path) -> Cache:
        """The cache for the classifier in a file as it is now."""
        with io_errors(f"read {file}"):
            return cls(sha256_of(file), file)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that choices are kept in: beside the file, where there is one, then in the user's cache."""
        name = self.digest[:NAME_LENGTH]
        beside = () if self.file is None else (self.file.with_name(f".{self.file.name}.engines") / name,)
        return (*beside, user_folder() / name)

    def read(self, conditions: Conditions) -> Record | None:
        """Find what was kept for these conditions; None for nothing, or for what is damaged."""
        return next((record for folder in self.folders if (record := _read(folder, self.digest, conditions))), None)

    def write(self, conditions: Conditions, record: Record) -> None:
        """Keep a choice, unless the file holds another classifier by now.

        Raises:
            ResnetkitError: where no place can be written; the last one's error.
        """
        if self.file is not None and not _holds(self.file, self.digest):
            return
        for folder in self.folders:
            try:
                _write(folder, self.digest, conditions, record)
            except ResnetkitError:
                if folder == self.folders[-1]:
                    raise
            else:
                _forget(folder, keep=1 if folder != self.folders[-1] else NUM_KEPT)
                return


def user_folder() -> Path:
    """Folder of the choices for classifiers without a folder that can be written."""
    return platformdirs.user_cache_path("resnetkit") / "engines"


def _read(folder: Path, digest: str, conditions: Conditions) -> Record | None:
    try:
        content = json.loads(_file_in(folder, conditions).read_bytes())
        stated = (content["format"], content["classifier"], content["conditions"])
        if stated != (FORMAT, digest, conditions.as_dict()) or content["engine"] not in conditions.engines:
            return None
        graph = None
        if content["graph_sha256"] is not None:
            graph = _graph_in(folder, content["graph_sha256"]).read_bytes()
            if hashlib.sha256(graph).hexdigest() != content["graph_sha256"]:
                return None
        trials = tuple(from_dict(Trial, trial, where=str(folder)) for trial in content["trials"])
        with suppress(OSError):  # a cache that may only be read
            os.utime(folder)  # for _forget
        return Record(content["engine"], trials, graph)
    except (OSError, ValueError, TypeError, KeyError, RecursionError, ResnetkitError):
        return None


def _write(folder: Path, digest: str, conditions: Conditions, record: Record) -> None:
    graph_sha256 = None
    if record.graph is not None:
        graph_sha256 = hashlib.sha256(record.graph).hexdigest()
        write_durably(_graph_in(folder, graph_sha256), record.graph)
    content = {
        "format": FORMAT,
        "classifier": digest,
        "conditions": conditions.as_dict(),
        "engine": record.engine,
        "graph_sha256": graph_sha256,
        "trials": [to_dict(trial) for trial in record.trials],
    }
    write_durably(_file_in(folder, conditions), json.dumps(content, indent=1).encode())


def _file_in(folder: Path, conditions: Conditions) -> Path:
    return folder / f"{conditions.digest()[:NAME_LENGTH]}.json"


def _graph_in(folder: Path, sha256: str) -> Path:
    """The file of a graph; choices in float32 share one, each quantized one is another."""
    return folder / f"graph-{sha256[:NAME_LENGTH]}.onnx"


def _holds(file: Path, digest: str) -> bool:
    try:
        return sha256_of(file) == digest
    except OSError:
        return False


def _forget(newest: Path, *, keep: int) -> None:
    """Remove what is kept for all but the ``keep`` classifiers used last, ``newest`` among them."""
    others = []
    for folder in newest.parent.iterdir():
        if folder != newest and len(folder.name) == NAME_LENGTH:
            with suppress(FileNotFoundError):  # another process forgets too
                others.append((folder.stat().st_mtime, folder))
    for _, folder in sorted(others, reverse=True)[keep - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)
