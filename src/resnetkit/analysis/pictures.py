"""Pictures of what a network looks for, and of what each of its stages makes of an image."""

from __future__ import annotations

import torch
from torch import Tensor

from resnetkit.analysis.figure import Figure, Picture, Pictures
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.images.spec import Preprocessing
from resnetkit.machine.device import exact_float32
from resnetkit.models.plan import FIRST_CONVS
from resnetkit.models.resnet import ResNet
from resnetkit.pages.formatting import percent

MOST_FILTERS = 64
MAPS_OF_A_STAGE = 8


def first_filters(network: ResNet) -> Tensor:
    """Weights of the first conv, ``(C_out, C, k, k)``; of a stem of several convs, of the first."""
    weights = dict(network.named_parameters())
    return next(weights[name] for name in FIRST_CONVS if name in weights).detach().cpu()


def show_filters(subject: Subject) -> Figure:
    """Draw the filters of a subject's first conv."""
    filters = first_filters(subject.network)
    num_filters, channels, size, _ = filters.shape
    preprocessing = None if subject.sample is None else subject.sample.preprocessing
    pictures = tuple(_filter_picture(f"filter {i}", one, preprocessing) for i, one in enumerate(filters[:MOST_FILTERS]))
    strengths = filters.flatten(1).norm(dim=1)
    weak = int((strengths < 0.1 * strengths.max()).sum())
    notes = []
    if num_filters > MOST_FILTERS:
        notes.append(f"the first {MOST_FILTERS} of {num_filters}")
    if channels not in (1, 3):
        notes.append(f"of {channels} input channels the first is shown")
    return Figure(
        name="filters",
        title="Filters of the first layer",
        source="A. Krizhevsky et al., NIPS 2012, Figure 3; arXiv:1311.2901",
        expected="Edges at several angles and frequencies, and blobs of opposite colours; smooth, where training was "
        "long enough. Filters of 3×3 pixels leave little to see.",
        seen=f"{num_filters} filters of {size}×{size} pixels over {channels} channel{'s' if channels > 1 else ''}; "
        f"{weak} of them are weaker than a tenth of the strongest. {_roughness_words(filters)}",
        panels=(Pictures(f"{size}×{size} pixels, each scaled by itself", pictures),),
        numbers={"num_filters": float(num_filters), "num_weak": float(weak), "roughness": _roughness(filters)},
        notes=tuple(notes),
    )


def _roughness(filters: Tensor) -> float:
    """Mean square of neighbouring weights' differences, over that of independent weights: 1 for noise, 0 for none."""
    centred = filters - filters.mean((2, 3), keepdim=True)
    steps = torch.cat([filters.diff(dim=2).flatten(), filters.diff(dim=3).flatten()])
    variance = float(centred.square().mean())
    if variance == 0 or not len(steps):
        return 0.0
    size = filters.shape[-1] ** 2
    return float(steps.square().mean()) / (2 * variance * size / (size - 1))


def _roughness_words(filters: Tensor) -> str:
    if filters.shape[-1] == 1:
        return "They see single pixels."
    roughness = _roughness(filters)
    return f"Neighbouring weights differ {roughness:.2f} times as much as those of noise would."


def _filter_picture(name: str, weights: Tensor, preprocessing: Preprocessing | None) -> Picture:
    """One filter ``(C, k, k)``; grey is 0."""
    if preprocessing is not None and preprocessing.channel_order == "bgr":
        weights = weights.flip(0)
    shown = weights if len(weights) == 3 else weights[:1]
    most = float(shown.abs().max())
    return _picture(name, shown, -most, most)


def _picture(name: str, values: Tensor, low: float, high: float) -> Picture:
    """Values ``(C, H, W)`` between ``low``, black, and ``high``, white."""
    scaled = (values - low) / (high - low) if high > low else torch.zeros_like(values)
    pixels = (255 * scaled).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).tolist()
    return Picture(name, tuple(tuple(map(tuple, row)) for row in pixels), low, high)


def stage_maps(network: ResNet, sample: Sample) -> dict[str, Tensor]:
    """Maps ``(C, h, w)`` of stem and stages, for the first image."""
    device = next(network.parameters()).device
    images, _ = next(sample.batches(device, 1))
    with torch.inference_mode(), exact_float32(device):
        return {name: x[0].float().cpu() for name, x in network.iter_stages(images)}


def show_stages(subject: Subject) -> Figure:
    """Draw the strongest channels of each stage for one image."""
    sample = subject.pictured()
    maps = stage_maps(subject.network, sample)
    image = torch.from_numpy(sample.pixels[0].copy()).float()
    shown = image if len(image) == 3 else image[:1]
    panels = [Pictures("the image, as the network is given it", (_picture("image", shown, 0.0, 255.0),))]
    active = {}
    for name, x in maps.items():
        strengths = x.abs().mean((1, 2))
        strongest = strengths.argsort(descending=True, stable=True)[:MAPS_OF_A_STAGE].tolist()
        pictures = tuple(
            _picture(f"channel {channel}", x[channel : channel + 1], float(x[channel].min()), float(x[channel].max()))
            for channel in strongest
        )
        _, height, width = x.shape
        panels.append(Pictures(f"{name}: {height}×{width} pixels, {len(x)} channels, the strongest", pictures))
        active[name] = float((x > 0).float().mean())
    first, *_, last = maps
    return Figure(
        name="stages",
        title="What each stage sees",
        source="arXiv:1311.2901, Figure 2 (maps themselves, not their projections)",
        expected="The first maps are the image, by edges and colours; later ones are coarser, and light up where the "
        "object is, fewer of their values at once.",
        seen=f"From {first} to {last}, maps go from {maps[first].shape[1]} to {maps[last].shape[1]} pixels a side, and "
        f"the share of values above 0 from {percent(active[first], 0)} to {percent(active[last], 0)}.",
        panels=tuple(panels),
        numbers={f"share_above_0_{name}": share for name, share in active.items()},
        notes=("each channel is scaled by itself, from its least value to its greatest",),
    )
