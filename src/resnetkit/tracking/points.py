"""Numbers of a run under the names that all trackers give them, and its texts and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from resnetkit.config import to_dict
from resnetkit.evaluation.metrics import Accuracy, Scores
from resnetkit.pages.raster import colour, png_bytes
from resnetkit.runs.events import StepReport
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result

Value = bool | int | float | str
SIDE_PX = 480
MOST_CELLS_TOLD = 50


@dataclass(frozen=True)
class Score:
    """One score of a finished classifier, ``scores/SPLIT_NAME``; shares of images have an interval and their number."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    num_images: int | None = None


def step_points(report: StepReport) -> dict[str, float]:
    """Numbers of an update: ``step/…``; loss and top-1 are means over the epoch so far."""
    return {
        "step/loss": report.loss,
        "step/top1": report.top1,
        "step/learning_rate": report.learning_rate,
        "step/images_per_second": report.images_per_second,
    }


def epoch_points(row: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of the end of an epoch, ``train/…``, ``val/…`` and ``epoch/…``, and those of its last update, ``step/…``.

    >>> row = {"epoch": 2, "step": 20, "train_loss": 0.5, "train_top1": 0.8, "val_balanced_top1": 0.7}
    >>> epoch_points(row | {"learning_rate": 0.1, "images_per_second": None, "elapsed_seconds": 9.0})
    {'step/loss': 0.5, 'step/top1': 0.8, 'step/learning_rate': 0.1, 'train/loss': 0.5, 'train/top1': 0.8,
    'val/balanced_top1': 0.7, 'epoch/elapsed_seconds': 9.0}
    """
    of_step = ("learning_rate", "images_per_second")
    points = {"step/loss": row["train_loss"], "step/top1": row["train_top1"]}
    points |= {f"step/{name}": row[name] for name in of_step}
    for name, value in row.items():
        group, _, rest = name.partition("_")
        if group in ("train", "val"):
            points[f"{group}/{rest}"] = value
        elif name not in ("epoch", "step", *of_step):
            points[f"epoch/{name}"] = value
    return {name: float(value) for name, value in points.items() if value is not None}


def scores_of(result: Result) -> list[Score]:
    """The scores of a finished run, of all its splits."""
    return [score for split, scores in result.scores.items() for score in _scores(split, scores)]


def as_scalars(scores: list[Score]) -> dict[str, float]:
    """Scores as numbers alone: an interval is two more of them.

    >>> as_scalars([Score("scores/test_top1", 0.5, 0.4, 0.6, 100)])
    {'scores/test_top1': 0.5, 'scores/test_top1_low': 0.4, 'scores/test_top1_high': 0.6}
    """
    ends = [(one.name + end, getattr(one, end[1:] or "value")) for one in scores for end in ("", "_low", "_high")]
    return {name: value for name, value in ends if value is not None}


def _scores(split: str, scores: Scores) -> Iterator[Score]:
    for name in ("top1", "top5"):
        share: Accuracy | None = getattr(scores, name)
        if share is not None:
            yield Score(f"scores/{split}_{name}", share.value, share.low, share.high, share.num_images)
    for name in ("log_loss", "expected_calibration_error", "macro_f1"):
        yield Score(f"scores/{split}_{name}", getattr(scores, name))


def hyperparameters(record: Record) -> dict[str, Value]:
    """The recipe, field by field under dotted paths, and which data it was; what is no single value is JSON."""
    tree = {**to_dict(record.recipe), "dataset": {"name": record.data.name, "fingerprint": record.data.fingerprint}}
    return dict(_flat(tree, ""))


def _flat(value: Any, path: str) -> Iterator[tuple[str, Value]]:
    """Leaves of a tree of dictionaries.

    >>> dict(_flat({"a": {"b": 1, "c": [2, 3]}, "d": None}, ""))
    {'a.b': 1, 'a.c': '[2, 3]', 'd': 'null'}
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    else:
        yield path, value if isinstance(value, Value) else json.dumps(value)


def mistakes(scores: Scores) -> list[tuple[str, str, int]]:
    """The confusion matrix but for right answers: true class, predicted class, number of images; most images first."""
    names = [one.name for one in scores.classes]
    cells = sorted(scores.confusion, key=lambda cell: -cell.num_images)
    return [(names[c.true], names[c.predicted], c.num_images) for c in cells if c.true != c.predicted]


def confusion_picture(scores: Scores) -> tuple[bytes, int]:
    """The confusion matrix as a square PNG, and its side in pixels: rows true classes, columns predicted ones.

    A cell is as bright as the cube root of its share of the row, so that rare mistakes show, as in the report.
    """
    matrix = scores.confusion_matrix
    cell_px = max(1, SIDE_PX // len(matrix))
    shares = np.cbrt(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))
    pixels = colour(shares).repeat(cell_px, axis=0).repeat(cell_px, axis=1)
    return png_bytes(pixels), len(pixels)


def told_in_markdown(result: Result) -> str:
    """Scores with their intervals, the commonest mistakes, and where the report is."""
    lines = ["| score | value | 95 % interval | images |", "| --- | --- | --- | --- |"]
    for one in scores_of(result):
        interval = f"{one.low:.4f} to {one.high:.4f}" if one.low is not None else ""
        count = "" if one.num_images is None else f"{one.num_images:,}"
        lines.append(f"| {one.name.removeprefix('scores/')} | {one.value:.4f} | {interval} | {count} |")
    judged = result.judged_split
    found = mistakes(result.scores[judged]) if judged else []
    if found:
        lines += ["", f"| {judged}: true | predicted | images |", "| --- | --- | --- |"]
        lines += [f"| {_cell(true)} | {_cell(other)} | {count:,} |" for true, other, count in found[:MOST_CELLS_TOLD]]
    return "\n".join([*lines, "", f"Report: {result.folder.report_file}"])


def _cell(name: str) -> str:
    return name.replace("|", "\\|").replace("\n", " ")
