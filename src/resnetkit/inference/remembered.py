"""Which engine was chosen, kept with the converted graph: beside the classifier, or in the user's cache.

A choice holds for one content of the classifier, one machine, one number of threads, one batch size, one precision and
one set of versions; all of that is its key. Whatever does not fit, or is damaged, is as if it were not there.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from resnetkit.config import from_dict, to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.files import io_errors, sha256_of, write_durably
from resnetkit.inference.engines import EngineKind
from resnetkit.inference.trials import Trial
from resnetkit.machine.precision import Precision
from resnetkit.machine.processor import processor_name
from resnetkit.machine.threads import version_of

FORMAT = "resnetkit engine choice 2"
GRAPH_NAME = "graph.onnx"
NAME_LENGTH = 16  # of a SHA-256's 64 digits: names stay readable, the whole stands in the record
NUM_KEPT = 8  # classifiers in the user's cache
# Settings that change how fast an engine is, or which instructions it uses.
VARIABLES = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_AFFINITY")


Key = dict[str, Any]


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


def make_key(
    kinds: Sequence[EngineKind],
    *,
    batch_size: int,
    num_threads: int,
    precision: Precision = "fp32",
    device: str = "cpu",
) -> Key:
    """What a choice depends on besides the classifier; ``device`` is a GPU's name, or ``cpu``."""
    packages = sorted({"resnetkit", "numpy", "torch", *(package for kind in kinds for package in kind.packages)})
    return {
        "engines": [kind.name for kind in kinds],
        "batch_size": batch_size,
        "num_threads": num_threads,
        "precision": precision,
        "device": device,
        "processor": f"{platform.machine()} {processor_name()}",
        "num_cores": os.cpu_count(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "versions": {package: version_of(package) for package in packages},
    }


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
        """For the classifier in a file as it is now."""
        with io_errors(f"read {file}"):
            return cls(sha256_of(file), file)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Beside the file, where there is one and it may be written, then in the user's cache."""
        name = self.digest[:NAME_LENGTH]
        beside = () if self.file is None else (self.file.with_name(f".{self.file.name}.engines") / name,)
        return (*beside, user_folder() / name)

    def read(self, key: Key) -> Record | None:
        """What was kept under a key; None for nothing, or for what is damaged."""
        return next((record for folder in self.folders if (record := self._read(folder, key)) is not None), None)

    def write(self, key: Key, record: Record) -> None:
        """Keep a choice, unless the file holds another classifier by now.

        Raises:
            ResnetkitError: where no place can be written; the last one's error.
        """
        if self.file is not None and not _holds(self.file, self.digest):
            return
        for folder in self.folders:
            try:
                self._write(folder, key, record)
            except ResnetkitError:
                if folder == self.folders[-1]:
                    raise
            else:
                _forget(folder, keep=1 if folder != self.folders[-1] else NUM_KEPT)
                return

    def _read(self, folder: Path, key: Key) -> Record | None:
        try:
            content = json.loads((folder / _name(key)).read_bytes())
            stated = (content["format"], content["classifier"], content["key"])
            if stated != (FORMAT, self.digest, key) or content["engine"] not in key["engines"]:
                return None
            graph = None
            if content["graph_sha256"] is not None:
                graph = (folder / GRAPH_NAME).read_bytes()
                if hashlib.sha256(graph).hexdigest() != content["graph_sha256"]:
                    return None
            trials = tuple(from_dict(Trial, trial, where=str(folder)) for trial in content["trials"])
            with suppress(OSError):  # a cache that may only be read
                os.utime(folder)  # for _forget
            return Record(content["engine"], trials, graph)
        except (OSError, ValueError, TypeError, KeyError, RecursionError, ResnetkitError):
            return None

    def _write(self, folder: Path, key: Key, record: Record) -> None:
        graph_sha256 = None
        if record.graph is not None:
            graph_sha256 = hashlib.sha256(record.graph).hexdigest()
            write_durably(folder / GRAPH_NAME, record.graph)
        content = {
            "format": FORMAT,
            "classifier": self.digest,
            "key": key,
            "engine": record.engine,
            "graph_sha256": graph_sha256,
            "trials": [to_dict(trial) for trial in record.trials],
        }
        write_durably(folder / _name(key), json.dumps(content, indent=1).encode())


def user_folder() -> Path:
    """Where choices are kept for classifiers without a folder that can be written."""
    return platformdirs.user_cache_path("resnetkit") / "engines"


def _name(key: Key) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:NAME_LENGTH] + ".json"


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
