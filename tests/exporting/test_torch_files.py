"""Programs of torch: every network of the catalog has one, for any number of images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.graphs.test_onnx import STRUCTURES
from tests.small_classifiers import SMALL

from resnetkit.classifier.classifier import Classifier
from resnetkit.exporting.subject import Subject
from resnetkit.exporting.torch_files import WholeClassifier, export_program, write_torch
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.models.spec import ResNetSpec

Make = Callable[..., Classifier]
Noise = Callable[..., np.ndarray]


@pytest.mark.parametrize("settings", [{}, {"average_mirrored": True, "channel_order": "bgr"}])
def test_the_whole_as_a_module_answers_as_its_classifier(make: Make, noise: Noise, settings: dict[str, object]) -> None:
    classifier = make(SMALL, 16, **settings)
    pixels = noise(classifier, 4)
    with torch.inference_mode():
        probabilities, logits = WholeClassifier(classifier)(torch.from_numpy(pixels))
    expected = plain_predictor(classifier)
    np.testing.assert_allclose(probabilities.numpy(), expected.probabilities(pixels), atol=1e-6)
    np.testing.assert_allclose(logits.numpy(), expected.engine.logits(pixels), atol=1e-5)


@pytest.mark.slow
def test_a_program_takes_any_number_of_images_again_from_its_file(make: Make, noise: Noise, tmp_path: Path) -> None:
    classifier = make(SMALL, 16)
    write_torch(Subject(classifier, "small"), tmp_path)
    program = torch.export.load(tmp_path / "classifier.pt2").module()
    for number in (1, 5):
        pixels = noise(classifier, number)
        answers = program(torch.from_numpy(pixels))[0].detach().numpy()
        np.testing.assert_allclose(answers, plain_predictor(classifier).probabilities(pixels), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("spec", STRUCTURES, ids=STRUCTURES.values())
def test_every_structure_of_the_catalog_has_a_program(spec: ResNetSpec, make: Make, noise: Noise) -> None:
    classifier = make(spec, size=45)
    pixels = noise(classifier)
    answers = export_program(classifier).module()(torch.from_numpy(pixels))[0].detach().numpy()
    np.testing.assert_allclose(answers, plain_predictor(classifier).probabilities(pixels), atol=1e-5)


@pytest.mark.slow
def test_a_network_in_the_order_of_channels_last_is_saved_without_a_doubt(
    make: Make, noise: Noise, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    classifier = make(SMALL, 16)
    classifier.network.to(memory_format=torch.channels_last)
    write_torch(Subject(classifier, "small"), tmp_path)
    assert not [str(told.message) for told in recwarn if "complete" in str(told.message)]
    pixels = noise(classifier, 3)
    answers = torch.export.load(tmp_path / "classifier.pt2").module()(torch.from_numpy(pixels))[0].detach().numpy()
    np.testing.assert_allclose(answers, plain_predictor(classifier).probabilities(pixels), atol=1e-6)
