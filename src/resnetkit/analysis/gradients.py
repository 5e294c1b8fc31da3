"""Gradients at the start of training, with skips and without: arXiv:1702.08591."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from resnetkit.analysis.figure import Figure, Line, Lines
from resnetkit.analysis.responses import find_responses
from resnetkit.analysis.subject import Subject, draw_network
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ZERO_PAD, Add, Block, NoSkip, ResNetSpec

NUM_DRAWS = 3  # of fresh weights
NUM_IMAGES = 64  # along the way from one image to another, and in the batch for norms
MAX_LAG = 16
MOST_PX = 64  # larger images are shrunk to this side: gradients at the start tell of depth, not of detail
SMALLEST_PX = 32
NUM_CLASSES = 10  # where a network has no head


@dataclass(frozen=True)
class Inputs:
    """Images that fresh networks are given.

    Attributes:
        ends: two images, float32 ``(2, C, S, S)``.
        batch: images ``(N, C, S, S)``.
        labels: int64 ``(N,)``.
    """

    ends: Tensor
    batch: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Gradients:
    """Gradients of fresh networks of one spec.

    Attributes:
        layers: names of convs, in order.
        norms: of the loss's gradient by each conv's weights, geometric mean over draws of the network.
        correlations: by draw, and from lag 1 on, of gradients by the image along the way between two images.
    """

    layers: tuple[str, ...]
    norms: tuple[float, ...]
    correlations: tuple[tuple[float, ...], ...]

    def mean_correlation(self, lag: int = 1) -> float:
        """Mean over the draws."""
        return statistics.fmean(one[lag - 1] for one in self.correlations)


def without_skips(spec: ResNetSpec) -> ResNetSpec:
    """The same network without skips; no branch starts at zero, since nothing would come through."""
    return _changed(
        replace(spec, initialization=replace(spec.initialization, zero_last=False)),
        lambda block: replace(block, join=NoSkip()),
    )


def with_skips_added(spec: ResNetSpec) -> ResNetSpec:
    """The same network with skips that add no weights, as the paper's residual networks for small images have them."""
    return _changed(spec, lambda block: replace(block, join=Add(), projection=ZERO_PAD, project="shape_change"))


def _changed(spec: ResNetSpec, change: Callable[[Block], Block]) -> ResNetSpec:
    first = None if spec.first_block is None else change(spec.first_block)
    return replace(spec, block=change(spec.block), first_block=first)


def measure_gradients(spec: ResNetSpec, inputs: Inputs, *, num_draws: int = NUM_DRAWS, seed: int = 0) -> Gradients:
    """Measure gradients of fresh networks in training mode: norms take statistics over the batch."""
    layers = tuple(layer for layer, _ in find_responses(spec))
    norms, correlations = [], []
    for draw in range(num_draws):
        network = draw_network(spec, seed=seed + draw, device=inputs.batch.device).train()
        norms.append(weight_gradient_norms(network, inputs, layers))
        gradients = input_gradients(network, inputs.ends)
        correlations.append(tuple(correlation(gradients, lag) for lag in range(1, MAX_LAG + 1)))
    typical = tuple(_geometric_mean(values) for values in zip(*norms, strict=True))
    return Gradients(layers, typical, tuple(correlations))


def weight_gradient_norms(network: ResNet, inputs: Inputs, layers: tuple[str, ...]) -> list[float]:
    """Norms of the cross-entropy's gradient by the weights of each layer."""
    with torch.enable_grad():
        loss = F.cross_entropy(network(inputs.batch), inputs.labels)
        weights = [network.get_submodule(layer).weight for layer in layers]
        return [float(gradient.norm()) for gradient in torch.autograd.grad(loss, weights)]  # type: ignore[arg-type]


def input_gradients(network: ResNet, ends: Tensor, num_images: int = NUM_IMAGES) -> Tensor:
    """Gradients ``(num_images, C S S)`` of the first output by the images on the straight way between two."""
    way = torch.linspace(0, 1, num_images, device=ends.device)[:, None, None, None]
    with torch.enable_grad():
        images = (ends[:1] * (1 - way) + ends[1:] * way).requires_grad_()
        (gradients,) = torch.autograd.grad(network(images)[:, 0].sum(), images)
    return gradients.flatten(1)


def correlation(gradients: Tensor, lag: int) -> float:
    """Autocorrelation of vectors in a row ``(T, D)``, about their mean, at a lag of some places; 0 for constants.

    And 0 for what is beyond float32, as gradients of a thousand layers without skips can be.
    """
    centred = gradients.double() - gradients.double().mean(0)
    scale = centred.square().sum()
    return float((centred[lag:] * centred[:-lag]).sum() / scale) if 0 < scale < math.inf else 0.0


def _geometric_mean(values: tuple[float, ...]) -> float:
    return math.exp(statistics.fmean(map(math.log, values))) if min(values) > 0 else 0.0


def take_inputs(subject: Subject) -> Inputs:
    """The subject's images, no larger than it takes; noise where it has none, and labels drawn at random."""
    noise, spec, sample = torch.Generator().manual_seed(subject.seed), subject.spec, subject.sample
    labels = torch.randint(0, spec.num_classes or NUM_CLASSES, (NUM_IMAGES,), generator=noise).to(subject.device)
    if sample is None or len(sample) < 2:
        shape = (NUM_IMAGES, spec.in_channels, SMALLEST_PX, SMALLEST_PX)
        images = torch.randn(shape, generator=noise).to(subject.device)
    else:
        images, known = next(sample.some(NUM_IMAGES).batches(subject.device))
        labels = known if sample.is_labelled else labels[: len(images)]
    if images.shape[-1] > MOST_PX:
        images = F.adaptive_avg_pool2d(images, MOST_PX)
    return Inputs(images[[0, -1]], images, labels)


def show_gradients(subject: Subject) -> Figure:
    """Measure and draw gradients of fresh networks like a subject's, with skips and without."""
    spec, inputs = subject.spec, take_inputs(subject)
    if spec.num_classes is None:
        spec = replace(spec, num_classes=NUM_CLASSES, pooling="avg")
    with_skips = spec if not isinstance(spec.block.join, NoSkip) else with_skips_added(spec)
    specs = {"with skips": with_skips, "without skips": without_skips(spec)}
    measured = {name: measure_gradients(one, inputs, seed=subject.seed) for name, one in specs.items()}
    notes = [
        f"{NUM_DRAWS} draws of fresh weights; batch norms take their statistics over the batch, as in training",
        f"correlations are of gradients of one output by the image, at {NUM_IMAGES} images evenly spaced on the "
        "straight way between two; the paper takes fully connected networks of one input",
    ]
    sample = subject.sample
    if sample is None or len(sample) < 2:
        notes.append("no images were given: these are noise, with labels drawn at random")
    elif not sample.is_labelled:
        notes.append("labels are drawn at random")
    if sample is not None and sample.preprocessing.image_size_px > MOST_PX:
        notes.append(f"images are shrunk to {MOST_PX} px")
    return draw_gradients(measured, tuple(notes))


def draw_gradients(measured: dict[str, Gradients], notes: tuple[str, ...]) -> Figure:
    """The figure: norms layer by layer, and correlations by lag."""
    norms = Lines(
        "norm of the gradient by a layer's weights",
        "layer",
        "norm",
        tuple(_norm_line(name, one) for name, one in measured.items()),
        next(iter(measured.values())).layers,
        is_log=True,
    )
    lags = tuple(float(lag) for lag in range(1, MAX_LAG + 1))
    correlations = Lines(
        "correlation of gradients at images along the way from one to another",
        "images apart",
        "correlation",
        tuple(
            Line(
                name,
                lags,
                tuple(one.mean_correlation(lag) for lag in range(1, MAX_LAG + 1)),
                *(tuple(map(end, zip(*one.correlations, strict=True))) for end in (min, max)),
            )
            for name, one in measured.items()
        ),
        band=f"least and greatest of {NUM_DRAWS} draws",
    )
    numbers, parts = {}, []
    for name, one in measured.items():
        key, ratio = name.replace(" ", "_"), one.norms[0] / one.norms[-1] if one.norms[-1] else 0.0
        numbers[f"correlation_{key}"] = one.mean_correlation()
        if math.isfinite(ratio):
            numbers[f"first_over_last_norm_{key}"] = ratio
        likeness = f"{one.mean_correlation():.2f}".replace("-", "−")
        parts.append(
            f"{name}, gradients by neighbouring images are correlated by {likeness}, and the gradient by the first "
            f"layer's weights is {_times(ratio)} times as long as by the last's"
        )
    return Figure(
        name="gradients",
        title="Gradients at the start of training",
        source="arXiv:1702.08591, Figure 1; norms: arXiv:1902.08129",
        expected="Without skips, gradients at neighbouring images lose all likeness with depth, like white noise, and "
        "their norms grow towards the first layers; with skips, likeness fades slowly and norms stay alike.",
        seen=f"At the start, {'; '.join(parts)}.",
        panels=(norms, correlations),
        numbers=numbers,
        notes=notes,
    )


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if 100 <= ratio < 1e6 else f"{ratio:.3g}"


def _norm_line(name: str, gradients: Gradients) -> Line:
    """The norms that are numbers: those of very deep plain networks can be too large for float32."""
    points = [(float(i), norm) for i, norm in enumerate(gradients.norms, start=1) if math.isfinite(norm)]
    return Line(name, tuple(x for x, _ in points), tuple(y for _, y in points))
