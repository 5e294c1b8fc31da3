"""Small classifiers with statistics that are not 0 and 1, and images for them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from resnetkit.classifier.classifier import Classifier
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import BASIC, STEM_3X3, ResNetSpec

SMALL = ResNetSpec(BASIC, (1, 1), (4, 8), (1, 2), stem=replace(STEM_3X3, widths=(4,)), num_classes=3)


def randomize(network: nn.Module, seed: int = 0) -> None:
    """Norms as after training: any scale, shift and statistics."""
    random = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=random)
            nn.init.normal_(module.bias, 0, 0.2, generator=random)
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3, generator=random)
            module.running_var.uniform_(0.5, 2, generator=random)


def small_classifier(spec: ResNetSpec = SMALL, size: int = 16, *, seed: int = 0, **settings: object) -> Classifier:
    """A classifier of a spec; further settings are the preprocessing's."""
    network = ResNet(spec)
    randomize(network, seed)
    channels = spec.in_channels
    mean, std = tuple(0.4 + 0.1 * i for i in range(channels)), tuple(0.2 + 0.05 * i for i in range(channels))
    with torch.no_grad():  # no image's answer is sure, however large the layers make noise
        network.fc.weight /= network.eval()(torch.randn(8, channels, size, size)).std().clamp(min=1)
    preprocessing = Preprocessing(size, size, channels, mean, std, **settings)  # type: ignore[arg-type]
    assert spec.num_classes is not None
    return Classifier(network, preprocessing, tuple(f"class {i}" for i in range(spec.num_classes)))


@pytest.fixture
def make() -> Callable[..., Classifier]:
    """Makes a classifier of a spec; further settings are the preprocessing's."""
    return small_classifier


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Makes random prepared images."""

    def noise(classifier: Classifier, number: int = 3) -> np.ndarray:
        p = classifier.preprocessing
        shape = (number, p.channels, p.image_size_px, p.image_size_px)
        return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    return noise
