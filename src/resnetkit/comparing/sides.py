"""Sides of a comparison by answers: a run, several repeats of one, or a file of answers that evaluate wrote."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from resnetkit.classifier.decision import ROUNDING
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.shared_images import SharedImages, share_images
from resnetkit.runs.answer_files import read_answers
from resnetkit.runs.finding import is_run
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.repeats import read_repeats
from resnetkit.runs.result import finished_result

# Those say most of which no one has seen the images while training went on.
JUDGED = ("test", "all", "val")
SUREST = 0.99  # where all answers are surer, other classifiers may well give the same probabilities


@dataclass(frozen=True)
class Side:
    """One of those that are compared, and what it answered on the split that it is judged by.

    Attributes:
        val_chose: these are validation images that chose among its epochs; None: they may have.
    """

    name: str
    answers: Answers
    val_chose: bool | None = False


@dataclass(frozen=True)
class Answered:
    """One or more runs of one way to train, with their answers.

    Attributes:
        by: what differs between several; None for one alone.
        runs: those that have answers.
        places: of each, the folder or file that it is, as the disk knows it.
        seeds: of each; empty where it is not known, as of a file.
        notes: sentences on runs that are missing.
    """

    name: str
    by: Literal["seeds", "folds"] | None
    runs: tuple[Side, ...]
    places: tuple[Path, ...]
    seeds: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def answered_by_run(name: str, run: RunFolder) -> Answered:
    """A finished run's answers on the split that it is judged by.

    Raises:
        ResnetkitError: where it kept none, or has no images to be judged by.
    """
    recipe = run.read_record().recipe
    side = _judged(name, run.read_answers(), val_chose=recipe.validation_chooses)
    return Answered(name, None, (side,), (run.path.resolve(),), (recipe.seed,))


def is_answers_file(path: Path) -> bool:
    """Tell whether a file is one of answers, and not of weights in numpy's format."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False
    return "format.npy" in names and any(name.endswith(".trained_on.npy") for name in names)


def answered_in_file(name: str, path: Path) -> Answered:
    """The answers in a file; whether its validation images chose an epoch, it does not say.

    Raises:
        ResnetkitError: for a damaged file, and one of training images alone.
    """
    return Answered(name, None, (_judged(name, read_answers(path), val_chose=None),), (path.resolve(),))


def answered_by_repeats(name: str, parent: Path) -> Answered:
    """The answers of all repeats that have finished.

    Raises:
        ResnetkitError: where none has, or a finished one's answers cannot be read.
    """
    repeats = read_repeats(parent)
    finished = [run for run in repeats.folders(parent) if is_run(run.path) and finished_result(run)]
    require(
        bool(finished),
        f"none of the {len(repeats.runs)} runs of {name} has finished",
        fix="go on with them: the same command that started them",
        code=Code.WEIGHTS,
    )
    each = [answered_by_run(str(Path(name) / run.path.name), run) for run in finished]
    num_missing = len(repeats.runs) - len(finished)
    notes = (f"{num_missing} of the {len(repeats.runs)} runs of {name} have not finished",) if num_missing else ()
    runs, places, seeds = zip(*((one.runs[0], one.places[0], one.seeds[0]) for one in each), strict=True)
    return Answered(name, repeats.by, runs, places, seeds, notes)


def _judged(name: str, answers: Mapping[str, Answers], *, val_chose: bool | None) -> Side:
    split = next((split for split in JUDGED if split in answers), None)
    if split is None:
        raise ResnetkitError(
            Code.DATA,
            f"{name} answered no images that were kept from training",
            fix=f"evaluate it on others: resnetkit evaluate {name} DATA --answers FILE.npz, and compare that file",
        )
    return Side(name, answers[split], val_chose if split == "val" else False)


def shared_by(sides: Sequence[Side]) -> SharedImages:
    """The images that all sides answered and none was trained on.

    Raises:
        ResnetkitError: where there is none, saying why.
    """
    shared = share_images([side.answers for side in sides])
    require(
        len(shared) > 0,
        f"no image was answered by {' and '.join(side.name for side in sides)} alike",
        why=_why_none(shared),
        fix="evaluate them on the same images: resnetkit evaluate RUN DATA --answers FILE.npz, and compare these files",
        code=Code.DATA,
    )
    return shared


def _why_none(shared: SharedImages) -> str:
    sentences = [f"they answered {' and '.join(f'{size:,}' for size in shared.num_answered)} different images"]
    sentences += [f"of {shared.num_trained_on:,}, one was trained on it"] if shared.num_trained_on else []
    sentences += [f"{shared.num_disputed:,} have two different classes"] if shared.num_disputed else []
    return ", ".join(sentences)


def about_copies(sides: Sequence[Side], shared: SharedImages) -> list[str]:
    """Sentences about sides that are one classifier: copies of a run, or runs whose settings made no difference.

    Nothing is said where each answer is as good as certain: such answers are alike whoever gives them.
    """
    told = []
    for (one, rows), (other, others) in combinations(zip(sides, shared.rows, strict=True), 2):
        if one.answers.class_names != other.answers.class_names:
            continue
        first, second = one.answers.probabilities, other.answers.probabilities
        if one.answers.confidences[rows].min() > SUREST:
            continue
        if all(np.allclose(first[rows[part]], second[others[part]], atol=ROUNDING) for part in (slice(9), slice(None))):
            told.append(f"{one.name} and {other.name} gave every image the same probabilities: they are one classifier")
    return told


def about_choosing(sides: Sequence[Side]) -> list[str]:
    """Sentences about sides that are judged by images that chose, or may have chosen, among their epochs."""
    chosen = [side.name for side in sides if side.val_chose]
    perhaps = [side.name for side in sides if side.val_chose is None]
    told = []
    if chosen:
        told.append(f"these images chose the epoch of {' and of '.join(chosen)}: that score is a little too good")
    if perhaps:
        told.append(f"these are validation images, which may have chosen the epoch of {' and of '.join(perhaps)}")
    return told
