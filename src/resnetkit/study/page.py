"""Page of a study: verdicts first, then the curves of the paper's figure, the table, and every run."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from markupsafe import Markup

from resnetkit.files import write_durably
from resnetkit.pages.charts import WIDE, Series, line_chart
from resnetkit.pages.templates import fill_template
from resnetkit.study.findings import ArmFinding, Findings
from resnetkit.study.outcomes import Outcome
from resnetkit.study.reading_words import TITLES, estimate_words, published_words

Row = dict[str, Any]

STANDING_CLASSES = {"same direction": "same", "opposite": "wrong"}


@dataclass(frozen=True)
class Panel:
    """Curves of some arms."""

    title: str
    chart: Markup


def write_page(findings: Findings) -> None:
    """Write study.html into the study's folder."""
    write_durably(findings.page, page_html(findings).encode())


def page_html(findings: Findings) -> str:
    """The page, self-contained; its links lead to the reports of the runs beside it."""
    record = findings.record
    return fill_template(
        "study/study.html.jinja",
        {
            "estimate": estimate_words,
            "published": published_words,
            "command": shlex.join,
            "link": lambda run: _link(findings, run),
        },
        findings=findings,
        study=record.study,
        record=record,
        classes=STANDING_CLASSES,
        titles=TITLES,
        panels=_panels(findings.arms),
        to_do=findings.to_do,
        environment=_environment(findings.outcomes),
        commands=_commands(findings),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _panels(arms: Sequence[ArmFinding]) -> list[Panel]:
    by_panel = defaultdict[str, list[ArmFinding]](list)
    for finding in arms:
        by_panel[finding.arm.panel].append(finding)
    return [Panel(title, _chart(own)) for title, own in by_panel.items()]


def _chart(arms: Sequence[ArmFinding]) -> Markup:
    return line_chart(_series(arms), "epoch", "error, %", "{:.3g}".format, width=WIDE)


def _series(arms: Sequence[ArmFinding]) -> list[Series]:
    """Two curves of each arm, in one colour: training dashed, validation solid."""
    series = []
    for colour, finding in enumerate(arms):
        histories = [outcome.history for outcome in finding.outcomes]
        series.append(_curve("", [_errors(rows, "train_top1") for rows in histories], colour, is_dashed=True))
        series.append(_curve(finding.arm.name, [_errors(rows, "val_top1") for rows in histories], colour))
    return series


def _errors(rows: Sequence[Row], key: str) -> dict[int, float]:
    return {row["epoch"]: 100 * (1 - row[key]) for row in rows if row.get(key) is not None}


def _curve(name: str, runs: Sequence[dict[int, float]], colour: int, *, is_dashed: bool = False) -> Series:
    """Means over runs by epoch, in a band from the lowest run to the highest."""
    epochs = sorted(set().union(*runs))
    values = [[run[epoch] for run in runs if epoch in run] for epoch in epochs]
    has_band = len(runs) > 1 and not is_dashed
    return Series(
        name,
        epochs,
        [fmean(some) for some in values],
        lows=[min(some) for some in values] if has_band else (),
        highs=[max(some) for some in values] if has_band else (),
        colour=colour,
        is_dashed=is_dashed,
    )


def _link(findings: Findings, outcome: Outcome) -> str | None:
    """The report of a run, or its log while there is none, from the page."""
    if outcome.run is None:
        return None
    files = (outcome.run.report_file, outcome.run.log_file)
    file = next((file for file in files if file.is_file()), None)
    return None if file is None else file.relative_to(findings.folder).as_posix()


def _environment(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Values of where the runs were computed; several, where they differ."""
    records = [outcome.record.environment for outcome in outcomes if outcome.record is not None]
    names = dict.fromkeys(name for record in records for name in record)
    found = [(name, dict.fromkeys(str(record[name]) for record in records if name in record)) for name in names]
    return [(name.replace("_", " "), ", ".join(values)) for name, values in found if any(values)]


def _commands(findings: Findings) -> list[str]:
    """Commands that go on with the study, and that write this page anew."""
    return [shlex.join(["resnetkit", "study", verb, str(findings.folder)]) for verb in ("run", "report")]
