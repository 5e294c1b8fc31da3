"""Learning curves of a run as charts: still ones, which a page can move a line over, plain and on a log scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from resnetkit.pages.axes import Axis
from resnetkit.pages.charts import Series, horizontal_axis, line_chart
from resnetkit.pages.formatting import percent


@dataclass(frozen=True)
class Curve:
    """A chart over the epochs.

    Attributes:
        values: the keys of an epoch that it draws, by the names of their lines.
        form: how it writes them: ``number`` or ``percent``.
        axis: where on it an epoch is.
        log_chart: the same on a log scale; None where that says nothing.
    """

    title: str
    values: Mapping[str, str]
    form: str
    chart: Markup
    axis: Axis
    log_chart: Markup | None


# Title, the keys of an epoch by the names of lines, how values are written, whether factors of them say something.
DRAWN: list[tuple[str, dict[str, str], str, Callable[[float], str], bool]] = [
    ("Loss", {"val": "val_loss", "train": "train_loss"}, "number", "{:.3g}".format, True),
    ("Top-1", {"val": "val_top1", "train": "train_top1"}, "percent", percent, False),
    ("Learning rate", {"rate": "learning_rate"}, "number", "{:.2g}".format, True),
]


def draw_curves(history: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """Loss, top-1 and learning rate over the epochs, those of them that were noted.

    Args:
        history: as in :class:`~resnetkit.runs.report.Report`.
    """
    curves = []
    for title, values, form, write, has_factors in DRAWN:
        lines = [_line(history, name, key) for name, key in values.items()]
        if not any(one.points() for one in lines):
            continue
        chart = line_chart(lines, "epoch", title, write)
        is_positive = has_factors and all(y > 0 for one in lines for _, y in one.points())
        log_chart = line_chart(lines, "epoch", title, write, is_log=True) if is_positive else None
        curves.append(Curve(title, values, form, chart, horizontal_axis(lines), log_chart))
    return curves


def learning_curves(history: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """The charts of :func:`draw_curves` alone."""
    return [curve.chart for curve in draw_curves(history)]


def _line(history: Sequence[Mapping[str, Any]], name: str, key: str) -> Series:
    # An epoch that was not validated is no gap; one whose score was not finite is.
    rows = [row for row in history if key in row]
    return Series(name, [row["epoch"] for row in rows], [row[key] for row in rows], is_dashed=name == "train")
