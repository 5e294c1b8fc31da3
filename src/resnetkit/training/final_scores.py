"""The end of a run: final scores, the classifier file, the answers, the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Logits, familiarity
from resnetkit.classifier.engine import Engine
from resnetkit.classifier.prediction import Predictor
from resnetkit.data.types import LoadedData, Split
from resnetkit.evaluation.answers import Answers, score_answers
from resnetkit.evaluation.calibration import Calibrated, calibration_of
from resnetkit.evaluation.decision_scores import score_decision
from resnetkit.evaluation.scoring import as_answers, read_logits
from resnetkit.evaluation.sharing import BATCH_SIZE
from resnetkit.explanation.exhibits import exhibit
from resnetkit.inference.torch_engines import open_plain
from resnetkit.runs.events import Listener
from resnetkit.runs.first_look import recorded_look
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.previous import find_previous
from resnetkit.runs.record import Record
from resnetkit.runs.report import write_report
from resnetkit.runs.report_contents import report_on
from resnetkit.runs.report_images import root_of
from resnetkit.runs.result import Result, record_result
from resnetkit.training.final_decision import with_fitted_decision
from resnetkit.training.met_images import MetImages
from resnetkit.training.state import Progress


def finish(
    folder: RunFolder,
    record: Record,
    classifier: Classifier,
    met: MetImages,
    progress: Progress,
    listener: Listener,
) -> Result:
    """Fit the classifier's decision to val, score it on val and test, then write it, its answers, the report and the
    last event.
    """
    loaded = met.data
    engine = open_plain(classifier, batch_size=BATCH_SIZE)
    splits: dict[str, Split] = {name: loaded.splits[name] for name in ("val", "test") if name in loaded.splits}
    read = {name: read_logits(engine, split) for name, split in splits.items()}
    if not loaded.is_checked:  # by now all of them have been met
        met.tell_of_bad()
        met.write()
        splits = {name: split.without_bad() for name, split in splits.items()}
        classifier, record = replace(classifier, seen=met.now()), _with_what_was_met(record, loaded)
        folder.write_record(record)
    before = _answer(classifier, engine, splits, read, loaded.class_names)
    classifier = with_fitted_decision(classifier, before, read, record.recipe, listener)
    answers = _answer(classifier, engine, splits, read, loaded.class_names)
    classifier.save(folder.classifier_file)
    folder.best_file.unlink(missing_ok=True)
    folder.write_answers(tuple(answers.values()))
    scores = {name: score for name, one in answers.items() if (score := score_answers(one)) is not None}
    num_trained_on = {name: int(one.trained_on.sum()) for name, one in answers.items()}
    calibration = {name: Calibrated(calibration_of(before[name]), calibration_of(answers[name])) for name in scores}
    has_promised = "test" in scores and classifier.decision.has_thresholds
    decided = score_decision(answers["test"], classifier.decision) if has_promised else None
    result = Result(
        folder.path,
        scores,
        progress.seconds,
        record.data.bad_images,
        num_trained_on,
        record.recipe.validation_chooses,
        recorded_look(folder),
        calibration,
        decided,
    )
    judged = result.judged_split
    shown = None
    if judged is not None:
        one, root = answers[judged], root_of(folder.place_of_data(record.recipe))
        shown = exhibit(one, splits[judged], np.arange(len(one)), root, classifier, listener.warning)
    previous = find_previous(folder, record, None if shown is None else shown.answers)
    report = report_on(record, result, folder.events("epoch"), shown, previous=previous)
    write_report(folder.report_file, report)
    record_result(result, progress.step)
    folder.sync()
    return result


def _answer(
    classifier: Classifier,
    engine: Engine,
    splits: Mapping[str, Split],
    read: Mapping[str, Logits],
    class_names: Sequence[str],
) -> dict[str, Answers]:
    """A classifier's answers on splits, by name, that its decision makes of logits ``(N, V, K)`` that were read."""
    predictor = Predictor.of(classifier, engine)
    return {
        name: as_answers(
            predictor, split, class_names, classifier.decision.probabilities(read[name]), familiarity(read[name])
        )
        for name, split in splits.items()
    }


def _with_what_was_met(record: Record, loaded: LoadedData) -> Record:
    """The record with the files that could not be read, which are in none of its numbers of images."""
    sizes = {name: len(split) - len(split.bad) for name, split in loaded.splits.items()}
    return replace(record, data=replace(record.data, num_images=sizes, bad_images=loaded.bad_images_so_far()))
