"""Every scored image as a report's page holds it: a row of plain values, and a small picture while there is room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from resnetkit.classifier.decision import Probabilities
from resnetkit.data.datasets import DATASETS
from resnetkit.data.reading import read_in_turn
from resnetkit.data.types import Split
from resnetkit.evaluation.answers import Answers
from resnetkit.images.types import Indices
from resnetkit.pages.raster import as_picture, small_picture

# A page opens at once, and can be sent by mail, up to about 15 MB: this many characters of it are pictures.
PICTURE_CHARACTERS = 9_000_000
PICTURE_PX = 64
# Of few images, larger ones have room.
LARGE_PICTURE_PX, MOST_LARGE = 128, 1500
# More rows would take more room than the pictures.
MAX_ROWS = 50_000
ROWS_TOGETHER = 128
DIGITS = 6  # as in predictions.csv


@dataclass(frozen=True)
class ScoredImages:
    """The images of a split that count for its score, those that most deserve a look first.

    These are the wrong answers, the surest first, then the right ones, the least sure first.

    Attributes:
        answers: those for the images, in this order.
        pictures: small ones as text, see :func:`resnetkit.pages.raster.small_picture`; empty where there is none.
        root: the folder that the images' names start from; None where they are no files.
        num_images: of the split; more than there are answers where these would be too many for a page.
    """

    answers: Answers
    pictures: Sequence[str]
    root: str | None
    num_images: int

    @classmethod
    def of(cls, answers: Answers, pictures: Mapping[int, str], root: str | None) -> ScoredImages:
        """Put them in order.

        Args:
            pictures: by row of the answers.
        """
        rows = by_interest(answers)
        kept = rows[:MAX_ROWS]
        return cls(answers.select(kept), [pictures.get(row, "") for row in kept.tolist()], root, len(rows))

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def num_pictures(self) -> int:
        """Number of images that are shown."""
        return sum(map(bool, self.pictures))

    def still_rows(self, limit: int) -> list[dict[str, Any]]:
        """The first rows, with names of classes."""
        first, names = self.answers.select(np.arange(min(limit, len(self)))), self.answers.class_names
        columns = zip(
            first.identifiers, first.labels, first.predicted, first.confidences, first.true_probabilities, strict=True
        )
        return [
            {"image": image, "true": names[true], "answer": names[answer], "probability": p, "true_probability": q}
            for image, true, answer, p, q in columns
        ]

    def as_values(self) -> dict[str, Any]:
        """Plain values, for the page's script; a column each, because names of keys would take most of the room."""
        answers = self.answers
        columns = {
            "probability": answers.confidences,
            "true_probability": answers.true_probabilities,
            "margin": margins(answers),
        }
        return {
            "root": self.root,
            "split": answers.split,
            "image": list(answers.identifiers),
            "true": answers.labels.tolist(),
            "answer": answers.predicted.tolist(),
            **{name: [round(value, DIGITS) for value in column.tolist()] for name, column in columns.items()},
            "picture": list(self.pictures) if self.num_pictures else [],
        }


def by_interest(answers: Answers) -> Indices:
    """The rows that count for a score: wrong answers, the surest first, then right ones, the least sure first."""
    rows = np.flatnonzero(~answers.trained_on)
    sign = np.where(answers.is_right[rows], 1, -1)
    order = np.lexsort((sign * answers.confidences[rows], answers.is_right[rows]))
    ordered: Indices = rows[order]
    return ordered


def margins(answers: Answers) -> Probabilities:
    """Margins ``(N,)`` by which the answer is more probable than the next class; of a single class, than nothing."""
    nothing = np.zeros((len(answers), 1), np.float32)
    next_best: Probabilities = np.partition(np.hstack([answers.probabilities, nothing]), -2, axis=1)[:, -2]
    return answers.confidences - next_best


def draw_pictures(answers: Answers, split: Split, rows: Indices) -> dict[int, str]:
    """Small pictures of the images that most deserve a look, by their rows, as many as a page has room for.

    Args:
        answers: of the run.
        split: where the images at ``rows`` of these answers are, in the same order.
    """
    place = {row: position for position, row in enumerate(rows.tolist())}
    wanted = [row for row in by_interest(answers)[:MAX_ROWS].tolist() if row in place]
    batches = [
        np.array([place[row] for row in wanted[start : start + ROWS_TOGETHER]])
        for start in range(0, len(wanted), ROWS_TOGETHER)
    ]
    side_px = LARGE_PICTURE_PX if len(wanted) <= MOST_LARGE else PICTURE_PX
    pictures: dict[int, str] = {}
    room, todo = PICTURE_CHARACTERS, iter(wanted)
    for pixels in read_in_turn(split.images, batches):
        for image in pixels:
            picture = small_picture(as_picture(image), side_px)
            room -= len(picture)
            if room < 0:
                return pictures
            pictures[next(todo)] = picture
    return pictures


def root_of(place: str) -> str | None:
    """The whole path of the folder that the images' names start from; None where they are no files here.

    Args:
        place: of the data: a named data set, a folder, or a list of files.
    """
    path = Path(place).expanduser()
    if place in DATASETS or not path.exists():
        return None
    folder = path if path.is_dir() else path.parent
    return str(folder.resolve())
