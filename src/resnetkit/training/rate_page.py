"""Sweeps of the learning rate as a page."""

from __future__ import annotations

import math
from pathlib import Path

from resnetkit.files import write_durably
from resnetkit.pages.charts import WIDE, Series, line_chart
from resnetkit.pages.templates import fill_template
from resnetkit.training.rate_range import smoothed
from resnetkit.training.rate_sweeps import FoundRate


def write_page(path: Path, found: FoundRate) -> None:
    """Write the page, whole or not at all."""
    write_durably(path, render_page(found).encode())


def render_page(found: FoundRate) -> str:
    """The page as HTML text."""
    read = found.range
    lines = []
    for number, one in enumerate(read.sweeps):
        losses = smoothed(one.losses, len(read.rates)).tolist() if one.losses else []
        xs = [math.log10(rate) for rate in read.rates[: len(losses)]]
        lines.append(Series(f"seed {one.seed}", xs, losses, colour=number))
    chart = line_chart(lines, "log10 of the learning rate", "loss, smoothed", "{:.3g}".format, width=WIDE)
    return fill_template("training/rate_range.html.jinja", found=found, read=read, chart=chart)
