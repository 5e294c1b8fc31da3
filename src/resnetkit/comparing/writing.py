"""A comparison of runs as a folder: a page to read, and tables of what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from resnetkit.comparing.anything import Comparison
from resnetkit.comparing.compared_answers import AnswersComparison
from resnetkit.comparing.page import MOST_PICTURES, comparison_page
from resnetkit.comparing.pictures import read_pictures
from resnetkit.comparing.repeated_runs import RepeatsComparison
from resnetkit.comparing.sides import Side
from resnetkit.comparing.subject import Subject
from resnetkit.errors import require
from resnetkit.files import check_new_folder, durable_folder
from resnetkit.pages.raster import UInt8Pixels
from resnetkit.terminal import csv_line

PAGE_NAME = "comparison.html"
IMAGES_NAME = "images.csv"
RUNS_NAME = "runs.csv"


def write_comparison(out: Path, compared: Comparison, subjects: Sequence[Subject]) -> list[str]:
    """Write comparison.html, and images.csv or runs.csv, into a new folder; sentences on what is missing there.

    Raises:
        ResnetkitError: where there is no verdict to write of, and for a folder that holds something.
    """
    check_new_folder(out)
    require(
        compared.answers is not None or compared.repeats is not None,
        f"there is nothing to write to {out}: {compared.unanswered or 'no two of these have answers'}",
        fix="leave --out out, or compare finished runs, or files of resnetkit evaluate --answers",
    )
    pictures, missing = _pictures(compared)
    with durable_folder(out) as folder:
        (folder / PAGE_NAME).write_text(comparison_page(compared, pictures, missing), encoding="utf-8")
        if compared.answers is not None:
            sides = [one.answered.runs[0] for one in subjects if one.answered is not None]
            _write_rows(folder / IMAGES_NAME, _image_rows(compared.answers, sides))
        if compared.repeats is not None:
            _write_rows(folder / RUNS_NAME, _run_rows(compared.repeats))
    return [missing] if missing else []


def _pictures(compared: Comparison) -> tuple[dict[int, UInt8Pixels], str]:
    """Pictures of the images that the page shows, by their rows, and why there are none, or not all."""
    if compared.answers is None or len(compared.answers.pairs) != 1:
        return {}, ""
    only_one = compared.answers.pairs[0].only_one
    shown = [one for place in (0, 1) for one in [one for one in only_one if one.right == place][:MOST_PICTURES]]
    missing = ""
    for place, name in enumerate(compared.names if shown else ()):
        rows = {one.identifiers[place]: one.row for one in shown}
        found, why = read_pictures(name, {one.identifiers[place]: one.digest for one in shown})
        if found:
            return {rows[identifier]: pixels for identifier, pixels in found.items()}, why
        missing = missing or why
    return {}, f"no pictures: {missing}" if missing else ""


def _image_rows(compared: AnswersComparison, sides: Sequence[Side]) -> Iterator[tuple[str, ...]]:
    """A header, and a row for each image that some answer rightly and others not."""
    images = compared.images
    head = [f"{side.name} {column}" for side in sides for column in ("class", "probability", "correct")]
    yield ("image", "true_class", *head)
    right = np.stack([side.answers.is_right[rows] for side, rows in zip(sides, images.rows, strict=True)])
    for image in np.flatnonzero(right.any(0) & ~right.all(0)):
        cells: list[str] = []
        for side, rows in zip(sides, images.rows, strict=True):
            answers, row = side.answers, rows[image]
            told = answers.class_names[answers.predicted[row]], f"{answers.confidences[row]:.6f}"
            cells += [*told, ("no", "yes")[int(answers.is_right[row])]]
        identifier = sides[0].answers.identifiers[images.rows[0][image]]
        yield (identifier, images.class_names[images.labels[image]], *cells)


def _run_rows(compared: RepeatsComparison) -> Iterator[tuple[str, ...]]:
    yield ("side", "run", "top1", "num_images")
    for side in (compared.a, compared.b):
        for run, top1, num_images in zip(side.runs, side.top1, side.num_images, strict=True):
            yield (side.name, run, str(top1), str(num_images))


def _write_rows(file: Path, rows: Iterator[tuple[str, ...]]) -> None:
    file.write_bytes("".join(map(csv_line, rows)).encode("utf-8", "surrogateescape"))
