"""Answers that a run kept for its own images, and thumbnails of these; no other file is ever read for a client."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from resnetkit.classifier.decision import Decision
from resnetkit.data.dataset_files import read_at_hand
from resnetkit.data.datasets import DATASETS
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.answers import Answers
from resnetkit.folders.table_file import is_table
from resnetkit.images.decoding import decode
from resnetkit.images.preprocessing import array_to_image
from resnetkit.images.spec import Limits
from resnetkit.images.types import UnreadableImage
from resnetkit.runs.finding import is_run
from resnetkit.runs.folder import RunFolder
from resnetkit.terminal import json_text

JUDGED = ("test", "val")  # in this order; of test images, nothing has chosen the classifier
QUALITY = 85
RGB = 3


@dataclass(frozen=True)
class KeptAnswers:
    """A run's answers for the split that says most, those for images that it was trained on left out.

    Attributes:
        rows: positions in ``answers`` of the others.
        text: all of it as JSON.
    """

    answers: Answers
    rows: npt.NDArray[np.int64]
    text: str


def run_of(source: str) -> RunFolder | None:
    """The run that a classifier's source is; None where it is anything else."""
    folder = Path(source).expanduser()
    return RunFolder(folder) if is_run(folder) else None


def kept_answers(run: RunFolder, decision: Decision) -> KeptAnswers | None:
    """The kept answers of a run, with the statuses that a decision gives them; None where there are none.

    Raises:
        ResnetkitError: for damaged ones.
    """
    try:
        status = run.answers_file.stat()
    except OSError:
        return None
    return _read(run, decision, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _read(run: RunFolder, decision: Decision, *stamp: int) -> KeptAnswers | None:
    splits = run.read_answers()
    answers = next((splits[name] for name in (*JUDGED, *splits) if name in splits), None)
    if answers is None:
        return None
    rows = np.flatnonzero(~answers.trained_on)
    return KeptAnswers(answers, rows, json_text(_as_tree(answers, rows, decision)))


def _as_tree(answers: Answers, rows: npt.NDArray[np.int64], decision: Decision) -> dict[str, Any]:
    """All of it, JSON-ready; no status where that takes a familiarity that was not kept."""
    names, statuses = answers.class_names, answers.decided_by(replace(decision, sets=None)).statuses
    is_told = decision.unknown is None or answers.familiarity is not None
    return {
        "split": answers.split,
        "class_names": list(names),
        "num_images": len(rows),
        "rows": [
            {
                "index": row,
                "path": answers.identifiers[row],
                "true": names[answers.labels[row]],
                "answer": names[answers.predicted[row]],
                "status": statuses[row] if is_told else None,
                "probability": float(answers.confidences[row]),
                "true_probability": float(answers.true_probabilities[row]),
            }
            for row in rows.tolist()
        ],
    }


def thumbnail(run: RunFolder, kept: KeptAnswers, index: int, size_px: int, limits: Limits) -> bytes | None:
    """A JPEG of an image of the kept answers, its longer side at most ``size_px``; None where the image is gone."""
    if not 0 <= index < len(kept.answers):
        return None
    try:
        image = _find_image(run, kept.answers.identifiers[index], size_px, limits)
    except (UnreadableImage, ResnetkitError, OSError):
        return None
    if image is None:
        return None
    if max(image.size) < size_px:  # tiny images as square pixels
        factor = max(1, size_px // max(image.size))
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    image.thumbnail((size_px, size_px))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _find_image(run: RunFolder, identifier: str, size_px: int, limits: Limits) -> Image.Image | None:
    recipe = run.read_record().recipe
    place, parts = run.place_of_data(recipe), PurePosixPath(identifier).parts
    if place in DATASETS:
        return _named_image(place, recipe.data.data_dir, parts)
    if not parts or PurePosixPath(identifier).is_absolute() or ".." in parts:
        return None
    root = Path(place).expanduser()
    file = (root.parent if is_table(root) else root).joinpath(*parts)
    return decode(file, limits, RGB, size_px) if file.is_file() else None


def _named_image(name: str, data_dir: str | None, parts: Sequence[str]) -> Image.Image | None:
    """An image of a named data set, ``name/split/number``, where that is at hand."""
    splits = _named_images(name, data_dir)
    match parts:
        case (own, split, number) if own == name and splits is not None and split in splits and number.isdecimal():
            images = splits[split]
            if int(number) >= len(images):
                return None
            return array_to_image(images[int(number)]).convert("RGB")
        case _:
            return None


@lru_cache(maxsize=1)
def _named_images(name: str, data_dir: str | None) -> dict[str, npt.NDArray[np.uint8]] | None:
    found = read_at_hand(DATASETS[name], data_dir)
    return None if found is None else {split: images for split, (images, _) in found.items()}
