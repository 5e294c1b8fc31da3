"""Keras' pre-activation networks against their layers written out one by one, with TensorFlow's padding by hand.

The references here share no code with the package; they read the weights by name and nothing else.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.models.resnet import ResNet, create_model

Weights = dict[str, Tensor]


def same(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """``Conv2D(padding='same')``: the output has ceil(size / stride) pixels, and an odd pixel goes to the end."""
    for dim in (2, 3):
        size, kernel = x.shape[dim], weight.shape[dim]
        num_outputs = (size + stride - 1) // stride
        missing = max(0, (num_outputs - 1) * stride + kernel - size)
        before = missing // 2
        shape = list(x.shape)
        shape[dim] = before
        start = x.new_zeros(shape)
        shape[dim] = missing - before
        x = torch.cat([start, x, x.new_zeros(shape)], dim)
    return F.conv2d(x, weight, stride=stride)


def norm_relu(x: Tensor, weights: Weights, name: str, eps: float) -> Tensor:
    """``BatchNormalization`` with its moving statistics, then ``relu``."""

    def per_channel(part: str) -> Tensor:
        return weights[f"{name}.{part}"][:, None, None]

    scale = per_channel("weight") / (per_channel("running_var") + eps).sqrt()
    return ((x - per_channel("running_mean")) * scale + per_channel("bias")).clamp(min=0)


def tutorial_preact(images: Tensor, weights: Weights) -> Tensor:
    x = same(images, weights["conv1.weight"])
    for stage, stride in ((1, 1), (2, 2), (3, 2)):
        for number in (0, 1):
            block = f"layer{stage}.{number}"
            strides = stride if number == 0 else 1
            skip = x
            if stride > 1 and number == 0:
                skip = norm_relu(x, weights, f"{block}.downsample.0", eps=1e-3)
                skip = same(skip, weights[f"{block}.downsample.2.weight"], strides)
            x = norm_relu(x, weights, f"{block}.bn1", eps=1e-3)
            x = same(x, weights[f"{block}.conv1.weight"], strides)
            x = norm_relu(x, weights, f"{block}.bn2", eps=1e-3)
            x = same(x, weights[f"{block}.conv2.weight"])
            x = x + skip
    x = norm_relu(x, weights, "norm", eps=1e-3)
    return x.mean((2, 3)) @ weights["fc.weight"].T + weights["fc.bias"]


def resnet50v2(images: Tensor, weights: Weights, *, preact: bool) -> Tensor:
    """``keras.applications.ResNet50V2``: ``block2`` and ``stack2`` of its source, layer by layer."""
    eps = 1.001e-5
    x = F.conv2d(F.pad(images, (3, 3, 3, 3)), weights["conv1.weight"], weights["conv1.bias"], stride=2)
    if not preact:
        x = norm_relu(x, weights, "bn1", eps)
    x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, stride=2)
    for stage, (num_blocks, stage_stride) in enumerate(((3, 2), (4, 2), (6, 2), (3, 1)), start=1):
        for number in range(num_blocks):
            block = f"layer{stage}.{number}"
            stride = stage_stride if number == num_blocks - 1 else 1
            activated = norm_relu(x, weights, f"{block}.bn1", eps)
            if number == 0:
                projection = f"{block}.downsample.0"
                skip = F.conv2d(
                    activated, weights[f"{projection}.weight"], weights[f"{projection}.bias"], stride=stride
                )
            else:
                skip = F.max_pool2d(x, 1, stride=stride) if stride > 1 else x
            x = F.conv2d(activated, weights[f"{block}.conv1.weight"])
            x = norm_relu(x, weights, f"{block}.bn2", eps)
            x = F.conv2d(F.pad(x, (1, 1, 1, 1)), weights[f"{block}.conv2.weight"], stride=stride)
            x = norm_relu(x, weights, f"{block}.bn3", eps)
            x = F.conv2d(x, weights[f"{block}.conv3.weight"], weights[f"{block}.conv3.bias"])
            x = skip + x
    if preact:
        x = norm_relu(x, weights, "norm", eps)
    return x.mean((2, 3)) @ weights["fc.weight"].T + weights["fc.bias"]


class ReadWeights(dict[str, Tensor]):
    """Weights that remember which of them were read."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__({k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")})
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.read.add(name)
        return super().__getitem__(name)


def build(name: str, **settings: object) -> ResNet:
    """A narrow network of that name in double precision, with every weight, bias and statistic drawn at random."""
    network = create_model(name, num_classes=7, **settings).double().eval()
    for key, tensor in network.state_dict().items():
        if key.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif key.endswith(("bias", "running_mean")):
            tensor.normal_(std=0.3)
    return network


def assert_same(network: ResNet, reference: Callable[[Tensor, Weights], Tensor], images: Tensor) -> None:
    weights = ReadWeights(network)
    with torch.no_grad():
        expected = reference(images, weights)
        assert weights.read == set(weights), "the network has weights that the reference does not know"
        assert float(expected.std()) > 1e-3, "logits that are all alike would compare nothing"
        torch.testing.assert_close(network(images), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [(28, 28), (27, 30), (9, 8)], ids=str)
def test_tutorial_b(size: tuple[int, int]) -> None:
    network = build("tutorial_preact")
    assert_same(network, tutorial_preact, torch.randn(2, 1, *size, dtype=torch.float64))


@pytest.mark.parametrize("preact", [True, False], ids=["preact", "no preact"])
@pytest.mark.parametrize("size", [(64, 64), (37, 50)], ids=str)
def test_keras_resnet50v2(preact: bool, size: tuple[int, int]) -> None:
    name = "keras_resnet50v2" if preact else "keras_resnet50v2_no_preact"
    network = build(name, widths=(8, 12, 16, 24))
    assert_same(
        network, lambda images, w: resnet50v2(images, w, preact=preact), torch.randn(2, 3, *size, dtype=torch.float64)
    )
