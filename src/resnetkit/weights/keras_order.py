"""Keras networks whose layers were never named: the order of the layers and their shapes tell what each is.

A file of weights alone has no graph. But Keras lists layers by their distance from the output, so that along a branch
they stand in the order of the calls, and where branch and skip run side by side their channels differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from torch import Tensor

NAME = "Keras, unnamed layers"
AUTOMATIC = re.compile(r"(conv2d|batch_normalization|dense)(_\d+)?/[a-z_]+")


def name_modules(tensors: Mapping[str, Tensor]) -> dict[str, str] | None:
    """Our names for the layers of a pre-activated network with two convs a block; None where it is no such network.

    Channels change with every stage after the first; a block where they do has a projection, with its own batch
    norm or without.
    """
    if not all(AUTOMATIC.fullmatch(name) for name in tensors):
        return None
    convs, norms, heads = [], [], []
    for name, tensor in tensors.items():
        layer, _, variable = name.partition("/")
        if variable == "kernel" and tensor.ndim == 4:
            convs.append((layer, int(tensor.shape[2]), int(tensor.shape[3])))
        elif variable == "kernel":
            heads.append((layer, "fc"))
        elif variable == "gamma":
            norms.append((layer, tensor.numel()))
    try:
        return None if len(heads) > 1 else dict([*_walk(_Layers(convs, norms)), *heads])
    except _OtherNetwork:
        return None


class _OtherNetwork(Exception):  # noqa: N818 - a finding, and never seen outside
    """The layers do not line up."""


class _Layers:
    """The convs ``(name, in, out)`` and the batch norms ``(name, channels)``, taken in order."""

    def __init__(self, convs: list[tuple[str, int, int]], norms: list[tuple[str, int]]) -> None:
        self.convs, self.norms = convs, norms

    def take_conv(self) -> tuple[str, int, int]:
        if not self.convs:
            raise _OtherNetwork
        return self.convs.pop(0)

    def take_norms(self, *channels: int) -> list[str]:
        """Take as many batch norms as channels are given; return them in the order of these, however they come."""
        taken = {size: name for name, size in self.norms[: len(channels)]}
        if taken.keys() != set(channels):
            raise _OtherNetwork
        del self.norms[: len(channels)]
        return [taken[size] for size in channels]


def _walk(layers: _Layers) -> Iterator[tuple[str, str]]:
    name, _, channels = layers.take_conv()
    yield name, "conv1"
    # B blocks and P projections have 2B + P convs, and 2B + 1 batch norms or, each projection with its own, 2B + P + 1.
    own_norm = len(layers.norms) == len(layers.convs) + 1
    stage, block = 1, 0
    while layers.convs:
        first, reads, width = layers.take_conv()
        projects = width != channels
        if projects and block:
            stage, block = stage + 1, 0
        ours = f"layer{stage}.{block}"
        pair = {reads: (name, out) for name, reads, out in (layers.take_conv() for _ in range(1 + projects))}
        if reads != channels or pair.keys() != {width, channels} or any(out != width for _, out in pair.values()):
            raise _OtherNetwork
        yield layers.take_norms(channels)[0], f"{ours}.bn1"
        yield first, f"{ours}.conv1"
        yield pair[width][0], f"{ours}.conv2"
        if projects and own_norm:
            second, own = layers.take_norms(width, channels)
            yield own, f"{ours}.downsample.0"
        else:
            second = layers.take_norms(width)[0]
        yield second, f"{ours}.bn2"
        if projects:
            yield pair[channels][0], f"{ours}.downsample.{2 if own_norm else 0}"
        channels, block = width, block + 1
    yield layers.take_norms(channels)[0], "norm"
    if layers.norms:
        raise _OtherNetwork
