"""Loss landscape: the loss on fixed images at weights about those of a trained network.

Li et al. 2018, arXiv:1712.09913, Section 4. Two directions are drawn at random, and each of their filters is made as
long as the network's own in its place: so a step of 1 is as far for every filter as that filter is from 0, and two
networks can be compared though one has larger weights. As in the authors' code (``xignore=biasbn``), biases and the
parameters of norms stay where they are; so do the running statistics of batch norms, which are used as they stand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from resnetkit.analysis.sample import Sample
from resnetkit.config import frozen
from resnetkit.data.randomness import Purpose, derive_seed
from resnetkit.errors import require
from resnetkit.machine.device import exact_float32
from resnetkit.models.resnet import ResNet

Floats = npt.NDArray[np.float64]
Point = tuple[int, int]
"""Row (along the second direction) and column (along the first) of a point in the grid."""


@frozen
class Plane:
    """The points to look at: ``weights + a * first + b * second`` for all a and b of an even grid.

    Attributes:
        grid: points a side, an odd number, so that the network as it is lies in the middle.
        span: a and b go from ``-span`` to ``span``; at 1 a direction is as long as the weights.
    """

    grid: int = 25
    span: float = 1.0

    def __post_init__(self) -> None:
        require(
            self.grid >= 3 and self.grid % 2 == 1,
            f"a landscape's grid must be an odd number, at least 3, got {self.grid}",
            why="the network as it is lies in the middle",
            fix=f"grid {max(3, self.grid + 1 - self.grid % 2)}",
        )
        require(
            self.span > 0 and math.isfinite(self.span),
            f"a landscape's span must be positive and finite, got {self.span}",
        )

    @property
    def steps(self) -> Floats:
        """Values of a, and of b, ``(grid,)``; the middle one is exactly 0."""
        middle = self.grid // 2
        return np.arange(-middle, middle + 1, dtype=np.float64) * (self.span / middle)

    def points(self) -> list[Point]:
        """All points in the order of computing: the two lines through the middle first, each from there outwards."""
        middle = self.grid // 2
        away = {(i, j): sorted((abs(i - middle), abs(j - middle))) for i in range(self.grid) for j in range(self.grid)}
        return sorted(away, key=lambda point: (away[point], point))


WHOLE = Plane()
"""The plane that is looked at if no other is asked for."""


@dataclass(frozen=True)
class Height:
    """Loss and error at a point.

    Attributes:
        loss: cross-entropy in nats, the mean over the images; NaN where it is not finite.
        error: share of images with a wrong answer.
    """

    loss: float
    error: float


@dataclass(frozen=True)
class Landscape:
    """The loss about a network's weights.

    Attributes:
        losses: nats ``(grid, grid)``, rows along the second direction, columns along the first; NaN where not finite.
        errors: share of images with a wrong answer, alike.
        num_images: how many images both are means over.
    """

    plane: Plane
    losses: Floats
    errors: Floats
    num_images: int

    @classmethod
    def of(cls, plane: Plane, heights: Mapping[Point, Height], num_images: int) -> Landscape:
        """Put all points of a plane together."""
        rows = [[heights[i, j] for j in range(plane.grid)] for i in range(plane.grid)]
        losses = np.array([[height.loss for height in row] for row in rows])
        return cls(plane, losses, np.array([[height.error for height in row] for row in rows]), num_images)

    @property
    def centre(self) -> Height:
        """Loss and error of the network as it is."""
        middle = self.plane.grid // 2
        return Height(float(self.losses[middle, middle]), float(self.errors[middle, middle]))

    def lines(self) -> tuple[Floats, Floats]:
        """The losses along the first direction alone, and along the second alone, each ``(grid,)``."""
        middle = self.plane.grid // 2
        return self.losses[middle], self.losses[:, middle]


def draw_direction(weights: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Draw normal noise with each filter as long as that of the weights, and zeros for what has no filters.

    A filter is what makes one output channel of a conv or one output of a linear layer, ``weight[k]``; biases and norms
    have one number for each. Networks whose weights have the same names and shapes are given the same noise.
    """
    generator = torch.Generator().manual_seed(seed)
    direction = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for name, weight in weights.items():
        if weight.dim() >= 2:
            noise = torch.randn(weight.shape, generator=generator).to(weight.device)
            lengths = weight.flatten(1).norm(dim=1) / noise.flatten(1).norm(dim=1)
            direction[name] += noise * lengths.view(-1, *[1] * (weight.dim() - 1))
    return direction


class Terrain:
    """The loss on some images as a function of two numbers, about a network's weights, which stay as they are."""

    def __init__(self, network: ResNet, sample: Sample, *, seed: int) -> None:
        """Draw the two directions, and make the copy of the network that is moved along them."""
        weights = {name: weight.detach() for name, weight in network.named_parameters()}
        first, second = (draw_direction(weights, derive_seed(seed, number, Purpose.DIRECTION)) for number in (0, 1))
        self._moved = deepcopy(network).eval().requires_grad_(False)
        moved = dict(self._moved.named_parameters())
        self.filters = [
            (moved[name], weight, first[name], second[name]) for name, weight in weights.items() if weight.dim() >= 2
        ]
        self._sample = sample
        self._device = next(network.parameters()).device

    @torch.inference_mode()
    def height(self, a: float, b: float) -> Height:
        """Compute loss and error at ``weights + a * first + b * second``."""
        for moved, weight, first, second in self.filters:
            torch.add(weight, first, alpha=a, out=moved)
            moved.add_(second, alpha=b)
        total = torch.zeros(2, dtype=torch.float64, device=self._device)
        with exact_float32(self._device):
            for images, labels in self._sample.batches(self._device):
                logits = self._moved(images).double()
                wrong = (logits.argmax(dim=1) != labels).sum()
                total += torch.stack([functional.cross_entropy(logits, labels, reduction="sum"), wrong])
        loss, error = (total / len(self._sample)).tolist()
        return Height(loss if math.isfinite(loss) else math.nan, error)
