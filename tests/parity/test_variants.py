"""The variations of arXiv:1603.05027, Table 1 and Figure 4, against that paper's figures written as functions.

The references read the weights by name and share no code with the package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from resnetkit.models.resnet import ResNet, create_model


class Weights:
    """A network's weights, noting which were read."""

    def __init__(self, network: ResNet) -> None:
        self.tensors = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
        self.read: set[str] = set()

    def __contains__(self, layer: str) -> bool:
        return f"{layer}.weight" in self.tensors

    def get(self, name: str) -> Tensor:
        self.read.add(name)
        return self.tensors[name]

    def conv(self, name: str, x: Tensor, stride: int = 1, *, bias: bool = False) -> Tensor:
        weight = self.get(f"{name}.weight")
        return F.conv2d(x, weight, self.get(f"{name}.bias") if bias else None, stride, padding=weight.shape[-1] // 2)

    def norm(self, name: str, x: Tensor) -> Tensor:
        mean, variance = self.get(f"{name}.running_mean"), self.get(f"{name}.running_var")
        return F.batch_norm(x, mean, variance, self.get(f"{name}.weight"), self.get(f"{name}.bias"))


# --- Figure 4: (a) to (e), and (a) and (c) at once, for two convs a block and three: the branch, and what follows ---


def branch_of(order: str, w: Weights, block: str, x: Tensor, strides: list[int]) -> Tensor:
    for i, stride in enumerate(strides, start=1):
        conv, norm = f"{block}.conv{i}", f"{block}.bn{i}"
        last = i == len(strides)
        match order:
            case "original":
                x = w.norm(norm, w.conv(conv, x, stride))
                x = x if last else F.relu(x)
            case "norm_after_add":
                x = w.conv(conv, x, stride)
                x = x if last else F.relu(w.norm(norm, x))
            case "act_before_add" | "act_around_add":
                x = F.relu(w.norm(norm, w.conv(conv, x, stride)))
            case "act_only_preact":
                x = w.norm(norm, w.conv(conv, F.relu(x), stride))
            case "full_preact":
                x = w.conv(conv, F.relu(w.norm(norm, x)), stride)
    return x


def after_addition(order: str, w: Weights, block: str, x: Tensor, num_convs: int) -> Tensor:
    match order:
        case "original" | "act_around_add":
            return F.relu(x)
        case "norm_after_add":
            return F.relu(w.norm(f"{block}.bn{num_convs}", x))
        case _:
            return x


def skip_of(order: str, option: str, w: Weights, block: str, x: Tensor, stride: int) -> Tensor:
    """Options A and B; a projection reads what the branch reads after its pre-activation, zero padding the input."""
    if option == "A" and stride > 1:
        x = x[:, :, ::stride, ::stride]
        return torch.cat([x, torch.zeros_like(x)], dim=1)
    if f"{block}.downsample.0" not in w:
        return x
    if order == "full_preact":
        return w.conv(f"{block}.downsample.0", F.relu(w.norm(f"{block}.bn1", x)), stride)
    start = F.relu(x) if order == "act_only_preact" else x
    return w.norm(f"{block}.downsample.1", w.conv(f"{block}.downsample.0", start, stride))


Join = Callable[[Weights, str, Tensor, Tensor, Tensor, int], Tensor]  # of weights, block, input, skip, branch, stride


def gate(w: Weights, block: str, x: Tensor, stride: int) -> Tensor:
    return torch.sigmoid(w.conv(f"{block}.joiner.gate", x, stride, bias=True))


def exclusive_gate(w: Weights, block: str, x: Tensor, skip: Tensor, branch: Tensor, stride: int) -> Tensor:
    g = gate(w, block, x, stride)
    return (1 - g) * skip + g * branch


JOINS: dict[str, Join] = {
    "add": lambda w, block, x, skip, branch, stride: skip + branch,
    "scaling": lambda w, block, x, skip, branch, stride: 0.5 * skip + 0.5 * branch,
    "exclusive_gate": exclusive_gate,
    "shortcut_gate": lambda w, block, x, skip, branch, stride: (1 - gate(w, block, x, stride)) * skip + branch,
    "dropout": lambda w, block, x, skip, branch, stride: skip + branch,  # in evaluation
    "none": lambda w, block, x, skip, branch, stride: branch,
}


def reference(
    images: Tensor, w: Weights, *, depth: int, num_convs: int, order: str, option: str, join: str = "add"
) -> Tensor:
    x = w.conv("conv1", images)
    if order != "full_preact":
        x = w.norm("bn1", x)
        x = x if order == "act_only_preact" else F.relu(x)
    for stage in (1, 2, 3):
        for number in range((depth - 2) // (3 * num_convs)):
            block = f"layer{stage}.{number}"
            stride = 2 if stage > 1 and number == 0 else 1
            strides = [stride, *[1] * (num_convs - 1)]
            branch = branch_of(order, w, block, x, strides)
            skip = x
            if join != "none":
                skip = skip_of(order, option, w, block, x, stride)
                if stage == 1 and number == 0 and f"{block}.downsample.0" not in w:
                    # Appendix: the first activation comes right after the stem, before the block forks.
                    if order == "full_preact":
                        skip = F.relu(w.norm(f"{block}.bn1", x))
                    elif order == "act_only_preact":
                        skip = F.relu(x)
            x = after_addition(order, w, block, JOINS[join](w, block, x, skip, branch, stride), num_convs)
    if order == "full_preact":
        x = w.norm("norm", x)
    if order in ("full_preact", "act_only_preact"):
        x = F.relu(x)  # … and the last one after the last addition
    return x.mean((2, 3)) @ w.get("fc.weight").T + w.get("fc.bias")


ORDERS = ("original", "norm_after_add", "act_before_add", "act_only_preact", "full_preact", "act_around_add")


def check(name: str, parity: Any, **settings: Any) -> None:
    images = torch.randn(2, 3, 13, 18, dtype=torch.float64)
    with parity.undrawn(torch.float64):
        network = create_model(name)
    network.load_state_dict(parity.draw_weights(network), assign=True)
    parity.settle_statistics(network, images)
    weights = Weights(network)
    with torch.no_grad():
        expected = reference(images, weights, **settings)
        assert weights.read == set(weights.tensors), "the network has weights that the reference does not know"
        assert float(expected.std(0).mean() / expected.std()) > 1e-3, "logits alike for all images compare nothing"
        assert parity.relative_difference(network.eval()(images), expected) < 1e-9


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("option", ["A", "B"])
def test_orders_with_two_convs(order: str, option: str, parity: Any) -> None:
    name = f"resnet110[depth=20,order={order},shortcut={option}]"
    check(name, parity, depth=20, num_convs=2, order=order, option=option)


@pytest.mark.parametrize("order", ORDERS)
def test_orders_with_bottlenecks(order: str, parity: Any) -> None:
    name = f"resnet164[depth=29,order={order},block.strided_conv=0]"
    check(name, parity, depth=29, num_convs=3, order=order, option="B")


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("option", ["A", "B"])
def test_joins(join: str, option: str, parity: Any) -> None:
    name = f"resnet110[depth=20,join={join},shortcut={option}]"
    check(name, parity, depth=20, num_convs=2, order="original", option=option, join=join)


def test_networks_of_the_papers_tables_at_full_depth(parity: Any) -> None:
    check(
        "resnet110[join=shortcut_gate]",
        parity,
        depth=110,
        num_convs=2,
        order="original",
        option="A",
        join="shortcut_gate",
    )
    check("resnet164[order=act_only_preact]", parity, depth=164, num_convs=3, order="act_only_preact", option="B")
