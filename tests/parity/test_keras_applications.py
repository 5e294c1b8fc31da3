"""``keras.applications``' residual networks, run by Keras itself on torch: same weights, same logits and gradients.

Moving variances are not compared: Keras follows the variance of a batch, torch the estimate of the variance it was
drawn from, which is N / (N - 1) times as large for N values per channel.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from resnetkit.models.catalog.keras import KERAS
from resnetkit.models.resnet import ResNet, create_model
from resnetkit.weights.naming import to_native
from resnetkit.weights.weight_file import WeightFile

os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras")

PEERS = {
    "keras_resnet50": "ResNet50",
    "keras_resnet101": "ResNet101",
    "keras_resnet152": "ResNet152",
    "keras_resnet50v2": "ResNet50V2",
    "keras_resnet101v2": "ResNet101V2",
    "keras_resnet152v2": "ResNet152V2",
}


def to_tensorflow(tensor: Tensor) -> Tensor:
    return tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T if tensor.ndim == 2 else tensor


@pytest.fixture
def build(parity: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A network of ours, Keras' with the same weights, and Keras' variables under our names.

    Keras reads images in single precision whatever the layers compute in: the images hold such numbers.
    """
    # On torch, Keras computes batch norms in single precision, where 152 layers differ by 4e-5.
    monkeypatch.delitem(keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE, "float64")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")

    def build(name: str, images: Tensor) -> tuple[ResNet, Any, dict[str, Any]]:
        _, channels, height, width = images.shape
        make = getattr(keras.applications, PEERS[name])
        with parity.undrawn(torch.float64):
            ours = create_model(name)
            theirs = make(weights=None, input_shape=(height, width, channels), classifier_activation=None)
        ours.load_state_dict(parity.draw_weights(ours), assign=True)
        parity.settle_statistics(ours, images)
        variables = {f"{layer.name}/{variable.name}": variable for layer in theirs.layers for variable in layer.weights}
        file = WeightFile(Path("theirs"), "hdf5", {key: v.value.detach() for key, v in variables.items()})
        by_our_name = dict(zip(to_native(file).tensors, variables.values(), strict=True))
        weights = {key: t for key, t in ours.state_dict().items() if not key.endswith("num_batches_tracked")}
        assert by_our_name.keys() == weights.keys()
        for key, variable in by_our_name.items():
            variable.assign(to_tensorflow(weights[key]))
        return ours, theirs, by_our_name

    yield build
    keras.config.set_dtype_policy(before)


def test_every_keras_network_has_a_twin() -> None:
    assert set(KERAS) - set(PEERS) == {"keras_resnet50v2_no_preact"}, "which test_keras.py compares"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if "101" in name else name for name in PEERS]
)
def test_same_logits(name: str, build: Any, parity: Any) -> None:
    images = torch.randn(2, 3, 65, 75).double()
    ours, theirs, _ = build(name, images)
    with torch.no_grad():
        expected = theirs(images.permute(0, 2, 3, 1), training=False)
        assert float(expected.std(0).mean() / expected.std()) > 1e-3, "logits alike for all images compare nothing"
        assert parity.relative_difference(ours.eval()(images), expected) < 1e-9
    assert sum(p.numel() for p in ours.parameters()) == sum(v.value.numel() for v in theirs.trainable_variables)


@pytest.mark.parametrize("name", ["keras_resnet50", "keras_resnet50v2"])
@pytest.mark.parametrize("size", [(64, 64), (33, 47)], ids=str)
def test_any_image_size(name: str, size: tuple[int, int], build: Any, parity: Any) -> None:
    images = torch.randn(2, 3, *size).double()
    ours, theirs, _ = build(name, images)
    with torch.no_grad():
        assert parity.relative_difference(ours.eval()(images), theirs(images.permute(0, 2, 3, 1))) < 1e-9


@pytest.mark.parametrize("name", ["keras_resnet50", "keras_resnet50v2"])
def test_same_training(name: str, build: Any, parity: Any) -> None:
    images = torch.randn(4, 3, 65, 75).double()
    ours, theirs, variables = build(name, images)
    logits, expected = ours.train()(images), theirs(images.permute(0, 2, 3, 1), training=True)
    assert parity.relative_difference(logits, expected) < 1e-9
    for each in (logits, expected):
        each.log_softmax(1)[:, 0].sum().backward()
    largest = max(float(parameter.grad.abs().max()) for parameter in ours.parameters())
    for key, parameter in ours.named_parameters():
        gradient = to_tensorflow(parameter.grad)
        theirs_gradient = variables[key].value.grad
        difference = float((gradient - theirs_gradient).abs().max())
        assert difference < 1e-4 * float(theirs_gradient.abs().max()) + 1e-9 * largest, key
    for key, buffer in ours.named_buffers():
        if key.endswith("running_mean"):
            assert parity.relative_difference(buffer, variables[key].value) < 1e-9, key
