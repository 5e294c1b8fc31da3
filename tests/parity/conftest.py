"""What every comparison needs: peers that import, and one set of random weights for two networks.

The comparisons run in double precision: there a network of 400 layers has noise of 1e-12, so that the bound can be so
tight that a wrong epsilon is seen. Weights are shared between the two networks, not copied, and drawn from a small
pool: filling 100 million of them takes a tenth of a second.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from resnetkit.weights.naming import to_native
from resnetkit.weights.weight_file import WeightFile

from ..conftest import import_torchvision

POOL_SIZE = 1_000_003  # a prime, so that no two filters of a layer start at the same place of the pool
DRAWS = {"normal_", "uniform_", "kaiming_normal_", "kaiming_uniform_", "xavier_uniform_", "trunc_normal_"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these are slow: they import other libraries."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


import_torchvision()  # before the tests' modules import what imports it


class _NoDraws(TorchFunctionMode):
    """Leaves weights undrawn; all else, such as the fixed filters of a blur, is computed as ever."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in DRAWS:
            return args[0] if args else (kwargs or {}).get("tensor")
        return func(*args, **(kwargs or {}))


@contextmanager
def undrawn(dtype: torch.dtype) -> Iterator[None]:
    """Networks built in here have no weights yet."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with _NoDraws():
            yield
    finally:
        torch.set_default_dtype(before)


def draw_weights(network: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Random weights and statistics for a network, with biases and scales away from 0 and 1."""
    pool = torch.randn(POOL_SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    weights, start = {}, 0
    for name, like in network.state_dict().items():
        if not like.is_floating_point():
            weights[name] = torch.zeros_like(like)
            continue
        end = start + like.numel()
        drawn = pool.repeat(math.ceil(end / POOL_SIZE))[start:end].reshape(like.shape).to(like.dtype, copy=True)
        start = end % POOL_SIZE
        if name.endswith("running_var") or (like.ndim == 1 and name.endswith("weight")):
            drawn.mul_(0.5).sigmoid_().add_(0.5)  # scales and variances between 0.5 and 1.5
        elif like.ndim == 1:
            drawn.mul_(0.3)
        else:
            drawn.mul_(math.sqrt(2 / like[0].numel()))
        weights[name] = drawn
    return weights


def settle_statistics(network: nn.Module, images: Tensor) -> None:
    """Set batch norms' statistics to those of ``images``, then move them: activations neither vanish nor explode."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 1.0
    with torch.no_grad():
        network.train()(images)
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_var.clamp_(min=1e-2).mul_(torch.empty_like(layer.running_var).uniform_(0.7, 1.5))
            layer.running_mean.add_(torch.empty_like(layer.running_mean).uniform_(-0.3, 0.3))


def share_weights(ours: nn.Module, theirs: nn.Module, images: Tensor) -> dict[str, str]:
    """Give both networks the same random weights, by the names that loading a file knows; those, theirs to ours."""
    weights = draw_weights(theirs)
    renamed = to_native(WeightFile(Path("theirs"), "torch", weights)).tensors
    expected = {name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()}
    assert {name: tuple(tensor.shape) for name, tensor in renamed.items()} == expected
    theirs.load_state_dict(weights, assign=True)
    ours.load_state_dict(renamed, assign=True)
    settle_statistics(ours, images)
    return dict(zip(weights, renamed, strict=True))


def relative_difference(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    assert ours.shape == theirs.shape
    return float((ours - theirs).detach().abs().max() / theirs.detach().abs().max())


class Differences(NamedTuple):
    """The largest in training mode, each relative to the largest value of its tensor.

    A gradient that is noise, such as that of a bias before a batch norm, is measured by a millionth of the network's
    largest gradient.
    """

    logits: float
    gradients: float
    statistics: float


class Comparison:
    """Two networks built by two libraries, with the same weights."""

    def __init__(
        self,
        ours: Callable[[], nn.Module],
        theirs: Callable[[], nn.Module],
        images: Tensor,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        with undrawn(dtype):
            self.ours, self.theirs = ours(), theirs()
        self.images = images.to(dtype)
        self.names = share_weights(self.ours, self.theirs, self.images)

    def assert_same_logits(self, images: Tensor | None = None, tolerance: float = 1e-9) -> float:
        """In evaluation mode; returns the largest difference, relative to the largest logit."""
        images = self.images if images is None else images.to(self.images.dtype)
        with torch.no_grad():
            ours, theirs = self.ours.eval()(images), self.theirs.eval()(images)
        theirs = getattr(theirs, "logits", theirs)
        assert float(theirs.std(0).mean() / theirs.std()) > 1e-3, "logits alike for all images would compare nothing"
        difference = relative_difference(ours, theirs)
        assert difference < tolerance
        return difference

    def assert_same_training(self, tolerance: float = 1e-9) -> Differences:
        """In training mode: logits, statistics that follow the batch, and gradients of all parameters."""
        own = {name: tensor.clone() for name, tensor in self.theirs.state_dict().items()}
        self.theirs.load_state_dict(own, assign=True)
        ours, theirs = self.ours.train()(self.images), self.theirs.train()(self.images)
        theirs = getattr(theirs, "logits", theirs)
        in_logits, in_statistics, in_gradients = relative_difference(ours, theirs), 0.0, 0.0
        assert in_logits < tolerance
        for logits in (ours, theirs):
            logits.log_softmax(1)[:, 0].sum().backward()
        statistics = self.ours.state_dict()
        for name, value in self.theirs.state_dict().items():
            if "running" in name:
                in_statistics = max(in_statistics, relative_difference(statistics[self.names[name]], value))
                assert in_statistics < tolerance, name
        gradients = {name: parameter.grad for name, parameter in self.ours.named_parameters()}
        largest = max(float(gradient.abs().max()) for gradient in gradients.values() if gradient is not None)
        for name, parameter in self.theirs.named_parameters():
            gradient = gradients[self.names[name]]
            assert gradient is not None
            assert parameter.grad is not None
            # A bias before a batch norm has no gradient but noise, hence the second bound.
            difference, own = (
                (gradient.view_as(parameter.grad) - parameter.grad).abs().max(),
                parameter.grad.abs().max(),
            )
            assert float(difference) < 1e5 * tolerance * float(own) + tolerance * largest, name
            in_gradients = max(in_gradients, float(difference) / max(float(own), 1e-6 * largest))
        return Differences(in_logits, in_gradients, in_statistics)


@pytest.fixture
def parity() -> ModuleType:
    """The functions of this file, for comparisons that need other steps."""
    return sys.modules[__name__]


@pytest.fixture
def compare() -> type[Comparison]:
    return Comparison
