"""Consequences of findings for a classifier's score: with the images that they are about, and without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from resnetkit.audit.findings import Finding
from resnetkit.audit.subject import Subject
from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.prediction import Predictor
from resnetkit.config import to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.evaluation.scoring import answer
from resnetkit.images.digests import Digests
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.sources.locate import Located

Mask = npt.NDArray[np.bool_]

# The findings that a score is given without, and how their images are called.
WEIGHED: Mapping[str, str] = {
    "leaks": "that are in an earlier split too",
    "conflicts": "that are under two classes",
    "label_issues": "whose label is probably wrong",
}
CHOSEN_BY_ANSWERS = "label_issues"  # found by what networks cannot answer: without them, scores rise by that alone
ALL = "all of these"


@dataclass(frozen=True)
class Consequence:
    """A classifier's top-1 on a split, with some images and without them.

    Attributes:
        finding: by its name; :data:`ALL` for the images of several.
        includes: the names of all findings that the images are of.
        of_these: of these images alone.
        without: of the others; None where there are no others.
    """

    split: str
    finding: str
    whole: Accuracy
    of_these: Accuracy
    without: Accuracy | None
    includes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The images, with their number, for a sentence."""
        return f"{self.of_these.num_images:,} {WEIGHED.get(self.finding, 'of any of these findings')}"

    def __str__(self) -> str:
        """A sentence with both scores.

        >>> print(Consequence("test", "leaks", Accuracy.of(9, 10), Accuracy.of(4, 4), Accuracy.of(5, 6)))
        test: top-1 is 90.00 % (95 % interval 59.58 to 98.21, n = 10), and without 4 that are in an earlier \
split too 83.33 % (95 % interval 43.65 to 96.99, n = 6)
        """
        rest = "there are no others" if self.without is None else str(self.without)
        told = f"{self.split}: top-1 is {self.whole}, and without {self.words} {rest}"
        if CHOSEN_BY_ANSWERS not in self.includes:
            return told
        return f"{told}; some of that is owed to the choice, for doubtful labels are what a network does not answer"

    def as_dict(self) -> dict[str, Any]:
        """It as JSON-ready values."""
        tree: dict[str, Any] = to_dict(self)
        return tree


def weigh_findings(
    subject: Subject, findings: Sequence[Finding], answers: Mapping[str, Answers]
) -> tuple[Consequence, ...]:
    """A consequence for each finding of :data:`WEIGHED` with images among those that were answered.

    Images are known by their pixels, so answers of a run are of use wherever its files lie now. Images that a
    classifier was trained on are in no score of a run; here they are leaks, and counted.
    """
    weighed = {finding.name: finding for finding in findings if finding.name in WEIGHED}
    found = []
    for split, own in answers.items():
        digests = {name: _digests_of(subject, finding, split) for name, finding in weighed.items()}
        concerned = {name: np.isin(own.digests, digests.get(name, [])) for name in WEIGHED}
        concerned["leaks"] |= own.trained_on
        masks: dict[tuple[str, ...], Mask] = {(name,): mask for name, mask in concerned.items() if mask.any()}
        if len(masks) > 1:
            masks[tuple(name for (name,) in masks)] = np.logical_or.reduce(list(masks.values()))
        found += [_weigh(split, names, own.is_right, mask) for names, mask in masks.items()]
    return tuple(found)


def find_answers(subject: Subject, judged: Located) -> tuple[dict[str, Answers], str]:
    """A classifier's answers for val and test, by split, and why there are none, else empty.

    Those that a run has kept; where it has none, and of a classifier, the subject's images are answered for now.
    """
    run = judged.run
    if run is not None and run.answers_file.is_file():
        answers = run.read_answers()
        is_known = any(np.isin(own.digests, subject.digests).any() for own in answers.values())
        return (answers, "") if is_known else ({}, "the answers that the run has kept are of other images")
    if not judged.is_own:
        return {}, "only a run or a classifier of these classes has a score"
    predictor = plain_predictor(load_classifier(judged.description or judged.file))
    try:
        return _answer(subject, predictor), ""
    except ResnetkitError as error:
        return {}, error.what


def _answer(subject: Subject, predictor: Predictor) -> dict[str, Answers]:
    scored = np.concatenate([subject.rows_of(name) for name in ("val", "test")])
    splits = subject.as_splits(scored, predictor.preprocessing)
    return {split.name: answer(predictor, split, subject.class_names) for split in splits}


def _digests_of(subject: Subject, finding: Finding, split: str) -> Digests:
    """The images that a finding is about; of leaks, those in this split from an earlier one; of a conflict, both."""
    rows = [mark.row for mark in finding.marks if finding.name != "leaks" or subject.split_of(mark.row) == split]
    if finding.name == "conflicts":
        rows += [mark.other for mark in finding.marks if mark.other is not None]
    return subject.digests[rows]


def _weigh(split: str, names: tuple[str, ...], is_right: Mask, mask: Mask) -> Consequence:
    without = None if mask.all() else _accuracy(is_right[~mask])
    name = names[0] if len(names) == 1 else ALL
    return Consequence(split, name, _accuracy(is_right), _accuracy(is_right[mask]), without, names)


def _accuracy(is_right: Mask) -> Accuracy:
    return Accuracy.of(int(is_right.sum()), len(is_right))
