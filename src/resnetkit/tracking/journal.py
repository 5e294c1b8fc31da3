"""The journal of a run that a tracker keeps: what the tracker has to know when the run goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from resnetkit.config import from_dict, read_object, to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.files import write_durably

FILE_NAME = "resnetkit.json"


@dataclass(frozen=True)
class Journal:
    """A run as a tracker knows it.

    Attributes:
        id: that the tracker's own service knows the run by.
        place: the service, where that is not the run folder; without credentials.
        step: the last update that was told of.
        is_finished: whether the run's end was told of.
    """

    id: str = ""
    place: str = ""
    step: int = 0
    is_finished: bool = False


def read_journal(folder: Path) -> Journal | None:
    """The journal in a tracker's folder; None without a whole one."""
    try:
        return from_dict(Journal, read_object(folder / FILE_NAME))
    except (OSError, ValueError, ResnetkitError):
        return None


def write_journal(folder: Path, journal: Journal) -> None:
    """Keep a journal in a tracker's folder, which is made where it is missing."""
    write_durably(folder / FILE_NAME, (json.dumps(to_dict(journal)) + "\n").encode())
