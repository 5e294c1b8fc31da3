"""Scores of what a classifier decides besides a class: sets, sure answers, unknown images; with their intervals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from resnetkit.classifier.decision import Decision, Familiarities, Mask, Sets, Sure, familiarity
from resnetkit.classifier.prediction import BATCH_SIZE, Predictor
from resnetkit.config import frozen
from resnetkit.errors import Code, require
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.images.image_inputs import ImageInput
from resnetkit.images.prepared_inputs import iter_prepared
from resnetkit.images.types import Indices


@frozen
class ClassCoverage:
    """Share of the images of one class whose set holds it; None without such images."""

    name: str
    coverage: Accuracy | None


@frozen
class SetScores:
    """Scores of sets of classes.

    Attributes:
        rule, asked: of the decision: how they are made, and the coverage they are made for.
        coverage: share of images whose set holds their true class.
        mean_size: number of classes in a set.
        single: share of images whose set is one class.
        classes: coverage of each class.
    """

    rule: str
    asked: float
    coverage: Accuracy
    mean_size: float
    single: Accuracy
    classes: tuple[ClassCoverage, ...]


@frozen
class SureScores:
    """Scores of sure answers: those of the images with status ``ok``, so that none is of an unknown image.

    Attributes:
        asked: precision that their threshold was set for.
        precision: share of sure answers that are right; None without any.
        coverage: share of images with a sure answer.
        counts_unknown: unknown images may be among them, because familiarity was not kept.
    """

    asked: float
    precision: Accuracy | None
    coverage: Accuracy
    counts_unknown: bool = False


@frozen
class UnknownScores:
    """Images called unknown.

    Attributes:
        asked: share of known images that the threshold was set to call so.
        rejected: share of known images that are.
        found: share of images of no known class that are; None where none were given.
    """

    asked: float
    rejected: Accuracy
    found: Accuracy | None


@frozen
class Separation:
    """Difference between known images and others, whatever the threshold.

    Attributes:
        auroc: probability that a known image is more familiar than one of no known class.
        fpr95: share of images of no known class that are called known where 95 % of known ones are.
    """

    auroc: float
    fpr95: float
    num_known: int
    num_unknown: int


@frozen
class DecisionScores:
    """Everything measured of a decision.

    Attributes:
        aurc: area under the curve of risk over coverage: the error of the surest answers, as a mean over how many of
            them are taken (Geifman et al. 2019, arXiv:1805.08206); 0 is perfect.
        sets, sure, unknown: each where the decision has such a threshold.
        separation: where images of no known class were given.
    """

    aurc: float
    sets: SetScores | None
    sure: SureScores | None
    unknown: UnknownScores | None
    separation: Separation | None


def score_decision(
    answers: Answers, decision: Decision, of_unknown: Familiarities | None = None
) -> DecisionScores | None:
    """Score a decision, by the statuses and sets that it gives, on images that the weights were not trained on; None
    where there are none.

    Args:
        answers: that the decision's temperature made; without their familiarity no image is unknown.
        of_unknown: familiarity of images of no known class.
    """
    answers = answers.select(np.flatnonzero(~answers.trained_on))
    if not len(answers):
        return None
    of_known, is_right, decided = answers.familiarity, answers.is_right, answers.decided_by(decision)
    sets = sure = unknown = apart = None
    if decision.sets is not None and decided.in_set is not None:
        sets = _sets(decision.sets, decided.in_set, answers.labels, answers.class_names)
    if decision.sure is not None:
        sure = _sure(decision.sure, decided.is_ok, is_right, decision.unknown is not None and of_known is None)
    if decision.unknown is not None and of_known is not None:
        found = None if of_unknown is None else _share(decision.unknown.holds(of_unknown))
        unknown = UnknownScores(decision.unknown.rate, _share(decided.is_unknown), found)
    if of_known is not None and of_unknown is not None:
        apart = separation(of_known, of_unknown)
    return DecisionScores(_aurc(answers.confidences, is_right), sets, sure, unknown, apart)


def separation(of_known: Familiarities, of_unknown: Familiarities) -> Separation:
    """Measure how far images of no known class lie below known ones, at least one of each."""
    from sklearn.metrics import roc_auc_score

    is_known = np.arange(len(of_known) + len(of_unknown)) < len(of_known)
    auroc = float(roc_auc_score(is_known, np.concatenate([of_known, of_unknown])))
    passed = of_unknown >= np.quantile(of_known, 0.05)
    return Separation(auroc, float(passed.mean()), len(of_known), len(of_unknown))


def familiarity_of(predictor: Predictor, images: Iterable[ImageInput]) -> tuple[Familiarities, int]:
    """Familiarity ``(N,)`` of the readable ones among some images, and how many cannot be read.

    Raises:
        ResnetkitError: where none can be read.
    """
    found, num_bad = [], 0
    for batch in iter_prepared(images, predictor.preprocessing, predictor.limits, batch_size=BATCH_SIZE):
        readable = [image.pixels for image in batch if image.pixels is not None]
        num_bad += len(batch) - len(readable)
        if readable:
            found.append(familiarity(predictor.engine.logits(np.stack(readable))))
    require(bool(found), "none of the images of no known class can be read", code=Code.DATA)
    return np.concatenate(found), num_bad


def _aurc(confidences: npt.NDArray[np.float32], is_right: Mask) -> float:
    surest_first = np.argsort(-confidences, kind="stable")
    errors = (~is_right[surest_first]).cumsum() / np.arange(1, len(is_right) + 1)
    return float(errors.mean())


def _sets(sets: Sets, in_set: Mask, labels: Indices, class_names: tuple[str, ...]) -> SetScores:
    covered, sizes = in_set[np.arange(len(labels)), labels], in_set.sum(1)
    hits, counts = (np.bincount(some, minlength=len(class_names)).tolist() for some in (labels[covered], labels))
    return SetScores(
        sets.rule,
        sets.coverage,
        _share(covered),
        float(sizes.mean()),
        _share(sizes == 1),
        tuple(
            ClassCoverage(name, Accuracy.of(hit, count) if count else None)
            for name, hit, count in zip(class_names, hits, counts, strict=True)
        ),
    )


def _sure(sure: Sure, is_sure: Mask, is_right: Mask, counts_unknown: bool) -> SureScores:
    precision = _share(is_right[is_sure]) if is_sure.any() else None
    return SureScores(sure.precision, precision, _share(is_sure), counts_unknown)


def _share(holds: Mask) -> Accuracy:
    return Accuracy.of(int(holds.sum()), len(holds))
