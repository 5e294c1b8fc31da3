"""Networks whose blocks are left out or stand in for one another: arXiv:1605.06431, Section 4."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from resnetkit.analysis.sample import Sample
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.machine.device import exact_float32
from resnetkit.models.block import ResidualBlock
from resnetkit.models.places import Place, iter_places
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import NoSkip, ResNetSpec

# For each place in the network the number of the block that stands there, from 0; None: its own is left out.
Wiring = tuple[int | None, ...]


def leave_out(block: ResidualBlock, x: Tensor) -> Tensor:
    """Hand on ``x`` ``(N, in, H, W)`` past a block: ``(N, out, H', W')``.

    A block with a skip hands on what this, its join and what stands behind the addition make of it; a projection
    stays. One without hands on ``x`` itself; where the shape changes, every stride-th pixel of it, with channels of
    zeros behind.
    """
    place = block.plan.place
    if not isinstance(place.block.join, NoSkip):
        return block.forward_skip(x)
    kept = x[:, : place.out_channels, :: place.stride, :: place.stride]
    return F.pad(kept, (0, 0, 0, 0, 0, place.out_channels - kept.shape[1]))


def score_wirings(network: ResNet, sample: Sample, wirings: Sequence[Wiring]) -> list[Accuracy]:
    """Score networks made of the blocks of one; what several have in common from the start is computed once."""
    blocks = [block for _, block in network.iter_blocks()]
    assert all(len(wiring) == len(blocks) for wiring in wirings)
    correct = np.zeros(len(wirings), np.int64)
    device = next(network.parameters()).device
    with torch.inference_mode(), exact_float32(device):
        for images, labels in sample.batches(device):
            for number, x in _ends(blocks, network.stem(images), wirings, range(len(wirings))):
                correct[number] += int((network.answer_from(x).argmax(1) == labels).sum())
    return [Accuracy.of(int(count), len(sample)) for count in correct]


def _ends(
    blocks: Sequence[ResidualBlock], x: Tensor, wirings: Sequence[Wiring], numbers: Sequence[int], place: int = 0
) -> Iterator[tuple[int, Tensor]]:
    """Yield what the last block of each numbered wiring hands on; all of them read ``x`` at ``place``."""
    for here in range(place, len(blocks)):
        ways: dict[int | None, list[int]] = defaultdict(list)
        for number in numbers:
            ways[wirings[number][here]].append(number)
        # The way that most take is the last, and goes on in this loop: the map that it has left is then free.
        *others, most = sorted(ways, key=lambda way: len(ways[way]))
        for way in others:
            yield from _ends(blocks, _step(blocks, here, way, x), wirings, ways[way], here + 1)
        x, numbers = _step(blocks, here, most, x), ways[most]
    for number in numbers:
        yield number, x


def _step(blocks: Sequence[ResidualBlock], here: int, way: int | None, x: Tensor) -> Tensor:
    if way is None:
        return leave_out(blocks[here], x)
    handed_on: Tensor = blocks[way](x)
    return handed_on


def whole(num_blocks: int) -> Wiring:
    """Every block in its own place.

    >>> whole(3)
    (0, 1, 2)
    """
    return tuple(range(num_blocks))


def without(num_blocks: int, left_out: Sequence[int]) -> Wiring:
    """Leave some blocks out.

    >>> without(3, [1])
    (0, None, 2)
    """
    return tuple(None if number in left_out else number for number in range(num_blocks))


def keeps_shape(place: Place) -> bool:
    """Tell whether a block hands on a map of the shape that it reads."""
    return place.stride == 1 and place.in_channels == place.out_channels


def draw_without(spec: ResNetSpec, counts: Sequence[int], draw: np.random.Generator) -> list[tuple[int, Wiring]]:
    """Leave out more and more blocks that keep the shape, in a random order: each count, with the first of them."""
    places = list(iter_places(spec))
    order = draw.permutation([number for number, place in enumerate(places) if keeps_shape(place)]).tolist()
    return [(count, without(len(places), order[:count])) for count in counts]


def draw_swapped(spec: ResNetSpec, counts: Sequence[int], draw: np.random.Generator) -> list[tuple[int, Wiring]]:
    """Swap two blocks again and again; both keep the shape and are of one stage.

    Returns: each count of swaps, with the order that they have led to; nothing where there are no two such blocks.
    """
    places = list(iter_places(spec))
    pairs = [
        (i, j)
        for (i, one), (j, other) in combinations(enumerate(places), 2)
        if one.stage == other.stage and keeps_shape(one) and keeps_shape(other)
    ]
    if not pairs:
        return []
    order = list(whole(len(places)))
    orders = [tuple(order)]
    for i, j in draw.choice(pairs, max(counts, default=0)).tolist():
        order[i], order[j] = order[j], order[i]
        orders.append(tuple(order))
    return [(count, orders[count]) for count in counts]


def kendall_tau(order: Sequence[int]) -> float:
    """Kendall's rank correlation of a permutation with the natural order, in [-1, 1].

    >>> kendall_tau([0, 1, 2]), kendall_tau([2, 1, 0]), kendall_tau([1, 0, 2])
    (1.0, -1.0, 0.333...)
    """
    pairs = list(combinations(order, 2))
    return sum(1 if a < b else -1 for a, b in pairs) / len(pairs) if pairs else 1.0
