"""Whatever can be compared, two of a kind or not: named networks, weight files, classifiers and runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from resnetkit.anatomy.comparison import NetworkComparison, as_values, compare_networks, see
from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.comparing.classifiers import (
    ClassifierComparison,
    ScoreComparison,
    TensorComparison,
    compare_classifiers,
    compare_scores,
    compare_tensors,
)
from resnetkit.config import to_dict
from resnetkit.errors import require
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec
from resnetkit.pages.differences import ValueDifference, differing_values
from resnetkit.pages.showing import show
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result, finished_result
from resnetkit.sources.locate import Located, Source, locate
from resnetkit.sources.weights import open_weights


@dataclass(frozen=True)
class Run:
    """A finished run."""

    record: Record
    result: Result | None


@dataclass(frozen=True)
class Subject:
    """One of the two things compared, as far as it goes: a name has a network alone, a weight file tensors, a run all.

    Attributes:
        choices: what was chosen of a weight file's content, or left aside.
    """

    name: str
    spec: ResNetSpec | None = None
    image_size_px: int = 0
    tensors: Mapping[str, Tensor] | None = None
    classifier: Classifier | None = None
    run: Run | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunComparison:
    """Two runs: what they were told, and how they ended.

    Attributes:
        recipe: every value that differs, but for the network's, which is told with the networks.
        same_images: whether both saw and were scored on the same images.
        scores: by split.
        seconds: of training.
    """

    recipe: tuple[ValueDifference, ...]
    same_images: bool
    scores: dict[str, ScoreComparison]
    seconds: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """All that two subjects have in common to be compared; None for what one of them lacks."""

    a: str
    b: str
    networks: NetworkComparison | None = field(repr=False)
    classifiers: ClassifierComparison | None
    tensors: TensorComparison | None
    runs: RunComparison | None

    def as_values(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        parts = {"classifiers": self.classifiers, "tensors": self.tensors, "runs": self.runs}
        networks = None if self.networks is None else as_values(self.networks)
        values = {name: None if part is None else dataclasses.asdict(part) for name, part in parts.items()}
        return {"a": self.a, "b": self.b, "networks": networks, **values}

    def _repr_html_(self) -> str:
        return show(self)


def find_subject(
    source: Source | Classifier | ResNet, *, image_size_px: int | None = None, entry: str | None = None
) -> Subject:
    """A run, a classifier, a weight file, one of these on the hub, or a network, ready to be compared.

    Args:
        entry: which of several networks a checkpoint holds; of no effect on anything but a weight file.

    Raises:
        ResnetkitError: where it is none of these.
    """
    if isinstance(source, ResNet):
        usual_px = 32 if source.spec.stem.stride == 1 else 224  # what networks with such a stem are made for
        return Subject("a network", source.spec, image_size_px or usual_px, source.state_dict())
    if isinstance(source, Classifier):
        return _of_classifier("a classifier", source, None, image_size_px)
    located = locate(source)
    if located.entry is not None:
        known = located.entry
        return Subject(located.text, known.spec, image_size_px or known.image_size_px)
    if not located.is_own:
        return _find_weights(located, image_size_px, entry)
    classifier, run = load_classifier(located.description or located.file), None
    if located.run is not None:
        run = Run(located.run.read_record(), finished_result(located.run))
    return _of_classifier(located.text, classifier, run, image_size_px)


def _of_classifier(name: str, classifier: Classifier, run: Run | None, image_size_px: int | None) -> Subject:
    network, size = classifier.network, image_size_px or classifier.preprocessing.image_size_px
    return Subject(name, network.spec, size, network.state_dict(), classifier, run)


def _find_weights(located: Located, image_size_px: int | None, entry: str | None) -> Subject:
    """Third-party weights; their network too, where the file leaves no choice."""
    weights = open_weights(located, entry=entry)
    candidate = weights.identification.decided
    if candidate is None:
        return Subject(located.text, tensors=weights.native.tensors, choices=weights.file.choices)
    size = image_size_px or weights.preprocessing(candidate)[0].image_size_px
    return Subject(located.text, candidate.spec, size, weights.native.tensors, choices=weights.file.choices)


Comparable = Source | Classifier | ResNet | Subject


def compare(a: Comparable, b: Comparable) -> Comparison:
    """Compare two networks, weight files, classifiers or runs, by name or as they are in Python, in all they both have.

    >>> compared = compare("resnet20", "resnet20[depths=[1,1,1]]")
    >>> [difference.name for difference in compared.networks.differences]
    ['depth']

    Args:
        a, b: what :func:`find_subject` takes, or gives.

    Raises:
        ResnetkitError: for a name that is none, and for two that have nothing in common, as a bare weight file and a
            network's name.
    """
    a, b = (side if isinstance(side, Subject) else find_subject(side) for side in (a, b))
    networks = None
    if a.spec is not None and b.spec is not None:
        networks = compare_networks(see(a.name, a.spec, a.image_size_px), see(b.name, b.spec, b.image_size_px))
    tensors = None
    if a.tensors is not None and b.tensors is not None:
        tensors = compare_tensors(a.tensors, b.tensors)
        if networks is not None and not tensors.is_telling:
            tensors = None
    require(
        networks is not None or tensors is not None,
        f"{a.name} and {b.name} have nothing to compare: one is a bare weight file, the other has no weights",
        fix="compare the weight file with another file or a run",
    )
    both_classify = a.classifier is not None and b.classifier is not None
    return Comparison(
        a.name,
        b.name,
        networks,
        compare_classifiers(a.classifier, b.classifier) if both_classify else None,  # type: ignore[arg-type]
        tensors,
        compare_runs(a.run, b.run) if a.run is not None and b.run is not None else None,
    )


def compare_runs(a: Run, b: Run) -> RunComparison:
    """Recipes, data and scores of two runs."""
    left, right = ({k: v for k, v in to_dict(run.record.recipe).items() if k != "model"} for run in (a, b))
    same_images = all(
        mine == yours
        for mine, yours in (
            (a.record.data.fingerprint, b.record.data.fingerprint),
            *((getattr(a.record.recipe.data, name), getattr(b.record.recipe.data, name)) for name in SPLIT_FIELDS),
        )
    )
    scores = {}
    if a.result is not None and b.result is not None:
        scores = {
            split: compare_scores(a.result.scores[split].top1, b.result.scores[split].top1, same_images=same_images)
            for split in a.result.scores
            if split in b.result.scores
        }
    seconds = None if a.result is None or b.result is None else (a.result.seconds, b.result.seconds)
    return RunComparison(differing_values(left, right), same_images, scores, seconds)


SPLIT_FIELDS = ("split_seed", "validation", "validation_fraction", "test_fraction")
