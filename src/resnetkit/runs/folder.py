"""The folder of one run.

recipe.json, images.json, metrics.jsonl, log.txt, checkpoints/, classifier.safetensors, answers.npz, predictions.csv,
report.html.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resnetkit.classifier.file import BEST_FILE_NAME, FILE_NAME
from resnetkit.config import from_dict, read_object, to_dict
from resnetkit.data.seen import SeenImages
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.evaluation.answers import Answers
from resnetkit.files import create_numbered_folder, io_errors, is_locked, last_lines, locked, sync_file, write_durably
from resnetkit.folders.table_file import is_table
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.answer_files import read_answers, write_answers, write_predictions
from resnetkit.runs.finding import EVENTS_NAME, RECORD_NAME, has_repeats
from resnetkit.runs.record import Record
from resnetkit.terminal import shown


def name_of_run(recipe: Recipe) -> str:
    """The name that the folder of a run has behind its number."""
    place = Path(recipe.data.source)
    return f"{recipe.model_name}-{(place.stem if is_table(place) else place.name) or 'data'}"


@dataclass(frozen=True)
class RunFolder:
    """Paths and records of one run."""

    path: Path

    @classmethod
    def create(cls, parent: Path, recipe: Recipe) -> RunFolder:
        """A new folder ``parent/NNNN-model-data``; nothing is ever overwritten."""
        return cls(create_numbered_folder(parent, name_of_run(recipe)))

    @property
    def recipe_file(self) -> Path:
        """Every value that ran, versions, machine, data fingerprint."""
        return self.path / RECORD_NAME

    @property
    def images_file(self) -> Path:
        """The images of the run, by their digests."""
        return self.path / "images.json"

    @property
    def metrics_file(self) -> Path:
        """One line per event."""
        return self.path / EVENTS_NAME

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints, which resuming needs."""
        return self.path / "checkpoints"

    @property
    def classifier_file(self) -> Path:
        """The finished classifier, the file to use."""
        return self.path / FILE_NAME

    @property
    def best_file(self) -> Path:
        """The same, of the epoch that is kept so far, until the run has finished."""
        return self.path / BEST_FILE_NAME

    @property
    def answers_file(self) -> Path:
        """Answers of the classifier for every image of val and test."""
        return self.path / "answers.npz"

    @property
    def predictions_file(self) -> Path:
        """The same as a table for people."""
        return self.path / "predictions.csv"

    @property
    def report_file(self) -> Path:
        """The report, the page to read."""
        return self.path / "report.html"

    @property
    def log_file(self) -> Path:
        """The log of all that was said while the run trained."""
        return self.path / "log.txt"

    def write_record(self, record: Record) -> None:
        """Write recipe.json."""
        write_durably(self.recipe_file, (json.dumps(to_dict(record), indent=2) + "\n").encode())

    def read_record(self) -> Record:
        """Record in recipe.json.

        Raises:
            ResnetkitError: where this is no run folder.
        """
        require(
            self.recipe_file.is_file(),
            f"{self.path} is no run folder: it has no recipe.json",
            fix=f"give one of the runs in it, e.g. {self.path / '0001-…'}"
            if has_repeats(self.path)
            else "give the folder that train printed, e.g. runs/0001-…",
            code=Code.WEIGHTS,
        )
        what = f"{self.recipe_file} is damaged"
        try:
            return from_dict(Record, read_object(self.recipe_file))
        except (ValueError, RecursionError) as error:
            raise ResnetkitError(Code.WEIGHTS, what, why=repr(error)) from None
        except ResnetkitError as error:
            raise ResnetkitError(Code.WEIGHTS, what, why=error.what, fix=error.fix) from None

    def write_seen(self, seen: SeenImages) -> None:
        """Write images.json: the images that the run trains on and scores, and those its weights had met before."""
        write_durably(self.images_file, (json.dumps(to_dict(seen), indent=2) + "\n").encode())

    def read_seen(self) -> SeenImages | None:
        """The images of :meth:`write_seen`; None for a run of a version that did not write them down.

        Raises:
            ResnetkitError: for a damaged file.
        """
        if not self.images_file.is_file():
            return None
        try:
            return from_dict(SeenImages, json.loads(self.images_file.read_text()))
        except (ValueError, ResnetkitError) as error:
            raise ResnetkitError(Code.WEIGHTS, f"{self.images_file} is damaged", why=str(error)) from None

    def write_answers(self, answers: Sequence[Answers]) -> None:
        """Write answers.npz and predictions.csv: what the run's classifier answered on the splits it is scored on."""
        write_answers(self.answers_file, answers)
        write_predictions(self.predictions_file, answers)

    def read_answers(self) -> dict[str, Answers]:
        """The answers of :meth:`write_answers`, by split.

        Raises:
            ResnetkitError: where there are none, as in a run that has not ended or is of an earlier version, or they
                are damaged.
        """
        return read_answers(self.answers_file)

    def place_of_data(self, recipe: Recipe) -> str:
        """The place of the run's data: as its recipe says, or where it was last resumed with them."""
        moves = [event["data"] for event in self.events("moved") if isinstance(event.get("data"), str)]
        return str(moves[-1]) if moves else recipe.data.source

    def remember_place(self, recipe: Recipe, place: str) -> None:
        """Record that the run goes on with its data at another place; nothing where that is known."""
        if place != self.place_of_data(recipe):
            self.record("moved", data=place)

    def record(self, event: str, **values: Any) -> None:
        """Append one line to metrics.jsonl."""
        line = _line({"event": event, "time": datetime.now(UTC).isoformat(timespec="seconds"), **values})
        with io_errors(f"write {self.metrics_file}"), open(self.metrics_file, "a", encoding="utf-8") as file:
            file.write(line)

    def log(self, message: str) -> None:
        """Append to log.txt."""
        time = datetime.now().astimezone().isoformat(timespec="seconds")
        with io_errors(f"write {self.log_file}"), open(self.log_file, "ab") as file:
            file.write(f"{time} {shown(message)}\n".encode())

    def sync(self) -> None:
        """Force what was recorded and logged so far to the disk."""
        for path in (self.metrics_file, self.log_file, self.path):  # the folder last: it holds their names
            with io_errors(f"write {path}"):
                if path.exists():
                    sync_file(path)

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; one that was cut short by a kill, or is none of ours, is left out."""
        if not self.metrics_file.is_file():
            return []
        events = (_parsed(line) for line in self.metrics_file.read_bytes().split(b"\n"))
        return [event for event in events if event is not None and kind in (None, event["event"])]

    @property
    def started(self) -> datetime | None:
        """The time at which the run began, in UTC, as its first event says; None where none does."""
        try:
            with open(self.metrics_file, "rb") as file:
                first = _parsed(file.readline())
            return None if first is None else datetime.fromisoformat(first["time"]).astimezone(UTC)
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def newest_event(self, *kinds: str) -> dict[str, Any] | None:
        """The last line of metrics.jsonl that is of one of some kinds, read from its end; None without any."""
        if not self.metrics_file.is_file():
            return None
        events = (event for line in last_lines(self.metrics_file) if (event := _parsed(line)) is not None)
        return next((event for event in events if event["event"] in kinds), None)

    @property
    def last_step(self) -> int:
        """The last update that was recorded, from 1; 0 before any."""
        return max((event.get("step", 0) for event in self.events()), default=0)

    def forget_after(self, step: int, epoch: int) -> None:
        """Drop events of updates, and of ends of epochs, that are about to come again."""
        kept = [e for e in self.events() if e.get("step", 0) <= step and e.get("epoch", 0) <= epoch]
        write_durably(self.metrics_file, "".join(map(_line, kept)).encode())

    @property
    def is_running(self) -> bool:
        """Tell whether a process on this machine trains in this folder now."""
        return is_locked(self.path)

    def locked(self) -> AbstractContextManager[None]:
        """Keep a second process from training in this folder."""
        what = f"another process is training in {self.path}"
        return locked(self.path, if_taken=ResnetkitError(Code.USAGE, what, fix="wait for it, or stop it first"))


TEXTS = {"event", "time", "quantity", "data", "split", "image", "reason"}
AT_THE_END = {"scores", "num_trained_on", "calibration", "decided"}


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A line of metrics.jsonl; None for one that is none of ours.

    Of ours, what is neither a text of :data:`TEXTS` nor one of :data:`AT_THE_END` is a number, and the end of an epoch
    has that epoch.
    """
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    numbers = [value for key, value in event.items() if key not in TEXTS | AT_THE_END]
    are_numbers = all(value is None or (isinstance(value, int | float) and math.isfinite(value)) for value in numbers)
    counts = [event.get(key, 0) for key in ("step", "epoch")]
    are_counts = all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts)
    is_whole = event["event"] != "epoch" or {"epoch", "step", "train_loss", "train_top1"} <= set(event)
    return event if are_numbers and are_counts and is_whole else None


def _line(event: dict[str, Any]) -> str:
    """A line of metrics.jsonl, which is JSON and has no word for what is not finite."""
    finite = {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in event.items()}
    return json.dumps(finite, allow_nan=False) + "\n"
