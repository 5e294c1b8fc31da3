"""Small networks to analyse, and images for them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.small_classifiers import SMALL, randomize

from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import NoSkip, ResNetSpec

DEEP = replace(SMALL, depths=(3, 3))


@pytest.fixture
def sample() -> Sample:
    """Twelve images of 16 pixels, of three classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
    return Sample(pixels, np.arange(12) % 3, Preprocessing(16, 16))


@pytest.fixture
def subject_of(sample: Sample, inputs: torch.Tensor) -> Callable[[ResNetSpec], Subject]:
    """Makes a subject of a spec, with norms as after training; it answers with every class about as often."""

    def subject_of(spec: ResNetSpec = DEEP) -> Subject:
        network = ResNet(spec).eval()
        randomize(network)
        with torch.no_grad():
            logits = network(inputs)
            network.fc.weight /= logits.std(0)[:, None]
            network.fc.bias -= logits.mean(0)
            network.fc.bias /= logits.std(0)
        return Subject("a network", network, sample=sample, data="noise")

    return subject_of


@pytest.fixture
def inputs(sample: Sample) -> torch.Tensor:
    """The images as the network reads them, float32 ``(12, 3, 16, 16)``."""
    return torch.cat([images for images, _ in sample.batches(torch.device("cpu"))])


@pytest.fixture
def plain() -> ResNetSpec:
    """The same network without skips."""
    return replace(DEEP, block=replace(DEEP.block, join=NoSkip()))
