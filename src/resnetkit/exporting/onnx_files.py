"""The files of an export to ONNX: two models that share one file of weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

import onnx
from onnx.external_data_helper import set_external_data

from resnetkit.exporting.image_graph import image_model, prepared_model
from resnetkit.exporting.subject import Subject
from resnetkit.exporting.targets import resizes_in_onnx

IMAGE_FILE, PREPARED_FILE, WEIGHTS_FILE = "image.onnx", "prepared.onnx", "weights.bin"
LEAST_BYTES = 1024  # of a tensor that is worth a place in the shared file
ALIGNMENT = 4096  # of such places, so that runtimes can map them


def write_onnx(subject: Subject, folder: Path) -> None:
    """Write ``prepared.onnx``, ``image.onnx`` where a graph resizes as the classifier does, and the weights of both."""
    classifier = subject.classifier
    models = {PREPARED_FILE: prepared_model(subject.graph, classifier.decision)}
    if resizes_in_onnx(classifier.preprocessing):
        models[IMAGE_FILE] = image_model(subject.graph, classifier.preprocessing, classifier.decision)
    places: dict[str, int] = {}
    with (folder / WEIGHTS_FILE).open("xb") as weights:
        for name, model in models.items():
            onnx.checker.check_model(model, full_check=True)
            _move_weights(model, weights, places)
            (folder / name).write_bytes(model.SerializeToString(deterministic=True))


def _move_weights(model: onnx.ModelProto, weights: BinaryIO, places: dict[str, int]) -> None:
    """Keep the larger tensors of a model in another file; of those that are there already, by digest, the place."""
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) < LEAST_BYTES:
            continue
        digest = hashlib.sha256(tensor.raw_data).hexdigest()
        if digest not in places:
            weights.write(bytes(-weights.tell() % ALIGNMENT))
            places[digest] = weights.tell()
            weights.write(tensor.raw_data)
        set_external_data(tensor, WEIGHTS_FILE, offset=places[digest], length=len(tensor.raw_data))
        tensor.ClearField("raw_data")
