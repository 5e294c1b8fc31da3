"""Strength of the responses of a network's layers: arXiv:1512.03385, Figure 7."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from resnetkit.analysis.figure import Figure, Line, Lines
from resnetkit.analysis.hooks import watched
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.machine.device import exact_float32
from resnetkit.models.plan import plan_network
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import NoSkip, ResNetSpec
from resnetkit.models.steps import Conv, Normalize, Relu, Steps


@dataclass(frozen=True)
class Response:
    """A layer's response.

    Attributes:
        layer: name of the conv in the network.
        read_at: name of the layer whose output is the response: the norm behind the conv, or the conv itself.
        std: standard deviation over images, channels and pixels.
    """

    layer: str
    read_at: str
    std: float


def find_responses(spec: ResNetSpec) -> Iterator[tuple[str, str]]:
    """Yield the convs of stem and branches, and for each the layer whose output is its response.

    That is the norm between the conv and the activation or addition that follows. Where blocks start with a norm, as
    pre-activated ones do, the norm behind a conv is the next unit's and stands behind no last conv: there the response
    is what the conv puts out.
    """
    starts_with_norm = spec.block.order.unit[0] == "bn"
    for part in plan_network(spec):
        if part.ends_with == "act1":
            yield from _responses_along(part.steps, "", reads_norm=True)
        for i, block in enumerate(part.blocks):
            prefix = f"{part.ends_with}.{i}."
            yield from _responses_along(block.branch, prefix, reads_norm=not starts_with_norm)


def _responses_along(steps: Steps, prefix: str, *, reads_norm: bool) -> Iterator[tuple[str, str]]:
    for i, step in enumerate(steps):
        if not isinstance(step.layer, Conv):
            continue
        read_at = step.name
        for later in steps[i + 1 :] if reads_norm else ():
            if isinstance(later.layer, Normalize):
                read_at = later.name
            if isinstance(later.layer, Normalize | Relu | Conv):
                break
        yield prefix + step.name, prefix + read_at


def measure_responses(network: ResNet, sample: Sample) -> tuple[Response, ...]:
    """Measure the standard deviation of every layer's response on images, in the order of the layers."""
    layers = list(find_responses(network.spec))
    sums = {read_at: torch.zeros(3, dtype=torch.float64) for _, read_at in layers}

    def add_up(name: str, response: Tensor) -> None:
        values = response.double()  # now: the activation that follows may overwrite it
        sums[name] += torch.stack([values.sum(), values.square().sum(), values.new_tensor(values.numel())]).cpu()

    device = next(network.parameters()).device
    watchers = {name: partial(add_up, name) for name in sums}
    with watched(network, watchers), torch.inference_mode(), exact_float32(device):
        for images, _ in sample.batches(device):
            network(images)
    return tuple(Response(layer, read_at, _std(*sums[read_at].tolist())) for layer, read_at in layers)


def _std(total: float, squares: float, number: float) -> float:
    return math.sqrt(max(0.0, squares / number - (total / number) ** 2))


def draw_responses(responses: tuple[Response, ...], spec: ResNetSpec) -> Figure:
    """The figure: layer by layer, and in descending order."""
    stds = [response.std for response in responses]
    numbers = tuple(float(i) for i in range(1, len(stds) + 1))
    mean, largest = sum(stds) / len(stds), max(range(len(stds)), key=stds.__getitem__)
    reads_convs = any(response.layer == response.read_at for response in responses)
    is_plain = isinstance(spec.block.join, NoSkip)
    notes: tuple[str, ...] = ()
    if reads_convs:
        notes += ("of convs without a norm of their own before the activation or addition: what the conv puts out",)
    if any(size == 1 for size in spec.block.kernel_sizes):
        notes += ("the paper shows 3×3 layers; here the 1×1 convs of the branches are shown too",)
    return Figure(
        name="responses",
        title="Standard deviation of each layer's response",
        source="arXiv:1512.03385, Figure 7",
        expected="A residual network responds less strongly than a plain one, and a deeper residual network less "
        "strongly than a shallower one: each block changes what it reads by little.",
        seen=f"{'Without skips' if is_plain else 'With skips'}, the mean over {len(stds)} layers is {mean:.3f}; the "
        f"strongest is {responses[largest].layer} with {stds[largest]:.3f}.",
        panels=(
            Lines(
                "in the order of the layers",
                "layer",
                "standard deviation",
                (Line("response", numbers, tuple(stds)),),
                tuple(response.layer for response in responses),
            ),
            Lines(
                "in descending order",
                "rank",
                "standard deviation",
                (Line("response", numbers, tuple(sorted(stds, reverse=True))),),
            ),
        ),
        numbers={"mean_std": mean, "largest_std": stds[largest]},
        notes=notes,
    )


def show_responses(subject: Subject) -> Figure:
    """Measure and draw the responses of a subject's layers."""
    return draw_responses(measure_responses(subject.network, subject.shown()), subject.spec)
