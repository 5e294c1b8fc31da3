"""Graphs that prepare and decide: Pillow's pixels, the classifier's answers."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from tests.exporting.conftest import noisy_images
from tests.small_classifiers import SMALL

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Decision
from resnetkit.errors import ResnetkitError
from resnetkit.exporting.image_graph import image_model, prepared_model
from resnetkit.graphs.names import INPUT
from resnetkit.graphs.onnx import write_graph
from resnetkit.graphs.runtimes import import_onnxruntime
from resnetkit.images.preprocessing import prepare_for_evaluation
from resnetkit.inference.torch_engines import plain_predictor

Make = Callable[..., Classifier]


def session_of(model: onnx.ModelProto) -> object:
    return import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def with_pixels(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model, which gives what it prepared too."""
    model.graph.output.append(onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, None))
    return model


@pytest.mark.parametrize("fit", ["crop", "squeeze", "pad"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_graph_prepares_an_image_as_pillow_does_to_the_last_pixel(
    make: Make, fit: str, interpolation: str, channels: int
) -> None:
    classifier = make(replace(SMALL, in_channels=channels), 20, fit=fit, interpolation=interpolation)
    preprocessing = replace(classifier.preprocessing, resize_px=23)
    model = image_model(write_graph(classifier), preprocessing, classifier.decision)
    onnx.checker.check_model(model, full_check=True)
    session = session_of(with_pixels(model))
    for image in noisy_images(channels):
        given = np.asarray(image).reshape(image.height, image.width, channels)
        (pixels,) = session.run([INPUT], {"image": given})
        np.testing.assert_array_equal(pixels[0], prepare_for_evaluation(image, preprocessing), str(image.size))


def test_what_the_graph_makes_of_an_image_is_what_the_classifier_answers(make: Make) -> None:
    classifier = make(SMALL, 16, average_mirrored=True, channel_order="bgr", fit="pad")
    classifier = replace(classifier, decision=Decision(temperature=1.7))
    predictor = plain_predictor(classifier)
    session = session_of(image_model(write_graph(classifier), classifier.preprocessing, classifier.decision))
    for image in noisy_images(3):
        probabilities, logits = session.run(["probabilities", "logits"], {"image": np.asarray(image)})
        prepared = prepare_for_evaluation(image, classifier.preprocessing)[None]
        np.testing.assert_allclose(probabilities, predictor.probabilities(prepared), atol=1e-6)
        np.testing.assert_allclose(logits, predictor.engine.logits(prepared), atol=1e-5)


def test_prepared_images_come_in_any_number(make: Make, noise: Callable[..., np.ndarray]) -> None:
    classifier = make(SMALL, 16, average_mirrored=True)
    session = session_of(prepared_model(write_graph(classifier), classifier.decision))
    for number in (1, 5):
        pixels = noise(classifier, number)
        (probabilities,) = session.run(["probabilities"], {INPUT: pixels})
        np.testing.assert_allclose(probabilities, plain_predictor(classifier).probabilities(pixels), atol=1e-6)


def test_nearest_pixels_are_not_taken_by_a_graph(make: Make) -> None:
    classifier = make(SMALL, 16, interpolation="nearest")
    with pytest.raises(ResnetkitError, match="nearest"):
        image_model(write_graph(classifier), classifier.preprocessing, classifier.decision)
