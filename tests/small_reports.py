"""Reports of made-up runs: answers for images that show their own numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from resnetkit.data.types import DataAudit, Split
from resnetkit.evaluation.answers import Answers, score_answers
from resnetkit.evaluation.calibration import calibration_of
from resnetkit.evaluation.mistakes import worst_mistakes
from resnetkit.images.types import ArrayImages
from resnetkit.runs.report import Report
from resnetkit.runs.report_calibration import DrawnCalibration
from resnetkit.runs.report_images import ScoredImages, draw_pictures
from resnetkit.runs.report_thresholds import Thresholds


def answers_of(class_names: Sequence[str], num_images: int, *, skill: float = 2.0) -> Answers:
    """Answers for images ``CLASS/NUMBER.png``; the more skill, the more of them are right."""
    rng = np.random.default_rng(num_images)
    labels = rng.integers(0, len(class_names), num_images)
    logits = rng.normal(size=(num_images, len(class_names))) + skill * np.eye(len(class_names))[labels]
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    identifiers = tuple(f"{class_names[label]}/{number}.png" for number, label in enumerate(labels))
    digests, trained_on = np.arange(1, num_images + 1, dtype=np.uint64), np.zeros(num_images, np.bool_)
    return Answers("test", tuple(class_names), identifiers, digests, labels, trained_on, probabilities)


def split_of(answers: Answers, side_px: int = 8) -> Split:
    """Images of these answers, in colour, whose pixels are all of their number."""
    numbers = np.arange(len(answers), dtype=np.uint8)[:, None, None, None]
    pixels = np.broadcast_to(numbers, (len(answers), 3, side_px, side_px))
    return Split(
        *(answers.split, ArrayImages(pixels), answers.labels, answers.identifiers),
        *(np.ones(len(answers), np.float32), answers.digests),
    )


def report_of(
    answers: Answers, *, root: str | None = "/data/pets", has_pictures: bool = True, **changes: Any
) -> Report:
    """The report of a run with these answers for its test images."""
    rows, split = np.arange(len(answers)), split_of(answers)
    scores, names = score_answers(answers), answers.class_names
    assert scores is not None
    pictures = draw_pictures(answers, split, rows) if has_pictures else {}
    epochs = (
        {"epoch": n, "train_loss": 1 / n, "val_loss": 1.2 / n, "val_top1": 1 - 0.5 / n, "learning_rate": 0.1 / n}
        for n in range(1, 6)
    )
    report = Report(
        title="resnet20 on pets",
        command="resnetkit train pets",
        summary=[("Data", "pets")],
        history=list(epochs),
        scores={"test": scores},
        judged="test",
        mistakes=worst_mistakes(answers, split, limit=4),
        images=ScoredImages.of(answers, pictures, root),
        calibration=DrawnCalibration(calibration_of(answers), calibration_of(answers_of(names, 100, skill=3.0))),
        audit=DataAudit(1, 0, 2, {"train": tuple(range(10, 10 + len(names))), "test": (5,) * len(names)}),
        class_names=names,
        look_closer="resnetkit audit pets",
        thresholds=Thresholds.of(answers.confidences, answers.is_right),
    )
    return replace(report, **changes)
