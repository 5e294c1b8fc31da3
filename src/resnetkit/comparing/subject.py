"""Subjects of a comparison: networks by name, weight files, classifiers, runs, their repeats, files of answers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.comparing.sides import (
    Answered,
    answered_by_repeats,
    answered_by_run,
    answered_in_file,
    is_answers_file,
)
from resnetkit.errors import ResnetkitError
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec
from resnetkit.runs.finding import has_repeats
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result, finished_result
from resnetkit.sources.locate import Located, Source, locate
from resnetkit.sources.weights import open_weights


@dataclass(frozen=True)
class Run:
    """A run, or the first of several; ``result`` where it is one alone, and has finished."""

    record: Record
    result: Result | None


@dataclass(frozen=True)
class Subject:
    """One of the things compared, as far as it goes: a name has a network alone, a weight file tensors, a run all.

    Attributes:
        warnings: which settings in a network's name have no effect.
        choices: what was chosen of a weight file's content, or left aside.
        answered: what it answered, image by image.
        unanswered: why there are no answers of a run.
    """

    name: str
    spec: ResNetSpec | None = None
    image_size_px: int = 0
    tensors: Mapping[str, Tensor] | None = None
    classifier: Classifier | None = None
    run: Run | None = None
    warnings: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    answered: Answered | None = None
    unanswered: str = ""


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
        return _of_classifier("a classifier", source, image_size_px)
    path = Path(os.path.expanduser(str(source))) if isinstance(source, str | Path) else None
    if path is not None and os.path.isdir(path) and has_repeats(path):
        return _of_repeats(str(source), path, image_size_px)
    if path is not None and os.path.isfile(path) and is_answers_file(path):
        return Subject(str(source), answered=answered_in_file(str(source), path))
    located = locate(source)
    if located.entry is not None:
        known = located.entry
        return Subject(located.text, known.spec, image_size_px or known.image_size_px, warnings=known.warnings)
    if not located.is_own:
        return _find_weights(located, image_size_px, entry)
    classifier = load_classifier(located.description or located.file)
    subject = _of_classifier(located.text, classifier, image_size_px)
    return subject if located.run is None else _with_run(subject, located.run)


def _with_run(subject: Subject, folder: RunFolder) -> Subject:
    subject = dataclasses.replace(subject, run=Run(folder.read_record(), finished_result(folder)))
    try:
        return dataclasses.replace(subject, answered=answered_by_run(subject.name, folder))
    except ResnetkitError as error:
        return dataclasses.replace(subject, unanswered=f"{error.what} ({error.fix})" if error.fix else error.what)


def _of_repeats(name: str, parent: Path, image_size_px: int | None) -> Subject:
    """Several runs, of which the first that has finished tells their network and recipe, and nothing it came to."""
    answered = answered_by_repeats(name, parent)
    first = find_subject(answered.runs[0].name, image_size_px=image_size_px)
    told = f"network and recipe of {name} are told of its first run, {answered.runs[0].name}"
    return Subject(
        name,
        first.spec,
        first.image_size_px,
        run=None if first.run is None else dataclasses.replace(first.run, result=None),
        answered=dataclasses.replace(answered, notes=(*answered.notes, told)),
    )


def _of_classifier(name: str, classifier: Classifier, image_size_px: int | None) -> Subject:
    network, size = classifier.network, image_size_px or classifier.preprocessing.image_size_px
    return Subject(name, network.spec, size, network.state_dict(), classifier)


def _find_weights(located: Located, image_size_px: int | None, entry: str | None) -> Subject:
    """Third-party weights; their network too, where the file leaves no choice."""
    weights = open_weights(located, entry=entry)
    candidate = weights.identification.decided
    if candidate is None:
        return Subject(located.text, tensors=weights.native.tensors, choices=weights.file.choices)
    size = image_size_px or weights.preprocessing(candidate)[0].image_size_px
    return Subject(located.text, candidate.spec, size, weights.native.tensors, choices=weights.file.choices)
