"""Run folders on the disk: which folder is one, and all there are below a folder, each once."""

from __future__ import annotations

import json
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path

RECORD_NAME = "recipe.json"  # which a run begins with
EVENTS_NAME = "metrics.jsonl"
REPEATS_NAME = "repeats.json"


@dataclass(frozen=True)
class FoundRun:
    """A run's folder; ``repeats``: the folder of repeats that it is one of."""

    path: Path
    repeats: Path | None


@dataclass(frozen=True)
class FoundRuns:
    """Runs in the order of their paths; ``unread``: what could not be looked into, each with the reason."""

    runs: tuple[FoundRun, ...]
    unread: tuple[str, ...]


def is_run(folder: Path) -> bool:
    """Tell whether a folder holds the record of a run."""
    return (folder / RECORD_NAME).is_file()


def has_repeats(folder: Path) -> bool:
    """Tell whether a folder says that it holds repeats of a run."""
    return (folder / REPEATS_NAME).is_file()


def find_runs(parent: Path, *, is_deep: bool = True) -> FoundRuns:
    """Find the runs in a folder and below it, each once, by whatever ways it is reached; none within a run.

    Links are followed to wherever they lead, after all that needs none, so a run that lies below the folder has its own
    name. One whose record has been lost is found too; hidden folders are passed over.

    Args:
        is_deep: not only those that lie in the folder itself.
    """
    runs: list[FoundRun] = []
    unread: list[str] = []
    met: set[tuple[int, int]] = set()
    links: deque[tuple[Path, Path | None]] = deque([(parent, None)])
    folders: list[tuple[Path, Path | None]] = []
    while links or folders:
        folder, repeats = folders.pop() if folders else links.popleft()
        try:
            state = os.stat(folder)
            if (state.st_dev, state.st_ino) in met:
                continue
            met.add((state.st_dev, state.st_ino))
            if _begins_as_run(folder):
                runs.append(FoundRun(folder, repeats))
            elif is_deep or folder == parent:
                own = folder if has_repeats(folder) else None
                inner, linked = _inner_folders(folder)
                folders += [(path, own) for path in inner]
                links += [(path, own) for path in linked]
        except OSError as error:  # not ours to read, gone meanwhile, or on a disk that is not there
            unread.append(f"{folder} ({error.strerror or error})")
    return FoundRuns(tuple(sorted(runs, key=lambda run: run.path)), tuple(sorted(unread)))


def _begins_as_run(folder: Path) -> bool:
    """Tell whether a folder has a run's record or, where that is lost, events that begin as a run's do."""
    if is_run(folder):
        return True
    if not (folder / EVENTS_NAME).is_file():
        return False
    with open(folder / EVENTS_NAME, "rb") as file:
        line = file.readline(1 << 12)
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and first.get("event") == "start"


def _inner_folders(folder: Path) -> tuple[list[Path], list[Path]]:
    """Folders in a folder, and links to folders or to what is not there, by name."""
    inner: list[Path] = []
    linked: list[Path] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                linked += [] if os.path.isfile(entry.path) else [Path(entry.path)]
            elif entry.is_dir():
                inner.append(Path(entry.path))
    return sorted(inner), sorted(linked)
