"""The report of a run, drawn anew from what is stored of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.decision import Decision
from resnetkit.data.dataset_files import read_at_hand
from resnetkit.data.datasets import DATASETS
from resnetkit.data.loading import open_data
from resnetkit.data.types import Split
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.evaluation.answers import Answers
from resnetkit.explanation.exhibits import Tell, exhibit
from resnetkit.images.types import Indices
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.previous import find_previous
from resnetkit.runs.record import Record
from resnetkit.runs.report import write_report
from resnetkit.runs.report_contents import Exhibits, report_on
from resnetkit.runs.report_images import root_of
from resnetkit.runs.result import finished_result


class Drawn(NamedTuple):
    """A report that was drawn anew: its file, and sentences on what it lacks."""

    path: Path
    notes: tuple[str, ...]


def draw_report(run: str | Path, out: str | Path | None = None) -> Drawn:
    """Draw the report of a run anew, also of one that has not finished, or is of an earlier version.

    Images are read again where the data still are, and shown where they are the same by their digests. Nothing is
    downloaded.

    Args:
        out: a new file; None: the run's own ``report.html``.

    Raises:
        ResnetkitError: where it is no run, or ``out`` is there already.
    """
    folder = RunFolder(Path(run).expanduser())
    record, result = folder.read_record(), finished_result(folder)
    path = folder.report_file if out is None else Path(out).expanduser()
    require(
        out is None or not path.exists(),
        f"{path} is there already",
        fix="give a new name, or remove it first",
        code=Code.USAGE,
    )
    notes: list[str] = []
    judged = None if result is None else result.judged_split
    answers = None if judged is None else _kept_answers(folder, judged, notes.append)
    shown = None if answers is None or result is None else _stored_exhibits(folder, record, answers, notes.append)
    previous = find_previous(folder, record, answers)
    history = folder.events("epoch")
    write_report(path, report_on(record, result, history, shown, previous=previous, notes=notes))
    return Drawn(path, tuple(notes))


def _kept_answers(folder: RunFolder, judged: str, tell: Tell) -> Answers | None:
    """The answers of the split that the report is about; None, and told why, where there are none."""
    try:
        answers = folder.read_answers().get(judged)
    except ResnetkitError as error:
        tell(f"the report tells nothing image by image: {error.what}")
        return None
    if answers is None:
        tell(f"the report tells nothing image by image: {folder.answers_file} has none of {judged}")
    return answers


def _stored_exhibits(folder: RunFolder, record: Record, answers: Answers, tell: Tell) -> Exhibits:
    """Exhibits of a run, its images read again from where its data are now."""
    place = folder.place_of_data(record.recipe)
    root, decision = root_of(place), Decision()
    try:
        classifier = load_classifier(folder.path)
        decision = classifier.decision
        split = _read_again(record, place, answers.split)
    except ResnetkitError as error:
        tell(f"the report shows no images: {error.what}")
        return Exhibits(answers, root=root, decision=decision)
    found, places = _places(answers, split)
    if len(found) < len(answers):
        tell(f"{len(answers) - len(found):,} of {len(answers):,} images are not shown: they are no longer in {place}")
    return exhibit(answers, split.select(places), found, root, classifier, tell)


def _read_again(record: Record, place: str, name: str) -> Split:
    """A split of the data of a run, as far as its images are at hand.

    Raises:
        ResnetkitError: where the data are gone, or have no such split.
    """
    spec = replace(record.recipe.data, source=place, on_bad_image="skip")
    is_named = place in DATASETS
    require(
        not is_named or read_at_hand(DATASETS[place], spec.data_dir) is not None,
        f"the images of {place} are not on this machine",
        code=Code.DATA,
    )
    source = open_data(spec, record.data.class_names)
    loaded = source.load([name], record.recipe.preprocessing, trained=(), whole=(), progress=True)
    require(name in loaded.splits, f"there are no {name} images in {place}", code=Code.DATA)
    return loaded.splits[name]


def _places(answers: Answers, split: Split) -> tuple[Indices, Indices]:
    """Rows of the answers whose images are among those of a split, by their digests, and where they are there."""
    place = {digest: position for position, digest in enumerate(split.digests.tolist())}
    found = [row for row, digest in enumerate(answers.digests.tolist()) if digest in place]
    places = [place[answers.digests[row].item()] for row in found]
    return np.array(found, np.int64), np.array(places, np.int64)
