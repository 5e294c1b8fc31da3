"""Comparisons of all that can be compared, two of a kind or not: networks, weight files, classifiers, runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from resnetkit.anatomy.comparison import NetworkComparison, as_values, compare_networks, see
from resnetkit.classifier.classifier import Classifier
from resnetkit.comparing.answers import compare_answers
from resnetkit.comparing.classifiers import (
    ClassifierComparison,
    TensorComparison,
    compare_classifiers,
    compare_tensors,
)
from resnetkit.comparing.compared_answers import AnswersComparison
from resnetkit.comparing.repeated_runs import RepeatsComparison, compare_repeated
from resnetkit.comparing.subject import Run, Subject, find_subject
from resnetkit.config import to_dict
from resnetkit.errors import ResnetkitError, require
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.models.resnet import ResNet
from resnetkit.pages.differences import ValueDifference, differing_values
from resnetkit.pages.showing import show
from resnetkit.sources.locate import Source


@dataclass(frozen=True)
class RunComparison:
    """Two runs: what they were told, and how they ended.

    Attributes:
        recipe: every value that differs, but for the network's, which is told with the networks.
        same_images: whether both saw and were scored on the same images.
        scores: top-1 of both, by split, each on its own images.
        seconds: of training.
    """

    recipe: tuple[ValueDifference, ...]
    same_images: bool
    scores: dict[str, tuple[Accuracy, Accuracy]]
    seconds: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """All that the subjects have in common to be compared; None for what one of them lacks.

    Attributes:
        names: of the subjects, two or more; of more than two, their answers alone are compared.
        answers: of single runs, image by image.
        repeats: of several runs a side.
        unanswered: why neither is there, for runs.
    """

    names: tuple[str, ...]
    networks: NetworkComparison | None = field(default=None, repr=False)
    classifiers: ClassifierComparison | None = None
    tensors: TensorComparison | None = None
    runs: RunComparison | None = None
    answers: AnswersComparison | None = None
    repeats: RepeatsComparison | None = None
    unanswered: str = ""

    @property
    def a(self) -> str:
        """The name of the first."""
        return self.names[0]

    @property
    def b(self) -> str:
        """The name of the second."""
        return self.names[1]

    def as_values(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        parts = {"classifiers": self.classifiers, "tensors": self.tensors, "runs": self.runs}
        networks = None if self.networks is None else as_values(self.networks)
        values = {name: None if part is None else dataclasses.asdict(part) for name, part in parts.items()}
        judged = {"answers": self.answers, "repeats": self.repeats}
        values |= {name: None if part is None else part.as_values() for name, part in judged.items()}
        named = {"a": self.a, "b": self.b, "names": list(self.names)}
        return {**named, "networks": networks, **values, "unanswered": self.unanswered}

    def _repr_html_(self) -> str:
        return show(self)


Comparable = Source | Classifier | ResNet | Subject


def compare(a: Comparable, b: Comparable, *others: Comparable) -> Comparison:
    """Compare networks, weight files, classifiers or runs, by name or as they are in Python, in all they both have.

    >>> compared = compare("resnet20", "resnet20[depths=[1,1,1]]")
    >>> [difference.name for difference in compared.networks.differences]
    ['depth']

    Args:
        a, b: what :func:`find_subject` takes, or gives.
        others: more runs or files of answers; of more than two, only what they answered is compared.

    Raises:
        ResnetkitError: for a name that is none, for two that have nothing in common, as a bare weight file and a
            network's name, and for more than two of which one has no answers.
    """
    subjects = [side if isinstance(side, Subject) else find_subject(side) for side in (a, b, *others)]
    if others:
        return _compare_several(subjects)
    first, second = subjects
    networks = None
    if first.spec is not None and second.spec is not None:
        sides = (see(one.name, one.spec, one.image_size_px) for one in subjects if one.spec is not None)
        networks = compare_networks(*sides)
    tensors = None
    if first.tensors is not None and second.tensors is not None:
        tensors = compare_tensors(first.tensors, second.tensors)
        if networks is not None and not tensors.is_telling:
            tensors = None
    answers, repeats, unanswered = _compare_answered(first, second)
    require(
        any(part is not None for part in (networks, tensors, answers, repeats)),
        f"{first.name} and {second.name} have nothing to compare: {unanswered or _in_words(subjects)}",
        fix="compare the weight file with another file or a run, and answers with a run or other answers",
    )
    both_classify = first.classifier is not None and second.classifier is not None
    return Comparison(
        (first.name, second.name),
        networks,
        compare_classifiers(first.classifier, second.classifier) if both_classify else None,  # type: ignore[arg-type]
        tensors,
        compare_runs(first.run, second.run) if first.run is not None and second.run is not None else None,
        answers,
        repeats,
        unanswered,
    )


def _in_words(subjects: Sequence[Subject]) -> str:
    """Say of each in what way it could be compared.

    >>> _in_words([find_subject("resnet20")])
    'resnet20 is a network without weights'
    """
    return ", ".join(f"{one.name} is {_kind(one)}" for one in subjects)


def _kind(one: Subject) -> str:
    if one.answered is not None:
        return "a file of answers" if one.answered.by is None else "a folder of repeats"
    return "a network without weights" if one.tensors is None else "weights of an unknown network"


def _compare_several(subjects: Sequence[Subject]) -> Comparison:
    for one in subjects:
        require(
            one.answered is not None and one.answered.by is None,
            f"{one.name} cannot be compared with more than one other: "
            + (one.unanswered or "it is no single run, and no file of answers"),
            fix="give runs that have finished, or files of resnetkit evaluate --answers; else compare two and two",
        )
    sides = [one.answered.runs[0] for one in subjects if one.answered is not None]
    return Comparison(tuple(one.name for one in subjects), answers=compare_answers(sides))


def _compare_answered(a: Subject, b: Subject) -> tuple[AnswersComparison | None, RepeatsComparison | None, str]:
    """The comparison by answers, or why there is none; of what is no run, nothing."""
    if a.answered is None or b.answered is None:
        return None, None, a.unanswered or b.unanswered
    try:
        if a.answered.by is None and b.answered.by is None:
            return compare_answers([a.answered.runs[0], b.answered.runs[0]]), None, ""
        return None, compare_repeated(a.answered, b.answered), ""
    except ResnetkitError as error:
        return None, None, ", ".join(part for part in (error.what, error.why) if part)


def compare_runs(a: Run, b: Run) -> RunComparison:
    """Recipes, data and scores of two runs."""
    left, right = ({k: v for k, v in to_dict(run.record.recipe).items() if k != "model"} for run in (a, b))
    same_images = a.record.data.fingerprint == b.record.data.fingerprint  # which covers each split's images
    scores, seconds = {}, None
    if a.result is not None and b.result is not None:
        both = [split for split in a.result.scores if split in b.result.scores]
        scores = {split: (a.result.scores[split].top1, b.result.scores[split].top1) for split in both}
        seconds = (a.result.seconds, b.result.seconds)
    return RunComparison(differing_values(left, right), same_images, scores, seconds)
