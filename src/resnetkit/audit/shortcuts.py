"""Shortcuts: facts that predict the class of an image without a look at what it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, hypergeom

from resnetkit.audit.findings import Finding, Mark
from resnetkit.audit.object_free_facts import Fact, Group, gather_facts
from resnetkit.audit.subject import Subject
from resnetkit.data.folds import folds_in_order
from resnetkit.data.survey import spread
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.images.types import Indices
from resnetkit.pages.formatting import percent_digits, plain_percent
from resnetkit.terminal import first_few, quoted

MOST_IMAGES = 5000  # more would say the same, and take longer
LEAF_IMAGES = 5
LEAVES_PER_CLASS = 4
SIGNIFICANCE = 0.001  # of all that is tried, together
DIVISIONS, NUM_FOLDS, NUM_TREES = 3, 5, 30
STRONG = 0.5  # agreement beyond chance (Cohen's kappa) on one class against all others
WEAK_GAIN = 0.1  # of what guessing the largest class gets wrong
COMMON = 0.9  # of the images that a fact finds: so many with one value are worth a word
SHOWN_FACTS, SHOWN_CLASSES, SHOWN_EXAMPLES = 3, 3, 4
TOGETHER: dict[Group, str] = {
    "file": "everything of the files together",
    "frame": "",
    "background": "everything at the edges together",
}


@dataclass(frozen=True, eq=False)
class Prediction:
    """Answers to the class of each of n images from a fact about it, by what was learned of other images.

    Attributes:
        answers: int64 ``(R, n)``, of R divisions into images that are learned from and others: by one alone, some fact
            in a few hundred images looks telling by luck.
        labels: int64 ``(n,)``, the true classes.
        num_tried: facts that were tried, and so many chances to find something where there is nothing.
    """

    fact: Fact
    answers: Indices
    labels: Indices
    num_classes: int
    num_tried: int

    @property
    def accuracy(self) -> Accuracy:
        """The share of right answers."""
        return Accuracy.of(int((self.answers == self.labels).sum(1).mean()), len(self.labels))

    @property
    def chance(self) -> float:
        """The share of the largest class, which needs no fact."""
        return float(np.bincount(self.labels).max() / len(self.labels))

    @cached_property
    def kappas(self) -> npt.NDArray[np.float64]:
        """Agreement beyond chance (Cohen's kappa) on each class against all others, ``(K,)``; 1 is all of it."""
        num, true, told, hits = self.counts
        observed = (num - true - told + 2 * hits) / num
        expected = (true * told + (num - true) * (num - told)) / num**2
        return np.where(expected < 1, (observed - expected) / np.maximum(1 - expected, 1e-12), 0.0)

    @cached_property
    def given_away(self) -> Indices:
        """Classes that the fact tells from all others, the surest first."""
        num, true, told, hits = self.counts
        by_chance = hypergeom.sf(hits - 1, num, true, told) * self.num_classes * self.num_tried
        classes = np.flatnonzero((self.kappas >= STRONG) & (by_chance < SIGNIFICANCE))
        return classes[np.argsort(-self.kappas[classes], kind="stable")]

    @property
    def counts(self) -> tuple[int, Indices, Indices, Indices]:
        """Number of images, and by class ``(K,)`` those of it, those taken for it, and those for which both is so."""
        true = np.bincount(self.labels, minlength=self.num_classes)
        told, hits = (
            np.bincount(classes, minlength=self.num_classes) // len(self.answers)
            for classes in (self.answers.ravel(), self.answers[self.answers == self.labels])
        )
        return len(self.labels), true, told, hits

    def found_of(self, label: int) -> Indices:
        """Positions of the images of a class that are taken for it, in the first division."""
        return np.flatnonzero((self.labels == label) & (self.answers[0] == label))

    @property
    def is_strong(self) -> bool:
        """True where a class is given away."""
        return len(self.given_away) > 0

    @property
    def is_weak(self) -> bool:
        """True where no class is given away, and more answers are right than chance explains."""
        accuracy, chance = self.accuracy, self.chance
        by_chance = binom.sf(accuracy.correct - 1, accuracy.num_images, chance) * self.num_tried
        is_more = accuracy.value - chance >= WEAK_GAIN * (1 - chance)
        return bool(is_more and by_chance < SIGNIFICANCE) and not self.is_strong


def find_shortcuts(subject: Subject) -> Iterator[Finding]:
    """Look for facts about files, frames and backgrounds that predict the class."""
    rows = spread(len(subject), MOST_IMAGES)
    labels = subject.labels[rows]
    if len(np.unique(labels)) < 2:
        return
    facts = gather_facts(subject, rows)
    predictions = predict_classes(facts, labels, divide(labels, subject.sets[rows]), len(subject.class_names))
    of_files = [one for one in predictions if one.fact.group != "background"]
    of_backgrounds = [one for one in predictions if one.fact.group == "background"]
    yield from _told(
        subject,
        rows,
        "shortcuts",
        "warning",
        [one for one in of_files if one.is_strong],
        "What predicts the class without the object",
        "A network may learn this instead of the object, or what goes with it (compression, scaling, the camera), and "
        "score well until images come from elsewhere. Store the images of all classes alike, or collect them alike.",
    )
    yield from _told(
        subject,
        rows,
        "weak_shortcuts",
        "info",
        [one for one in of_files if one.is_weak],
        "What hints at the class without the object",
        "More than chance explains, and little: the shape and texture of what is shown decide a file's size too.",
    )
    yield from _told(
        subject,
        rows,
        "background_shortcuts",
        "info",
        [one for one in of_backgrounds if one.is_strong or one.is_weak],
        "Backgrounds that hint at the class",
        "That may be the nature of the classes (a ship is on water). Images of each class on other backgrounds show "
        "how much a network relies on it.",
    )


def divide(labels: Indices, sets: Indices) -> Indices:
    """Folds ``(R, n)`` of :data:`DIVISIONS`, in each as :func:`~resnetkit.data.folds.folds_in_order` makes them."""
    found = np.empty((DIVISIONS, len(labels)), np.int64)
    for number, folds in enumerate(found):
        order = np.random.default_rng(number).permutation(len(labels))
        folds[order] = folds_in_order(labels[order], sets[order], NUM_FOLDS)
    return found


def predict_classes(facts: Sequence[Fact], labels: Indices, divisions: Indices, num_classes: int) -> list[Prediction]:
    """Predict the classes from each fact, and from those of a group together, the surest of one class first.

    Args:
        divisions: of :func:`divide`.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_leaf_nodes=LEAVES_PER_CLASS * num_classes, min_samples_leaf=LEAF_IMAGES, random_state=0
    )
    forest = RandomForestClassifier(NUM_TREES, min_samples_leaf=LEAF_IMAGES, random_state=0)
    tries: list[tuple[Fact, Any]] = [(fact, tree) for fact in facts]
    for group, name in TOGETHER.items():
        own = [fact for fact in facts if fact.group == group]
        if name and len(own) > 1:
            tries.append((Fact(name, group, np.concatenate([fact.values for fact in own], 1)), forest))
    found = []
    for fact, model in tries:
        answers = np.stack([_predict(model, fact, labels, folds) for folds in divisions])
        found.append(Prediction(fact, answers, labels, num_classes, len(tries)))
    return sorted(found, key=lambda one: (-round(float(one.kappas.max()), 2), -one.accuracy.value))


def _predict(model: Any, fact: Fact, labels: Indices, folds: Indices) -> Indices:
    answers = np.empty(len(labels), np.int64)
    for fold in np.unique(folds):
        held = folds == fold
        if held.all():
            answers[held] = np.bincount(labels).argmax()
            continue
        answers[held] = model.fit(fact.values[~held], labels[~held]).predict(fact.values[held])
    return answers


def _told(
    subject: Subject,
    rows: Indices,
    name: str,
    severity: Any,
    predictions: Sequence[Prediction],
    title: str,
    advice: str,
) -> Iterator[Finding]:
    if not predictions:
        return
    told = [_sentence(subject, one) for one in predictions[:SHOWN_FACTS]]
    more = len(predictions) - len(told)
    sentence = "; ".join([*told, *([f"{more:,} more do"] if more else [])])
    marks = [mark for one in predictions for mark in _examples(subject, rows, one)]
    yield Finding(name, severity, title, len(predictions), sentence, advice, tuple(marks))


def _sentence(subject: Subject, prediction: Prediction) -> str:
    score, chance = prediction.accuracy, plain_percent(prediction.chance, 0)
    interval = f"{percent_digits(score.low, 0)} to {percent_digits(score.high, 0)}, n = {score.num_images:,}"
    text = (
        f"{prediction.fact.name} predicts the class of {plain_percent(score.value, 0)} of images "
        f"(chance {chance}, 95 % interval {interval})"
    )
    away = [_give_away(subject, prediction, int(label)) for label in prediction.given_away]
    return f"{text} and gives away {first_few(away, SHOWN_CLASSES)}" if away else text


def _give_away(subject: Subject, prediction: Prediction, label: int) -> str:
    _, true, told, hits = prediction.counts
    values = Counter(map(prediction.fact.tell, prediction.found_of(label).tolist()))
    (value, count), *_ = values.most_common(1)
    common = f" ({value})" if value and count >= COMMON * values.total() else ""
    false = int(told[label] - hits[label])
    return (
        f"{quoted(subject.class_names[label])}{common}: {hits[label]:,} of {true[label]:,} found, "
        f"{false:,} {'other' if false == 1 else 'others'} taken for it"
    )


def _examples(subject: Subject, rows: Indices, prediction: Prediction) -> Iterator[Mark]:
    """A few images of each class that is given away, with what gives it away."""
    for label in prediction.given_away[:SHOWN_CLASSES].tolist():
        hits = prediction.found_of(label)
        for position in hits[spread(len(hits), SHOWN_EXAMPLES)].tolist():
            value = prediction.fact.tell(position)
            name = prediction.fact.name
            yield Mark(int(rows[position]), None, f"{name}: {value}" if value else name)
