"""The end of a run: final scores, the classifier file, the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from resnetkit.anatomy.table import Description, describe
from resnetkit.classifier.classifier import Classifier
from resnetkit.config import to_dict
from resnetkit.data.types import LoadedData
from resnetkit.evaluation.metrics import Scores
from resnetkit.evaluation.scoring import BATCH_SIZE, Evaluation, evaluate_split, worst_mistakes
from resnetkit.images.image_files import tell_ignored
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.recipes.recipe import FineTuning
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.report import Report, write_report
from resnetkit.runs.result import Result, warnings_about_recall
from resnetkit.training.state import Progress


def finish(folder: RunFolder, record: Record, classifier: Classifier, loaded: LoadedData, progress: Progress) -> Result:
    """Score the classifier on val and test, then write it, the report and the last event."""
    predictor = plain_predictor(classifier, batch_size=BATCH_SIZE)
    evaluations: dict[str, Evaluation] = {
        name: evaluate_split(predictor, loaded.splits[name], loaded.class_names)
        for name in ("val", "test")
        if name in loaded.splits
    }
    classifier.save(folder.classifier_file)
    folder.best_file.unlink(missing_ok=True)
    scores = {name: evaluation.scores for name, evaluation in evaluations.items() if evaluation.scores is not None}
    num_trained_on = {name: evaluation.num_trained_on for name, evaluation in evaluations.items()}
    result = Result(folder.path, scores, progress.seconds, loaded.bad_images, num_trained_on)
    write_report(folder.report_file, _report(folder, record, classifier, evaluations, result))
    folder.record(
        "end",
        step=progress.step,
        seconds=progress.seconds,
        scores={name: to_dict(value) for name, value in scores.items()},
        num_trained_on=num_trained_on,
    )
    folder.sync()
    return result


def _report(
    folder: RunFolder, record: Record, classifier: Classifier, evaluations: Mapping[str, Evaluation], result: Result
) -> Report:
    recipe = record.recipe
    description = describe(recipe.model, recipe.preprocessing.image_size_px)
    judged = evaluations.get("test") or evaluations.get("val")
    return Report(
        title=f"{recipe.model_name} on {Path(recipe.data.source).name or recipe.data.source}",
        command=record.command,
        summary=_summary(record, description, result),
        history=folder.events("epoch"),
        scores=result.scores,
        mistakes=worst_mistakes(judged, classifier.class_names) if judged else (),
        stages=[
            {
                "name": row.name,
                "output_shape": " × ".join(map(str, row.output_shape)),
                "blocks": row.blocks,
                "kernel_stride": row.layers,
                "parameters": row.parameters,
                "multiply_adds": row.multiply_adds,
            }
            for row in description.rows
        ],
        recipe=to_dict(recipe),
        environment=record.environment,
        notes=_notes(record, result.scores),
    )


def _summary(record: Record, description: Description, result: Result) -> list[tuple[str, str]]:
    recipe, sizes = record.recipe, ", ".join(f"{count:,} {name}" for name, count in record.data.num_images.items())
    return [
        ("Start", _start(recipe.fine_tuning)),
        ("Network", f"{recipe.model_name}, {description.parameters:,} parameters"),
        ("Cost", f"{description.multiply_adds / 1e6:,.1f} M multiply-adds an image"),
        ("Images", sizes),
        ("Training", f"{result.seconds:,.0f} s"),
    ]


def _start(fine_tuning: FineTuning) -> str:
    weights = "fresh weights" if fine_tuning.weights is None else Path(fine_tuning.weights).name
    head = ", new head" if fine_tuning.reset_head else ""
    frozen = f", frozen up to {fine_tuning.freeze}" if fine_tuning.freeze != "none" else ""
    return weights + head + frozen


def _notes(record: Record, scores: Mapping[str, Scores]) -> list[str]:
    notes = list(record.warnings)
    for split, score in scores.items():
        notes += warnings_about_recall(record.recipe, split, score)
    if record.data.ignored_files:
        notes.append(tell_ignored(record.data.ignored_files))
    augmentation = record.recipe.augmentation
    if augmentation != type(augmentation)():
        notes.append("Training scores are means over each epoch on augmented images, so they can lie below validation.")
    return notes
