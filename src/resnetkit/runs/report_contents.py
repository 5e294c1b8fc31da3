"""Gather what the report of a run tells, from its record, its result and its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resnetkit.anatomy.table import Description, as_rows, describe
from resnetkit.config import to_dict
from resnetkit.evaluation.mistakes import Mistake
from resnetkit.images.image_files import tell_ignored
from resnetkit.recipes.recipe import FineTuning
from resnetkit.runs.record import Record
from resnetkit.runs.report import Report, Why, render_report
from resnetkit.runs.result import Result, warnings_about_recall


def report_on(
    record: Record,
    result: Result,
    history: Sequence[Mapping[str, Any]],
    mistakes: Sequence[Mistake],
    why: Sequence[Why] = (),
) -> Report:
    """The report of a run.

    Args:
        history: its epochs, as metrics.jsonl has them.
        mistakes: on the split that the report is about, :attr:`Result.judged_split`.
        why: pictures for each of them.
    """
    recipe = record.recipe
    description = describe(recipe.model, recipe.preprocessing.image_size_px)
    return Report(
        title=f"{recipe.model_name} on {Path(recipe.data.source).name or recipe.data.source}",
        command=record.command,
        summary=_summary(record, description, result),
        history=history,
        scores=result.scores,
        judged=result.judged_split,
        val_chose=result.val_chose,
        mistakes=mistakes,
        why=why,
        parts=as_rows(description),
        recipe=to_dict(recipe),
        environment=record.environment,
        notes=_notes(record, result),
    )


def report_without_images(result: Result) -> str:
    """The page of a finished run for other machines: without the images of its mistakes, and their names."""
    folder = result.folder
    return render_report(report_on(folder.read_record(), result, folder.events("epoch"), ()))


def _summary(record: Record, description: Description, result: Result) -> list[tuple[str, str]]:
    recipe, sizes = record.recipe, ", ".join(f"{count:,} {name}" for name, count in record.data.num_images.items())
    return [
        ("Start", _start(recipe.fine_tuning)),
        ("Network", f"{recipe.model_name}, {description.parameters:,} parameters"),
        ("Cost", f"{description.multiply_adds / 1e6:,.1f} M multiply-adds an image"),
        ("Images", sizes),
        ("Training", f"{result.seconds:,.0f} s"),
        *(() if result.first_look is None else (("First look", str(result.first_look.top1)),)),
    ]


def _start(fine_tuning: FineTuning) -> str:
    weights = "fresh weights" if fine_tuning.weights is None else Path(fine_tuning.weights).name
    head = ", new head" if fine_tuning.reset_head else ""
    frozen = f", frozen up to {fine_tuning.freeze}" if fine_tuning.freeze != "none" else ""
    return weights + head + frozen


def _notes(record: Record, result: Result) -> list[str]:
    notes = list(record.warnings)
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
