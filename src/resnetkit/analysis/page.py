"""The page about one network, or two side by side: each figure with its paper, what it should show, and shows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from markupsafe import Markup, escape

from resnetkit.analysis.analyses import Analysis
from resnetkit.analysis.figure import Figure
from resnetkit.analysis.panel_charts import Chart, draw_panels
from resnetkit.analysis.verdicts import judge
from resnetkit.config import to_dict
from resnetkit.files import create_numbered_folder, write_durably
from resnetkit.pages.templates import fill_template

BOTH = "both"
PAGE, VALUES = "analysis.html", "analysis.json"


@dataclass(frozen=True)
class Section:
    """A figure on the page, of one network or of two.

    Attributes:
        figures: by the networks' names.
        source: the paper, with its link.
        verdict: one sentence on both networks; empty for one.
    """

    figures: dict[str, Figure]
    charts: tuple[Chart, ...]
    source: Markup
    verdict: str

    @property
    def first(self) -> Figure:
        """The figure whose title, source and expectation are shown."""
        return next(iter(self.figures.values()))

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes of all figures, each once; those that not all have say of which network they are."""
        notes = dict.fromkeys(note for figure in self.figures.values() for note in figure.notes)
        return tuple(self._note(note) for note in notes)

    @property
    def numbers(self) -> dict[str, dict[str, float]]:
        """Numbers by their names, then by the networks'."""
        names = dict.fromkeys(number for figure in self.figures.values() for number in figure.numbers)
        by_network = {network: figure.numbers for network, figure in self.figures.items()}
        return {
            number: {network: numbers[number] for network, numbers in by_network.items() if number in numbers}
            for number in names
        }

    def _note(self, note: str) -> str:
        owners = [network for network, figure in self.figures.items() if note in figure.notes]
        return note if len(owners) == len(self.figures) else f"{', '.join(owners)}: {note}"


def name_networks(sources: Sequence[str]) -> tuple[str, ...]:
    """Short names of what was given: the last part of each path, or where these are alike, all of it.

    >>> name_networks(["runs/0001-plain56-digits", "resnet56"])
    ('0001-plain56-digits', 'resnet56')
    >>> name_networks(["a/best.pth", "b/best.pth"])
    ('a/best.pth', 'b/best.pth')
    """
    short = tuple(PurePath(source).name or source for source in sources)
    return short if len(set(short)) == len(short) else tuple(sources)


def lay_out(analyses: Sequence[Analysis]) -> list[Section]:
    """The sections of the page, in the order of the figures."""
    names = name_networks([analysis.source for analysis in analyses])
    wanted = dict.fromkeys(figure.name for analysis in analyses for figure in analysis.figures)
    sections = []
    for figure_name in wanted:
        figures = {
            name: figure
            for name, analysis in zip(names, analyses, strict=True)
            for figure in analysis.figures
            if figure.name == figure_name
        }
        first, *others = figures.values()
        if others == [first]:
            figures = {BOTH: first}  # what does not depend on what makes the two differ is shown once
        verdict = judge(first, others[0], (names[0], names[1])) if len(figures) == 2 else ""
        sections.append(Section(figures, tuple(draw_panels(figures)), _linked(first.source), verdict))
    return sections


def render_page(analyses: Sequence[Analysis], command: str) -> str:
    """The page of one analysis, or of two side by side, as HTML text; everything in it is escaped.

    Args:
        command: makes it again.
    """
    names = name_networks([analysis.source for analysis in analyses])
    return fill_template(
        "analysis/analysis.html.jinja",
        {"left_out": group_left_out},
        analyses=dict(zip(names, analyses, strict=True)),
        sections=lay_out(analyses),
        command=command,
    )


def group_left_out(analysis: Analysis) -> dict[str, list[str]]:
    """Names of the figures that could not be made, by the reason."""
    groups: dict[str, list[str]] = {}
    for one in analysis.left_out:
        groups.setdefault(one.reason, []).append(one.name)
    return groups


def as_values(analyses: Sequence[Analysis]) -> dict[str, Any]:
    """All that was measured, JSON-ready; what is no finite number is null."""
    verdicts = {section.first.name: section.verdict for section in lay_out(analyses) if section.verdict}
    return {"analyses": [_finite(to_dict(analysis)) for analysis in analyses], "verdicts": verdicts}


def write_analyses(out: Path, analyses: Sequence[Analysis], command: str) -> Path:
    """Write the page, and its values as JSON, to a new folder ``NNNN-name`` in ``out``; return it."""
    name = "-against-".join(name_networks([analysis.source for analysis in analyses]))
    page = render_page(analyses, command)
    values = json.dumps(as_values(analyses) | {"command": command}, ensure_ascii=False, indent=1)
    folder = create_numbered_folder(out, name)
    write_durably(folder / VALUES, values.encode(errors="surrogateescape"))
    write_durably(folder / PAGE, page.encode())
    return folder


def _finite(tree: Any) -> Any:
    match tree:
        case dict():
            return {name: _finite(value) for name, value in tree.items()}
        case list():
            return [_finite(value) for value in tree]
        case float():
            return tree if math.isfinite(tree) else None
        case _:
            return tree


def _linked(source: str) -> Markup:
    """A source with a link at each paper on arXiv."""
    link = Markup('<a href="https://arxiv.org/abs/{0}">arXiv:{0}</a>')
    parts = re.split(r"arXiv:(\d{4}\.\d{4,5})", source)
    return Markup("").join(link.format(part) if i % 2 else escape(part) for i, part in enumerate(parts))
