"""Gather what the report of a run tells, from its record, its result and its history."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from resnetkit.anatomy.table import Description, as_rows, describe
from resnetkit.classifier.decision import Decision
from resnetkit.config import to_dict
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.calibration import calibration_of
from resnetkit.evaluation.mistakes import Mistake
from resnetkit.images.image_files import tell_ignored
from resnetkit.pages.formatting import duration
from resnetkit.recipes.recipe import FineTuning
from resnetkit.runs.previous import Previous
from resnetkit.runs.record import Record
from resnetkit.runs.report import Report, Why, render_report
from resnetkit.runs.report_calibration import DrawnCalibration
from resnetkit.runs.report_images import ScoredImages
from resnetkit.runs.report_thresholds import Thresholds
from resnetkit.runs.result import Result, warnings_about_recall


@dataclass(frozen=True)
class Exhibits:
    """Images of the split that a report is about, as far as it shows and names them.

    Attributes:
        answers: for all of them.
        pictures: small ones by row of the answers, as many as there is room for.
        mistakes: the worst; none where their images are gone.
        why: pictures for each of them.
        root: the folder that the images' names start from; None where they are no files.
        decision: of the classifier, which says what images are unknown.
    """

    answers: Answers
    pictures: Mapping[int, str] = field(default_factory=dict)
    mistakes: Sequence[Mistake] = ()
    why: Sequence[Why] = ()
    root: str | None = None
    decision: Decision = field(default_factory=Decision)


def report_on(
    record: Record,
    result: Result | None,
    history: Sequence[Mapping[str, Any]],
    exhibits: Exhibits | None = None,
    *,
    previous: Previous | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """The report of a run.

    Args:
        result: None of a run that has not ended.
        history: its epochs, as metrics.jsonl has them.
        exhibits: images of the split that the report is about, :attr:`Result.judged_split`.
        notes: what else the reader should know.
    """
    recipe = record.recipe
    description = describe(recipe.model, recipe.preprocessing.image_size_px)
    judged = None if result is None else result.judged_split
    shown = exhibits if judged is not None else None
    return Report(
        title=f"{recipe.model_name} on {Path(recipe.data.source).name or recipe.data.source}",
        command=record.command,
        is_finished=result is not None,
        summary=_summary(record, description, result),
        history=history,
        scores={} if result is None else result.scores,
        judged=judged,
        val_chose=recipe.validation_chooses if result is None else result.val_chose,
        mistakes=() if shown is None else shown.mistakes,
        why=() if shown is None else shown.why,
        images=None if shown is None else ScoredImages.of(shown.answers, shown.pictures, shown.root),
        thresholds=None if shown is None else _thresholds(shown.answers, shown.decision),
        decided=None if result is None else result.decided,
        calibration=_calibration(result, exhibits),
        audit=record.data.audit,
        class_names=record.data.class_names,
        look_closer=shlex.join(["resnetkit", "audit", recipe.data.source]) if record.command else "",
        previous=previous,
        parts=as_rows(description),
        recipe=to_dict(recipe),
        environment=record.environment,
        notes=[*_notes(record, result), *notes],
    )


def report_without_images(result: Result) -> str:
    """The page of a finished run for other machines: without the images that it was scored on, and their names."""
    folder = result.folder
    return render_report(report_on(folder.read_record(), result, folder.events("epoch")))


def _calibration(result: Result | None, exhibits: Exhibits | None) -> DrawnCalibration | None:
    """As the run measured it, before and after; of runs that did not, as the answers show it."""
    judged = None if result is None else result.judged_split
    if result is not None and judged in result.calibration:
        measured = result.calibration[judged]
        return DrawnCalibration(measured.after, measured.before)
    has_answers = judged is not None and exhibits is not None and not exhibits.answers.trained_on.all()
    return DrawnCalibration(calibration_of(exhibits.answers)) if exhibits is not None and has_answers else None


def _thresholds(answers: Answers, decision: Decision) -> Thresholds | None:
    rows, is_unknown = ~answers.trained_on, answers.decided_by(replace(decision, sets=None)).is_unknown
    return Thresholds.of(answers.confidences[rows], answers.is_right[rows], is_unknown[rows]) if rows.any() else None


def _summary(record: Record, description: Description, result: Result | None) -> list[tuple[str, str]]:
    recipe, sizes = record.recipe, ", ".join(f"{count:,} {name}" for name, count in record.data.num_images.items())
    return [
        ("Start", _start(recipe.fine_tuning)),
        ("Network", f"{recipe.model_name}, {description.parameters:,} parameters"),
        ("Cost", f"{description.multiply_adds / 1e6:,.1f} M multiply-adds an image"),
        ("Images", sizes),
        *(() if result is None else (("Training", duration(result.seconds)),)),
        *(() if result is None or result.first_look is None else (("First look", str(result.first_look.top1)),)),
    ]


def _start(fine_tuning: FineTuning) -> str:
    weights = "fresh weights" if fine_tuning.weights is None else Path(fine_tuning.weights).name
    head = ", new head" if fine_tuning.reset_head else ""
    frozen = f", frozen up to {fine_tuning.freeze}" if fine_tuning.freeze != "none" else ""
    return weights + head + frozen


def _notes(record: Record, result: Result | None) -> list[str]:
    notes = list(record.warnings)
    if result is not None:
        notes += result.notes_on_met_images()
        if result.first_look is not None and result.first_look.says_more:
            notes.append(result.first_look.beside_validation(record.data.num_images.get("val", 0)))
        for split, score in result.scores.items():
            notes += warnings_about_recall(record.recipe, split, score)
    if record.data.ignored_files:
        notes.append(tell_ignored(record.data.ignored_files))
    augmentation = record.recipe.augmentation
    if augmentation != type(augmentation)():
        notes.append("Training scores are means over each epoch on augmented images, so they can lie below validation.")
    return notes
