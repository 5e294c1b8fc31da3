"""One self-contained HTML page about a training run: it opens offline, and requests nothing from anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from markupsafe import Markup

from resnetkit.data.types import DataAudit
from resnetkit.evaluation.decision_score_words import iter_facts
from resnetkit.evaluation.decision_scores import DecisionScores
from resnetkit.evaluation.metrics import Scores
from resnetkit.evaluation.mistakes import Mistake
from resnetkit.files import write_durably
from resnetkit.images.types import UInt8Images
from resnetkit.pages.raster import SMALL_PREFIX, as_picture, photo_image
from resnetkit.pages.templates import fill_template, for_script
from resnetkit.runs.previous import Previous
from resnetkit.runs.report_calibration import DrawnCalibration
from resnetkit.runs.report_curves import draw_curves
from resnetkit.runs.report_images import ScoredImages
from resnetkit.runs.report_measures import measured
from resnetkit.runs.report_thresholds import Thresholds

THUMBNAIL_PX = 160
# Of longer tables, a page without scripts has the first rows.
MAX_STILL_ROWS = 100


class Why(NamedTuple):
    """Pictures of what in an image speaks for its true class and for the predicted one, uint8 ``(h, w, 3)``."""

    true: UInt8Images
    predicted: UInt8Images


@dataclass(frozen=True)
class Report:
    """Content of the page about a run; any part may be empty and is then left out.

    Attributes:
        command: repeats the run.
        is_finished: the run has ended; else the page is about what there is so far.
        summary: (label, value) pairs for the top of the page.
        history: one mapping per epoch with the keys epoch, train_loss, train_top1, val_loss, val_top1,
            learning_rate, images_per_second, elapsed_seconds (since the start); any but the epoch may be
            missing or None.
        scores: by split.
        judged: the split that the page is about; None without scores.
        val_chose: the validation images chose the epoch.
        mistakes: of that split, the worst first.
        why: pictures for each of them; empty: none were made.
        images: all images of that split that count, one by one; None for a page that leaves them out.
        thresholds: what is left of its answers where only sure ones are taken.
        decided: what the thresholds of its decision come to on it.
        calibration: how far its probabilities can be believed.
        audit: what is wrong with the images as far as their pixels tell it, and how many there are of each class.
        class_names: of the data.
        look_closer: the command that looks for more; empty where there is nothing to name.
        previous: what changed since the run before on the same data.
        parts: rows of :func:`resnetkit.anatomy.table.as_rows`.
        recipe, environment: nested JSON values.
        notes: sentences the reader should know, e.g. about images that were left out.
    """

    title: str
    command: str
    is_finished: bool = True
    summary: Sequence[tuple[str, str]] = ()
    history: Sequence[Mapping[str, Any]] = ()
    scores: Mapping[str, Scores] = field(default_factory=dict)
    judged: str | None = None
    val_chose: bool = True
    mistakes: Sequence[Mistake] = ()
    why: Sequence[Why] = ()
    images: ScoredImages | None = None
    thresholds: Thresholds | None = None
    decided: DecisionScores | None = None
    calibration: DrawnCalibration | None = None
    audit: DataAudit | None = None
    class_names: Sequence[str] = ()
    look_closer: str = ""
    previous: Previous | None = None
    parts: Sequence[Mapping[str, Any]] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


def write_report(path: Path, report: Report) -> None:
    """Write the page to ``path``, whole or not at all."""
    write_durably(path, render_report(report).encode())


def render_report(report: Report) -> str:
    """The page as HTML text. All strings of the report are escaped, and so are control characters and bytes in them."""
    split = report.judged
    return fill_template(
        "runs/report.html.jinja",
        {"thumbnail": thumbnail, "picture": photo_image},
        report=report,
        split=split,
        mistakes=zip_longest(report.mistakes, report.why),
        decided=() if report.decided is None else list(iter_facts(report.decided)),
        measured=None if split is None else measured(report.scores, split),
        curves=draw_curves(report.history),
        best_epoch=max(_known(report.history, "val_top1"), key=lambda row: row["val_top1"], default=None),
        total_seconds=max((row["elapsed_seconds"] for row in _known(report.history, "elapsed_seconds")), default=0),
        images_per_second=median(
            [row["images_per_second"] for row in _known(report.history, "images_per_second")] or [0]
        ),
        max_rows=MAX_STILL_ROWS,
        script_data=for_script(script_data(report)),
    )


def script_data(report: Report) -> dict[str, Any]:
    """Plain values that the page's script works with; whatever it has none of, it leaves as it stands."""
    data: dict[str, Any] = {"history": list(report.history)}
    if report.judged is not None:
        scores = report.scores[report.judged]
        data["classes"] = [one.name for one in scores.classes]
        data["cells"] = [[cell.true, cell.predicted, cell.num_images] for cell in scores.confusion]
    if report.thresholds is not None:
        data["thresholds"] = asdict(report.thresholds)
    if report.images is not None:
        prefix = {"picture_prefix": SMALL_PREFIX} if report.images.num_pictures else {}
        data["images"] = report.images.as_values() | prefix
    return data


def _known(history: Sequence[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """The epochs that have a finite value under ``key``."""
    return [row for row in history if row.get(key) is not None and math.isfinite(row[key])]


def thumbnail(mistake: Mistake) -> Markup:
    """The image, on the page itself."""
    return photo_image(as_picture(mistake.pixels), mistake.identifier, longest_px=THUMBNAIL_PX)
