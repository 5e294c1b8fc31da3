"""The tensors that a classifier takes and gives, by name: what the Open Inference Protocol calls inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from resnetkit.classifier.decision import Decision
from resnetkit.classifier.description import Description
from resnetkit.serving.refusals import refuse
from resnetkit.serving.served import Answers
from resnetkit.serving.tensors import OutputTensor


class Axes(NamedTuple):
    """Type and shape of a tensor; -1 is any number of images."""

    datatype: str
    shape: list[int]


def _image_axes(description: Description) -> Axes:
    return Axes("BYTES", [-1])


def _pixel_axes(description: Description) -> Axes:
    prepared = description.preprocessing
    return Axes("UINT8", [-1, prepared.channels, prepared.image_size_px, prepared.image_size_px])


INPUTS: Mapping[str, Callable[[Description], Axes]] = {"image": _image_axes, "pixels": _pixel_axes}


def _probability_axes(description: Description) -> Axes:
    return Axes("FP32", [-1, len(description.class_names)])


def _logit_axes(description: Description) -> Axes:
    num_views = 2 if description.preprocessing.average_mirrored else 1
    return Axes("FP32", [-1, num_views, len(description.class_names)])


def _status_axes(description: Description) -> Axes:
    return Axes("BOOL", [-1])


def _set_axes(description: Description) -> Axes:
    return Axes("BOOL", [-1, len(description.class_names)])


class Output(NamedTuple):
    """A tensor that a classifier gives: what it is like, how it comes of answers, and whether its decision makes it."""

    axes: Callable[[Description], Axes]
    of: Callable[[Answers], OutputTensor]
    is_made: Callable[[Decision], bool] = lambda decision: True


def _probabilities(answers: Answers) -> OutputTensor:
    values = np.stack([answer.probabilities for answer in answers if answer.probabilities is not None])
    return OutputTensor("probabilities", "FP32", values.shape, values)


def _logits(answers: Answers) -> OutputTensor:
    values = np.stack([answer.logits for answer in answers if answer.logits is not None])
    return OutputTensor("logits", "FP32", values.shape, values)


def _classes(answers: Answers) -> OutputTensor:
    best = _probabilities(answers).values
    assert isinstance(best, np.ndarray)
    names = [answers.description.class_names[i].encode(errors="surrogateescape") for i in best.argmax(axis=1)]
    return OutputTensor("class", "BYTES", (len(names),), names)


def _unknown(answers: Answers) -> OutputTensor:
    values = np.array([answer.status == "unknown" for answer in answers])
    return OutputTensor("unknown", "BOOL", values.shape, values)


def _unsure(answers: Answers) -> OutputTensor:
    values = np.array([answer.status == "unsure" for answer in answers])
    return OutputTensor("unsure", "BOOL", values.shape, values)


def _sets(answers: Answers) -> OutputTensor:
    sets = [answer.in_set for answer in answers if answer.in_set is not None]
    if len(sets) < len(answers):  # it had some when it was asked
        raise refuse(503, "another version has taken its place, which makes no sets of classes", fix="ask again")
    values = np.stack(sets)
    return OutputTensor("in_set", "BOOL", values.shape, values)


OUTPUTS: Mapping[str, Output] = {
    "probabilities": Output(_probability_axes, _probabilities),
    "logits": Output(_logit_axes, _logits),
    "class": Output(_image_axes, _classes),
    "unknown": Output(_status_axes, _unknown, lambda decision: decision.unknown is not None),
    "unsure": Output(_status_axes, _unsure, lambda decision: decision.sure is not None),
    "in_set": Output(_set_axes, _sets, lambda decision: decision.sets is not None),
}


def outputs_of(description: Description) -> dict[str, Output]:
    """The outputs of a classifier, by name."""
    return {name: output for name, output in OUTPUTS.items() if output.is_made(description.decision)}


def describe_tensors(description: Description) -> dict[str, Any]:
    """Inputs and outputs, as the protocol's metadata tell them."""
    inputs = [(name, axes(description)) for name, axes in INPUTS.items()]
    outputs = [(name, output.axes(description)) for name, output in outputs_of(description).items()]
    return {
        kind: [{"name": name, "datatype": axes.datatype, "shape": axes.shape} for name, axes in tensors]
        for kind, tensors in (("inputs", inputs), ("outputs", outputs))
    }
