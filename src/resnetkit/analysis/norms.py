"""State of a network's norms, and the channels that nothing comes through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from resnetkit.analysis.figure import Figure, Line, Lines
from resnetkit.analysis.hooks import watched
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.machine.device import exact_float32
from resnetkit.models.plan import plan_network
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec
from resnetkit.models.steps import Layer, Normalize, Relu

NEGLIGIBLE = 1e-3  # a scale below this lets nothing through that matters


@dataclass(frozen=True)
class Spread:
    """Values of a layer's channels."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Tensor) -> Spread:
        """Mean, least and greatest."""
        return cls(float(values.mean()), float(values.min()), float(values.max()))


@dataclass(frozen=True)
class NormState:
    """A norm's scales (gamma), and the statistics that it divides by in use.

    Attributes:
        scale: absolute values of gamma.
        num_negligible: channels of which gamma is nearly 0.
        running_mean, running_var: None for group norms, which keep none.
    """

    layer: str
    num_channels: int
    scale: Spread
    num_negligible: int
    running_mean: Spread | None
    running_var: Spread | None


@dataclass(frozen=True)
class DeadChannels:
    """Channels of an activation that are 0 everywhere, on all images that were shown."""

    layer: str
    num_channels: int
    channels: tuple[int, ...]


def _layers_of_kind(spec: ResNetSpec, kind: type[Layer]) -> Iterator[str]:
    """Names of the network's layers of a kind, in the order of their calls along each path."""
    for part in plan_network(spec):
        for path in part.iter_paths():
            yield from (step.name for step in path if step.name and isinstance(step.layer, kind))


def read_norms(network: ResNet) -> tuple[NormState, ...]:
    """Read the state of every norm."""
    return tuple(_state_of(name, network.get_submodule(name)) for name in _layers_of_kind(network.spec, Normalize))


def _state_of(name: str, norm: nn.Module) -> NormState:
    assert isinstance(norm, nn.BatchNorm2d | nn.GroupNorm)
    scale = norm.weight.detach().abs()
    statistics = dict(norm.named_buffers())
    return NormState(
        name,
        len(scale),
        Spread.of(scale),
        int((scale < NEGLIGIBLE).sum()),
        *(Spread.of(statistics[name]) if name in statistics else None for name in ("running_mean", "running_var")),
    )


def find_dead_channels(network: ResNet, sample: Sample) -> tuple[DeadChannels, ...]:
    """Find, for every activation, the channels that are never above 0 on images."""
    largest: dict[str, Tensor] = {}

    def look(name: str, output: Tensor) -> None:
        here = output.amax((0, 2, 3)).cpu()
        largest[name] = torch.maximum(largest[name], here) if name in largest else here

    device = next(network.parameters()).device
    names = list(_layers_of_kind(network.spec, Relu))
    watchers: dict[str, Callable[[Tensor], object]] = {name: partial(look, name) for name in names}
    with watched(network, watchers), torch.inference_mode(), exact_float32(device):
        for images, _ in sample.batches(device):
            network(images)
    return tuple(
        DeadChannels(name, len(largest[name]), tuple(torch.nonzero(largest[name] <= 0).flatten().tolist()))
        for name in names
    )


def show_norms(subject: Subject) -> Figure:
    """Read and draw a subject's norms, and its dead channels."""
    return draw_norms(read_norms(subject.network), find_dead_channels(subject.network, subject.shown()))


def draw_norms(norms: tuple[NormState, ...], acts: tuple[DeadChannels, ...]) -> Figure:
    """The figure: scales, statistics and dead channels, layer by layer."""
    panels = [_spread_panel("scales", "|gamma|", norms, lambda norm: norm.scale)]
    if all(norm.running_var is not None for norm in norms):
        panels.append(_spread_panel("running means", "mean", norms, lambda norm: norm.running_mean))
        panels.append(_spread_panel("running variances", "variance", norms, lambda norm: norm.running_var, is_log=True))
    dead = Line(
        "dead channels",
        tuple(float(i) for i in range(1, len(acts) + 1)),
        tuple(len(act.channels) / act.num_channels for act in acts),
    )
    names = tuple(act.layer for act in acts)
    panels.append(Lines("dead channels", "activation", "share of its channels", (dead,), names))
    num_dead, num_channels = sum(len(act.channels) for act in acts), sum(act.num_channels for act in acts)
    num_negligible, num_scales = (sum(getattr(n, name) for n in norms) for name in ("num_negligible", "num_channels"))
    seen = f"{num_dead:,} of {num_channels:,} channels behind activations are dead on these images"
    if num_dead:
        worst = max(acts, key=lambda act: len(act.channels) / act.num_channels)
        seen += f", the largest share in {worst.layer} ({len(worst.channels)} of {worst.num_channels})"
    seen += f"; {num_negligible:,} of {num_scales:,} scales of norms are nearly 0."
    return Figure(
        name="norms",
        title="Norms and dead channels",
        source="arXiv:1502.03167; dead channels: arXiv:1607.03250",
        expected="Scales are spread about a value below 1, few are nearly 0, and hardly a channel is dead. Too much "
        "weight decay, or a rate that was too high, shows as many that are.",
        seen=seen,
        panels=tuple(panels),
        numbers={
            "num_dead_channels": float(num_dead),
            "num_channels": float(num_channels),
            "num_negligible_scales": float(num_negligible),
        },
        notes=(f"a scale is nearly 0 below {NEGLIGIBLE}; a channel is dead if it is 0 at all places of all images",),
    )


def _spread_panel(
    title: str,
    y_title: str,
    norms: tuple[NormState, ...],
    read: Callable[[NormState], Spread | None],
    *,
    is_log: bool = False,
) -> Lines:
    spreads = [spread for norm in norms if (spread := read(norm)) is not None]
    line = Line(
        title,
        tuple(float(i) for i in range(1, len(spreads) + 1)),
        tuple(spread.mean for spread in spreads),
        tuple(spread.low for spread in spreads),
        tuple(spread.high for spread in spreads),
    )
    names = tuple(norm.layer for norm in norms)
    return Lines(title, "norm", y_title, (line,), names, is_log=is_log, band="least and greatest channel")
