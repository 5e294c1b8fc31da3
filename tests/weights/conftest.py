"""Peers whose files are read, and how a file is compared with the network that wrote it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec
from resnetkit.weights import Native, load_weights, read_weights, to_native

from ..conftest import import_torchvision

PEERS = {"torchvision", "timm", "transformers", "keras"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What reads the files of another library takes its seconds to import."""
    for item in items:
        if PEERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def torchvision() -> Any:
    import_torchvision()
    return pytest.importorskip("torchvision")


@pytest.fixture(scope="session")
def timm() -> Any:
    import_torchvision()
    return pytest.importorskip("timm")


@pytest.fixture(scope="session")
def transformers() -> Any:
    import_torchvision()
    return pytest.importorskip("transformers")


@pytest.fixture(scope="session")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    os.environ.setdefault("KERAS_HOME", os.devnull)  # no settings file of this machine, and none written
    module = pytest.importorskip("keras", exc_type=ImportError)
    if module.backend.backend() != "torch":
        pytest.skip("keras runs on another backend")
    return module


def _randomize(network: nn.Module) -> nn.Module:
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point() and tensor.ndim == 1:
            tensor.normal_(0.5 if name.endswith("weight") else 0.0, 0.3)
        elif tensor.is_floating_point():
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5)
    return network.eval()


@pytest.fixture
def randomize() -> Callable[[nn.Module], nn.Module]:
    """Statistics, scales and biases away from 0 and 1, where a wrong name could hide."""
    return _randomize


Compare = Callable[..., Native]


@pytest.fixture
def compare() -> Compare:
    """Read a file into a network of that spec, all of it, and compare the answers with the writer's."""

    def compare(
        path: Path, spec: ResNetSpec, naming: str, theirs: Callable[[Tensor], Tensor], size: int = 33
    ) -> Native:
        native = to_native(read_weights(path))
        assert native.naming == naming
        network = ResNet(spec).eval()
        load_weights(network, native.tensors, source=str(path))
        images = torch.randn(2, spec.in_channels, size, size)
        with torch.no_grad():
            expected, logits = theirs(images), network(images)
        assert float(expected.std(0).max()) > 1e-4, "answers that are all alike would compare nothing"
        torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
        return native

    return compare
