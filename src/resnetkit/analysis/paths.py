"""The paths through a residual network, and which of them carry its gradient: arXiv:1605.06431, Sections 3 and 4.3."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.analysis.figure import Figure, Line, Lines
from resnetkit.analysis.hooks import attached
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.models.block import ResidualBlock
from resnetkit.models.places import iter_places
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import NoSkip, ResNetSpec

NUM_IMAGES = 16  # whose gradients are followed
NUM_DRAWS = 2  # of an order of the blocks, for each image
MOST_LENGTHS = 64  # of more, evenly spaced ones are followed


@dataclass(frozen=True)
class Paths:
    """The paths through a network by length: the number of branches that they take.

    Attributes:
        always: blocks without a skip, which every path takes.
        optional: blocks with one.
    """

    always: int
    optional: int

    @classmethod
    def of(cls, spec: ResNetSpec) -> Paths:
        """The paths of a network; exact, from the spec alone."""
        plain = [isinstance(place.block.join, NoSkip) for place in iter_places(spec)]
        return cls(sum(plain), len(plain) - sum(plain))

    @property
    def lengths(self) -> range:
        """Lengths that there are."""
        return range(self.always, self.always + self.optional + 1)

    def share(self, length: int) -> float:
        """Share of all paths, of which there are 2 to the number of skips, that are of a length.

        >>> [Paths(0, 2).share(length) for length in (0, 1, 2)]
        [0.25, 0.5, 0.25]
        """
        return float(math.comb(self.optional, length - self.always) / 2**self.optional)

    @property
    def mean(self) -> float:
        """Mean length."""
        return self.always + self.optional / 2

    def middle(self, share: float = 0.95) -> tuple[int, int]:
        """The shortest and the longest of the middle ``share`` of paths."""
        edge, below, low = (1 - share) / 2, 0.0, self.always
        while below + self.share(low) < edge:
            below += self.share(low)
            low += 1
        return low, 2 * self.always + self.optional - low


def follow_gradients(network: ResNet, sample: Sample, *, num_draws: int = NUM_DRAWS, seed: int = 0) -> dict[int, float]:
    """Measure the norm of the loss's gradient that reaches the first block along paths, by their length.

    All images go forward through the whole network; on the way back each takes the branches of some blocks, and the
    skips alone of all others. The mean over images and draws. A gate counts as a constant.

    Args:
        num_draws: how often an order of the blocks is drawn for each image: a path takes the first branches in it, so
            what differs between two lengths is not that other blocks were drawn.
    """
    draw, paths = np.random.default_rng(seed), Paths.of(network.spec)
    blocks = [block for _, block in network.iter_blocks()]
    has_skip = np.array([not isinstance(block.joiner.join, NoSkip) for block in blocks])
    device = next(network.parameters()).device
    images, labels = next(sample.some(NUM_IMAGES).batches(device))
    with torch.enable_grad():
        x = network.stem(images).detach()
        ways = []
        for block in blocks:
            x = x.detach().requires_grad_()
            ways.append(_Ways(block, x))
            x = ways[-1].handed_on
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(network.answer_from(x), labels, reduction="sum"), x)
    # Of each block the place in an order.
    places = draw.permuted(np.tile(np.arange(paths.optional), (num_draws, len(images), 1)), axis=2)
    norms = {}
    for length in paths.lengths[:: -(-len(paths.lengths) // MOST_LENGTHS)]:
        found = []
        for drawn in places if 0 < length - paths.always < paths.optional else places[:1]:
            takes = np.ones((len(blocks), len(images)), bool)  # the branch, of each block, for each image
            takes[has_skip] = (drawn < length - paths.always).T
            found.append(_mean_norm_along(ways, gradient, torch.from_numpy(takes).to(device)))
        norms[length] = float(np.mean(found))
    return norms


class _Ways:
    """A block's two ways back: what it hands on as a function of its branch alone, and of its skip alone."""

    def __init__(self, block: ResidualBlock, x: Tensor) -> None:
        self.x = x
        self.is_plain = isinstance(block.joiner.join, NoSkip)
        with _held(block.joiner, skip=True):
            self.by_branch: Tensor = block(x)
        if not self.is_plain:
            with _held(block.joiner, skip=False):
                self.by_skip: Tensor = block(x)

    @property
    def handed_on(self) -> Tensor:
        """Map that the block hands on, whichever way is asked for its gradient."""
        return self.by_branch

    def back(self, gradient: Tensor, takes_branch: Tensor) -> Tensor:
        """The gradient by what the block reads, of each image along one way; ``takes_branch`` is bool ``(N,)``."""
        along = takes_branch[:, None, None, None]
        outputs, gradients = [self.by_branch], [gradient.where(along, 0)]
        if not self.is_plain:
            outputs, gradients = [*outputs, self.by_skip], [*gradients, gradient.where(~along, 0)]
        (found,) = torch.autograd.grad(outputs, self.x, gradients, retain_graph=True)
        return found


@contextmanager
def _held(joiner: nn.Module, *, skip: bool) -> Iterator[None]:
    """Let no gradient through a block's skip, or none through its branch."""

    def hold(_: nn.Module, inputs: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        by_skip, by_branch, fork = inputs
        return (by_skip.detach(), by_branch, fork.detach()) if skip else (by_skip, by_branch.detach(), fork.detach())

    with attached([lambda: joiner.register_forward_pre_hook(hold)]):
        yield


def _mean_norm_along(ways: list[_Ways], gradient: Tensor, takes: Tensor) -> float:
    for way, takes_branch in zip(reversed(ways), takes.flip(0), strict=True):
        gradient = way.back(gradient, takes_branch)
    return float(gradient.flatten(1).norm(dim=1).mean())


def show_paths(subject: Subject) -> Figure:
    """Count a subject's paths; where it is trained and has images, follow its gradient along them too."""
    norms = {}
    sample = subject.sample
    if subject.is_trained and sample is not None and sample.is_labelled:
        norms = follow_gradients(subject.network, sample, seed=subject.seed)
    return draw_paths(Paths.of(subject.spec), norms)


def draw_paths(paths: Paths, norms: dict[int, float]) -> Figure:
    """The figure: paths by length, the gradient along one of each length, and what all of a length carry together."""
    lengths = tuple(map(float, paths.lengths))
    shares = tuple(map(paths.share, paths.lengths))
    panels = [Lines("paths by length", "branches taken", "share of all paths", (Line("paths", lengths, shares),))]
    low, high = paths.middle()
    numbers = {"num_blocks": float(paths.always + paths.optional), "mean_length": paths.mean}
    numbers["log2_num_paths"] = float(paths.optional)
    if paths.optional:
        seen = (
            f"{paths.optional} skips make 2^{paths.optional} paths, of {paths.mean:g} branches on average; 95 % of "
            f"them take {low} to {high}, of {paths.always + paths.optional} blocks"
        )
    else:
        seen = f"There are no skips: one path, through all {paths.always} blocks"
    carried = {length: norm * paths.share(length) for length, norm in norms.items()}
    total = sum(carried.values())
    if paths.optional and total > 0:
        places = tuple(map(float, norms))
        panels += [
            Lines(
                "gradient along one path",
                "branches taken",
                "norm at the first block",
                (Line("gradient", places, tuple(norms.values())),),
                is_log=True,
            ),
            Lines(
                "gradient along all paths of a length",
                "branches taken",
                "share of the gradient",
                (Line("gradient", places, tuple(value / total for value in carried.values())),),
            ),
        ]
        mean = sum(length * value for length, value in carried.items()) / total
        numbers["mean_length_by_gradient"] = mean
        seen += f"; weighted by the gradient that they carry, {mean:.1f} branches on average"
    needs_images = paths.optional > 0 and not norms
    return Figure(
        name="paths",
        title="Paths through the network",
        source="arXiv:1605.06431, Figure 6",
        expected="Path lengths are binomially distributed about half the number of blocks. In a deep network the "
        "gradient along a path falls with its length, so that nearly all of it comes from short ones.",
        seen=f"{seen}.",
        panels=tuple(panels),
        numbers=numbers,
        notes=("gradients are followed where a network is trained, on images of its classes",) if needs_images else (),
    )
