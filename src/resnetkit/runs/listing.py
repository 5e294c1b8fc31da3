"""All runs below a folder, a row each: data, network, differences of the recipe, score, time, and state.

Of a run, its record is read and the end of its events: hundreds are listed in seconds, and no torch is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from resnetkit.config import from_dict, to_dict
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.pages.formatting import flatten
from resnetkit.runs.finding import find_runs
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record

Status = Literal["finished", "running", "interrupted", "diverged", "damaged"]

TOLD_APART = ("model_name", "name", "data.source", "data.data_dir")  # by columns of their own


@dataclass(frozen=True)
class RunRow:
    """A run as it is now.

    Attributes:
        run: path of its folder.
        repeats: the folder of repeats that it is one of; None for one that stands alone.
        status: ``interrupted`` may be resumed; ``damaged`` says in ``reason`` why nothing more is known of it.
        data, network, recipe: their names.
        differs: values of the recipe that most runs on these data, or of the network that most runs of that name on
            them, have otherwise, by their field.
        epoch, epochs: the last that has ended, and all that were planned.
        scores: top-1 by split.
        val_chose: a score on ``val`` is of the images that chose the epoch.
        seconds: of training; of a run that has not finished, until the end of its last epoch.
        started: when, in UTC.
    """

    run: Path
    status: Status
    repeats: Path | None = None
    data: str | None = None
    network: str | None = None
    recipe: str | None = None
    differs: Mapping[str, str] = field(default_factory=dict)
    epoch: int | None = None
    epochs: int | None = None
    scores: Mapping[str, Accuracy] = field(default_factory=dict)
    val_chose: bool = False
    seconds: float | None = None
    started: datetime | None = None
    reason: str = ""

    @property
    def split(self) -> str | None:
        """The split whose score says most; None without any."""
        return next((name for name in ("test", "val") if name in self.scores), None)

    @property
    def top1(self) -> Accuracy | None:
        """The score on it."""
        return None if self.split is None else self.scores[self.split]

    def as_values(self) -> dict[str, Any]:
        """Plain values, for JSON and tables; scores are shares in [0, 1]."""
        top1 = self.top1
        return {
            "run": str(self.run),
            "status": self.status,
            "repeats": None if self.repeats is None else str(self.repeats),
            "data": self.data,
            "network": self.network,
            "recipe": self.recipe,
            "differs": dict(self.differs),
            "split": self.split,
            "top1": None if top1 is None else top1.value,
            "top1_low": None if top1 is None else top1.low,
            "top1_high": None if top1 is None else top1.high,
            "num_images": None if top1 is None else top1.num_images,
            **{f"{name}_top1": self.scores[name].value if name in self.scores else None for name in ("val", "test")},
            "val_chose": self.val_chose,
            "epoch": self.epoch,
            "epochs": self.epochs,
            "seconds": self.seconds,
            "started": None if self.started is None else self.started.isoformat(),
            "reason": self.reason,
        }


COLUMNS = tuple(RunRow(Path(), "damaged").as_values())
# The best, the longest and the newest first.
DESCENDING = ("top1", "top1_low", "top1_high", "num_images", "val_top1", "test_top1", "epoch", "seconds", "started")


class Listing(NamedTuple):
    """A row for each run, and what could not be looked into, each with the reason."""

    rows: list[RunRow]
    unread: tuple[str, ...]


def list_runs(parent: Path, *, sort: str = "run", most: int | None = None) -> Listing:
    """All runs below a folder, as :func:`~resnetkit.runs.finding.find_runs` has them: of repeats and of studies too.

    Args:
        sort: one of :data:`COLUMNS`; of :data:`DESCENDING`, what is highest comes first. What lacks it comes last.
        most: so many of them, the first.

    Raises:
        ResnetkitError: for a column that is none, and where there is no such folder.
    """
    require(sort in COLUMNS, f"runs have no column '{sort}' to sort by", fix=did_you_mean(sort, COLUMNS))
    require(most is None or most >= 1, f"at least 1 run must be asked for, got {most}")
    require(
        parent.is_dir(),
        f"there is no folder {parent}",
        fix="resnetkit train DATA makes runs in the folder runs; or give another: resnetkit runs FOLDER",
        code=Code.DATA,
    )
    found = find_runs(parent)
    read = [(run.repeats, *_read(RunFolder(run.path))) for run in found.runs]
    usual = _usual_values([record for *_, record in read if record is not None])
    rows = [
        replace(row, repeats=repeats, differs={} if record is None else _unusual(record, usual))
        for repeats, row, record in read
    ]
    return Listing(_sorted(rows, sort)[:most], found.unread)


def _read(folder: RunFolder) -> tuple[RunRow, Record | None]:
    """A run, but for what it takes the others to know; None: it has no record."""
    try:
        if not folder.recipe_file.is_file():
            raise ResnetkitError(Code.WEIGHTS, "it has no recipe.json any more")
        record = folder.read_record()
        return _row(folder, record), record
    except (ResnetkitError, OSError) as error:
        status: Status = "running" if folder.is_running else "damaged"
        what = error.what if isinstance(error, ResnetkitError) else str(error)
        return RunRow(folder.path, status, reason=what), None


def _row(folder: RunFolder, record: Record) -> RunRow:
    recipe = record.recipe
    last = folder.newest_event("end", "diverged", "epoch") or {"event": "start"}
    row = RunRow(
        folder.path,
        "finished",
        data=record.data.name or Path(recipe.data.source).name,
        network=recipe.model_name,
        recipe=recipe.name,
        epochs=recipe.epochs,
        val_chose=recipe.validation_chooses,
        started=folder.started,
    )
    if last["event"] == "end":
        try:
            scores = {name: from_dict(Accuracy, score["top1"]) for name, score in last["scores"].items()}
            return replace(row, scores=scores, seconds=float(last["seconds"]), epoch=_last_epoch(folder))
        except (ResnetkitError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return replace(row, status="damaged", reason=f"the end of {folder.metrics_file} is damaged")
    status: Status = "diverged" if last["event"] == "diverged" else "interrupted"
    if folder.is_running:
        status = "running"
    epoch = last if last["event"] == "epoch" else folder.newest_event("epoch") or {}
    return replace(row, status=status, epoch=epoch.get("epoch", 0), seconds=epoch.get("elapsed_seconds"))


def _last_epoch(folder: RunFolder) -> int | None:
    epoch = folder.newest_event("epoch")
    return None if epoch is None else int(epoch["epoch"])


Usual = Mapping[tuple[str, ...], str]  # the most common value, by field and the runs that it is common among


def _usual_values(records: Sequence[Record]) -> Usual:
    """Of equally many, the first run's."""
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for record in records:
        for key, value in _values(record).items():
            counts.setdefault(key, Counter())[value] += 1
    return {key: values.most_common(1)[0][0] for key, values in counts.items()}


def _unusual(record: Record, usual: Usual) -> dict[str, str]:
    return {key[0]: value for key, value in _values(record).items() if value != usual[key]}


def _values(record: Record) -> dict[tuple[str, ...], str]:
    """Values of a recipe by their field, the data and, of the network, its name."""
    recipe = record.recipe
    return {
        (path, recipe.data.source, recipe.model_name if path.startswith("model.") else ""): value
        for path, value in flatten(to_dict(recipe))
        if path not in TOLD_APART
    }


def _sorted(rows: list[RunRow], column: str) -> list[RunRow]:
    """Rows in the order of a column; those that are equal in it stay as they were."""
    keys = {id(row): row.as_values()[column] for row in rows}
    known = [row for row in rows if keys[id(row)] not in (None, "", {})]
    known.sort(key=lambda row: _key(keys[id(row)]), reverse=column in DESCENDING)
    return known + [row for row in rows if keys[id(row)] in (None, "", {})]


def _key(value: Any) -> Any:
    return str(value) if isinstance(value, dict) else value
