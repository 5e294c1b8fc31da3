"""Answers for images on stdout, in the formats of ``resnetkit predict``, and what is told of them on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from resnetkit.pages.formatting import plain_percent, set_percent
from resnetkit.terminal import csv_line, for_programs, json_text, say_json, tell

if TYPE_CHECKING:
    from resnetkit.classifier.decision import Decision
    from resnetkit.classifier.prediction import Prediction

SHOWN_CLASSES = 5  # of a set, in a table
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@dataclass
class Counts:
    """Numbers of files of which something is to be told."""

    files: int = 0
    errors: int = 0
    unknown: int = 0
    unsure: int = 0
    losing_colour: int = 0
    first_read: int = 0

    def add(self, status: str, note: str) -> None:
        """Count a file, by its row."""
        from resnetkit.images.decoding import COLOUR_LOST, FIRST_READ

        self.files += 1
        self.errors += status == "error"
        self.unknown += status == "unknown"
        self.unsure += status == "unsure"
        self.losing_colour += COLOUR_LOST in note
        self.first_read += FIRST_READ in note

    def tell(self, decision: Decision) -> None:
        """Tell what has no class, by what thresholds, and what was lost; exits with 1 if any file could not be read."""
        images = f"of {self.files - self.errors:,} images"
        if self.unknown and decision.unknown is not None:
            at = f"unknown-at {set_percent(decision.unknown.rate)}"
            tell(f"{self.unknown:,} {images} {_are(self.unknown)} of no class that it knows ({at})")
        if self.unsure and decision.sure is not None:
            at = f"precision-at {set_percent(decision.sure.precision)}"
            tell(f"{self.unsure:,} {images} {_are(self.unsure)} answered too unsurely to name a class ({at})")
        if self.losing_colour:
            counted = f"{self.losing_colour:,} of {self.files:,} images in colour"
            tell(f"warning: {counted}, which the classifier, made for grey ones, does not see")
        if self.first_read:
            counted = f"in {self.first_read:,} of {self.files:,} files"
            tell(f"note: several pages or frames, of which the first is read, {counted}")
        if self.errors:
            tell(f"{self.errors:,} of {self.files:,} files could not be read or answered")
            raise typer.Exit(1)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def write_table(predictions: Iterable[Prediction], top: int) -> None:
    """A row per image, with what there is room for: the other probable classes, and the set where there is one."""
    from resnetkit.cli.tables import print_table

    columns, rows, sets = ["file", "status", "class", "probability", "then"][: 4 + (top > 1)], [], []
    for prediction in predictions:
        shares = [f"{name} {plain_percent(share, 1)}" for name, share in prediction.top]
        match prediction.status:
            case "ok":
                name, share = prediction.top[0]
                cells = [name, plain_percent(share, 1), ", ".join(shares[1:])]
            case "error":
                cells = [prediction.reason, "", ""]
            case _:  # it has no class, but classes that are the most probable ones
                cells = ["", "", ", ".join(shares)]
        rows.append([prediction.source, prediction.status, *cells][: len(columns)])
        sets.append(prediction.classes)
    if any(classes is not None for classes in sets):
        columns = [*columns, "set"]
        rows = [[*row, _in_short(classes or ())] for row, classes in zip(rows, sets, strict=True)]
    print_table(columns, rows, numbers=(3,))


def _in_short(classes: Sequence[str]) -> str:
    """Classes in a cell.

    >>> _in_short(("ant", "bee")), _in_short(tuple("abcdefgh"))
    ('ant, bee', 'a, b, c, d, e and 3 more')
    """
    more = f" and {len(classes) - SHOWN_CLASSES} more" if len(classes) > SHOWN_CLASSES else ""
    return ", ".join(classes[:SHOWN_CLASSES]) + more


def write_csv(predictions: Iterable[Prediction], top: int, *, has_sets: bool, safe: bool) -> None:
    """A row per image, in UTF-8.

    Args:
        has_sets: each row ends with its set of classes, a JSON list, because a class may be called anything.
        safe: a cell that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = for_programs()
    ranks = range(1, top + 1)
    answer_columns = (f"{what}_{rank}" for rank in ranks for what in ("class", "probability"))
    out.write(csv_line(("path", "status", "reason", *answer_columns, *(["set"] if has_sets else []))))
    for prediction in predictions:
        answers = [cell for name, share in prediction.top for cell in (name, f"{share:.6f}")] or [""] * (2 * top)
        cells = [prediction.source, prediction.status, prediction.reason, *answers]
        if has_sets:
            cells.append("" if prediction.classes is None else json_text(list(prediction.classes)))
        cells = [f"'{cell}" if safe and cell.startswith(FORMULA_SIGNS) else cell for cell in cells]
        out.write(csv_line(cells))


def write_jsonl(predictions: Iterable[Prediction], top: int) -> None:
    """A row per image, with all that is known of it."""
    for prediction in predictions:
        say_json(prediction.as_row())
