"""One self-contained HTML page about a training run: it opens offline, and requests nothing from anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from markupsafe import Markup

from resnetkit.evaluation.metrics import ConfusedPair, Scores, confused_pairs
from resnetkit.evaluation.mistakes import Mistake
from resnetkit.files import write_durably
from resnetkit.images.types import UInt8Images
from resnetkit.pages.charts import Series, line_chart
from resnetkit.pages.formatting import percent
from resnetkit.pages.matrices import heat_map
from resnetkit.pages.raster import photo_url, png_image
from resnetkit.pages.templates import fill_template

# A heat map of more classes would have cells too small for their counts.
MAX_HEAT_MAP_CLASSES = 30
MAX_CONFUSED_PAIRS = 10
# Without a heat map the pairs are all there is to see.
MAX_CONFUSED_PAIRS_ALONE = 40
THUMBNAIL_PX = 160


class Why(NamedTuple):
    """Pictures of what in an image speaks for its true class and for the predicted one, uint8 ``(h, w, 3)``."""

    true: UInt8Images
    predicted: UInt8Images


@dataclass(frozen=True)
class Report:
    """Content of the page about a run; any part may be empty and is then left out.

    Attributes:
        command: repeats the run.
        summary: (label, value) pairs for the top of the page.
        history: one mapping per epoch with the keys epoch, train_loss, train_top1, val_loss, val_top1,
            learning_rate, images_per_second, elapsed_seconds (since the start); any but the epoch may be
            missing or None.
        scores: by split.
        judged: the split that the page is about; None without scores.
        val_chose: the validation images chose the epoch.
        mistakes: of that split, the worst first.
        why: pictures for each of them; empty: none were made.
        parts: rows of :func:`resnetkit.anatomy.table.as_rows`.
        recipe, environment: nested JSON values.
        notes: sentences the reader should know, e.g. about images that were left out.
    """

    title: str
    command: str
    summary: Sequence[tuple[str, str]] = ()
    history: Sequence[Mapping[str, Any]] = ()
    scores: Mapping[str, Scores] = field(default_factory=dict)
    judged: str | None = None
    val_chose: bool = True
    mistakes: Sequence[Mistake] = ()
    why: Sequence[Why] = ()
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
        {"thumbnail": thumbnail, "picture": picture},
        report=report,
        split=split,
        mistakes=zip_longest(report.mistakes, report.why),
        measured=None if split is None else _measured(report.scores, split),
        curves=learning_curves(report.history),
        best_epoch=max(_known(report.history, "val_top1"), key=lambda row: row["val_top1"], default=None),
        total_seconds=max((row["elapsed_seconds"] for row in _known(report.history, "elapsed_seconds")), default=0),
        images_per_second=median(
            [row["images_per_second"] for row in _known(report.history, "images_per_second")] or [0]
        ),
    )


# Title, how a split's scores show it, what it means.
MEASURES: list[tuple[str, Callable[[Scores], str | None], str]] = [
    (
        "Top-5",
        lambda scores: percent(scores.top5.value, 2) if scores.top5 else None,
        "Share of images whose true class is among the five most probable ones.",
    ),
    (
        "Macro F1",
        lambda scores: percent(scores.macro_f1, 2),
        "Balance of precision and recall, in which rare classes count as much as frequent ones.",
    ),
    (
        "Log loss",
        lambda scores: f"{scores.log_loss:.4f}",
        "Surprise at the true class: 0 is perfect, {evenly:.2f} is guessing evenly among {num_classes} classes.",
    ),
    (
        "Calibration error",
        lambda scores: percent(scores.expected_calibration_error, 2),
        "How far the probability stated with an answer is, on average, from how often such answers are right.",
    ),
]


@dataclass(frozen=True)
class _Measure:
    """One figure of the split the page is about, the same of the other splits, and what it means."""

    title: str
    value: str
    others: list[tuple[str, str | None]]
    meaning: str


@dataclass(frozen=True)
class _Measured:
    """The scores of the split that the page is about, and what is shown of them."""

    scores: Scores
    measures: list[_Measure]
    pairs: list[ConfusedPair]
    num_pairs: int
    heat_map: Markup | None


def _measured(all_scores: Mapping[str, Scores], split: str) -> _Measured:
    scores = all_scores[split]
    others = {name: other for name, other in all_scores.items() if name != split}
    num_classes = len(scores.classes)
    measures = [
        _Measure(
            title,
            value,
            [(name, show(other)) for name, other in others.items()],
            meaning.format(evenly=math.log(num_classes), num_classes=num_classes),
        )
        for title, show, meaning in MEASURES
        if (value := show(scores)) is not None
    ]
    names = [one.name for one in scores.classes]
    is_drawn = len(names) <= MAX_HEAT_MAP_CLASSES
    pairs = confused_pairs(scores)
    return _Measured(
        scores,
        measures,
        pairs[: MAX_CONFUSED_PAIRS if is_drawn else MAX_CONFUSED_PAIRS_ALONE],
        len(pairs),
        heat_map(scores.confusion_matrix.tolist(), names, names) if is_drawn else None,
    )


def learning_curves(history: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """Charts of loss, top-1 and learning rate over the epochs, those of them that were noted.

    Args:
        history: as in :class:`Report`.
    """

    def series(**keys: str) -> list[Series]:
        # An epoch that was not validated is no gap; one whose score was not finite is.
        rows = {name: [row for row in history if key in row] for name, key in keys.items()}
        return [
            Series(
                name,
                [row["epoch"] for row in rows[name]],
                [row[key] for row in rows[name]],
                is_dashed=name == "train",
            )
            for name, key in keys.items()
        ]

    charts = [
        (series(val="val_loss", train="train_loss"), "Loss", "{:.3g}".format),
        (series(val="val_top1", train="train_top1"), "Top-1", percent),
        (series(rate="learning_rate"), "Learning rate", "{:.2g}".format),
    ]
    return [
        line_chart(lines, "epoch", title, form) for lines, title, form in charts if any(one.points() for one in lines)
    ]


def _known(history: Sequence[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """The epochs that have a finite value under ``key``."""
    return [row for row in history if row.get(key) is not None and math.isfinite(row[key])]


def thumbnail(mistake: Mistake) -> Markup:
    """The image, on the page itself."""
    pixels = mistake.pixels.transpose(1, 2, 0) if len(mistake.pixels) == 3 else mistake.pixels[0]
    return png_image(pixels, mistake.identifier, longest_px=THUMBNAIL_PX)


def picture(pixels: UInt8Images, alt: str) -> Markup:
    """A picture, on the page itself."""
    return Markup('<img class="smooth" alt="{}" src="{}">').format(alt, photo_url(pixels))
