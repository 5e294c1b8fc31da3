"""An audit as files: a page to look at, and tables for programs, in a new folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from resnetkit.audit.auditing import Audit
from resnetkit.audit.findings import Finding
from resnetkit.audit.label_issues import COLUMNS as LABEL_COLUMNS
from resnetkit.audit.label_issues import label_rows
from resnetkit.audit.page import render_page
from resnetkit.files import create_numbered_folder, durable_folder
from resnetkit.terminal import csv_line

PLACE = "audits"
PAGE, JSON_FILE, TABLE, LABELS = "report.html", "findings.json", "findings.csv", "labels.csv"
COLUMNS = (
    *("finding", "severity", "path", "split", "class", "other_path", "other_split", "other_class"),
    *("score", "note"),
)


def write_audit(audit: Audit, out: Path | None, command: str) -> Path:
    """Write an audit whole or not at all, and return its folder.

    Args:
        out: a folder that is empty or not there; None: a new one in :data:`PLACE`.
        command: repeats the audit.
    """
    with _place(out, audit.subject.source.name) as place, durable_folder(place) as folder:
        with open(folder / PAGE, "w", encoding="utf-8", errors="surrogateescape") as page:
            page.writelines(render_page(audit, command, TABLE))
        text = json.dumps(audit.as_dict(), indent=2) + "\n"
        (folder / JSON_FILE).write_text(text, encoding="utf-8")
        rows = (row for finding in audit.findings for row in _rows(audit, finding))
        _write_table(folder / TABLE, COLUMNS, rows)
        if audit.subject.label_judge is not None:
            _write_table(folder / LABELS, LABEL_COLUMNS, label_rows(audit.subject))
    return place


@contextmanager
def _place(out: Path | None, name: str) -> Iterator[Path]:
    """The folder to write to; a new one of ours is gone again where nothing comes to stand in it."""
    place = create_numbered_folder(Path(PLACE), name) if out is None else out
    try:
        yield place
    except BaseException:
        if out is None:
            with suppress(OSError):  # not empty: it was written, and what failed came later
                place.rmdir()
        raise


def _write_table(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as table:
        table.write(csv_line(columns))
        table.writelines(map(csv_line, rows))


def _rows(audit: Audit, finding: Finding) -> Iterator[tuple[str, ...]]:
    """The lines of the table about one finding."""
    subject, head = audit.subject, (finding.name, finding.severity)

    def told(row: int | None) -> tuple[str, str, str]:
        return ("", "", "") if row is None else (subject.identifiers[row], subject.split_of(row), subject.class_of(row))

    for mark in finding.marks:
        score = "" if mark.score is None else f"{mark.score:.6g}"
        yield (*head, *told(mark.row), *told(mark.other), score, mark.note)
    for bad in finding.unread:
        yield (*head, bad.path, "", "", "", "", "", "", bad.reason)
