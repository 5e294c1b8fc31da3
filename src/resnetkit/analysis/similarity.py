"""Likeness of what layers compute: linear centred kernel alignment, arXiv:1905.00414."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from resnetkit.analysis.figure import Figure, Matrix
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.errors import require
from resnetkit.machine.device import exact_float32
from resnetkit.models.resnet import ResNet

MOST_IMAGES = 500
MOST_NUMBERS = 2**25  # of a layer's map of all images, 128 MB; larger maps are averaged over squares of pixels
LEAST_IMAGES = 4  # of which the estimate can be made


class Features:
    """A layer's features of N images, ``(N, p)``, made ready to be compared: centred, and small.

    Of more features than images it keeps the products of images ``(N, N)``, which say the same.
    """

    def __init__(self, features: Tensor) -> None:
        num_images, num_features = features.shape
        require(num_images >= LEAST_IMAGES, f"similarity needs at least {LEAST_IMAGES} images, got {num_images}")
        centred = features - features.mean(0)
        self.num_images = num_images
        self.squares = centred.double().square().sum(1)
        self.by_feature = centred.double() if num_features <= num_images else None
        self._products = None if num_features <= num_images else (centred @ centred.T).double()

    @property
    def products(self) -> Tensor:
        """Products of images with images, ``(N, N)``."""
        if self._products is not None:
            return self._products
        assert self.by_feature is not None
        return self.by_feature @ self.by_feature.T

    def dot(self, other: Features) -> float:
        """Likeness before it is scaled: of independent features it is 0 on average, however many there are.

        ``‖XᵀY‖²``, computed over features or over images, whichever are fewer, less what chance adds to it.
        """
        if self.by_feature is not None and other.by_feature is not None:
            found = (self.by_feature.T @ other.by_feature).square().sum()
        else:
            found = (self.products * other.products).sum()
        n = self.num_images
        by_rows = n / (n - 2) * (self.squares @ other.squares)
        by_norms = self.squares.sum() * other.squares.sum() / ((n - 1) * (n - 2))
        return float(found - by_rows + by_norms)

    @cached_property
    def squared_length(self) -> float:
        """Likeness with itself."""
        return self.dot(self)


def linear_cka(x: Features, y: Features) -> float:
    """Linear CKA without its bias for few images: 1 for features alike but for rotation and scale, 0 on average for
    independent ones (by chance a little below too); 0 where one of them does not vary.
    """
    scale = x.squared_length * y.squared_length
    return x.dot(y) / scale**0.5 if scale > 0 else 0.0


def block_features(network: ResNet, sample: Sample) -> Iterator[tuple[str, Features]]:
    """Yield the features of the stem and of every block: whole maps ``(N, C h w)``, one layer at a time in memory."""
    device = next(network.parameters()).device
    with torch.inference_mode(), exact_float32(device):
        maps = [network.stem(images) for images, _ in sample.batches(device)]
        yield "stem", Features(_flatten(maps, len(sample)))
        for name, block in network.iter_blocks():
            maps = [block(x) for x in maps]
            yield name, Features(_flatten(maps, len(sample)))


def _flatten(maps: list[Tensor], num_images: int) -> Tensor:
    _, channels, height, width = maps[0].shape
    side = int((MOST_NUMBERS / (num_images * channels)) ** 0.5)
    if height * width > side * side:
        maps = [F.adaptive_avg_pool2d(x, max(1, min(side, height))) for x in maps]
    return torch.cat([x.flatten(1) for x in maps])


def measure_similarity(network: ResNet, sample: Sample) -> tuple[tuple[str, ...], tuple[tuple[float, ...], ...]]:
    """Compare the maps of stem and blocks with one another: their names, and linear CKA of each with each."""
    found = dict(block_features(network, sample))
    return tuple(found), tuple(tuple(linear_cka(one, other) for other in found.values()) for one in found.values())


def show_similarity(subject: Subject) -> Figure:
    """Measure and draw how alike the maps of a subject's blocks are."""
    sample = subject.shown().some(MOST_IMAGES)
    names, values = measure_similarity(subject.network, sample)
    neighbours = [values[i][i + 1] for i in range(len(names) - 1)]
    changes = min(range(len(neighbours)), key=neighbours.__getitem__)
    mean = sum(neighbours) / len(neighbours)
    return Figure(
        name="similarity",
        title="Likeness of what the blocks compute",
        source="arXiv:1905.00414, Figure 3",
        expected="Blocks are most like their neighbours, and a residual network changes its map little by little "
        "within a stage; where a network has more blocks than it needs, large squares of the matrix are alike.",
        seen=f"Neighbouring blocks are alike by {mean:.2f} on average, least from {names[changes]} to "
        f"{names[changes + 1]} ({neighbours[changes]:.2f}); the first and the last map by {values[0][-1]:.2f}.",
        panels=(Matrix("linear CKA of what blocks hand on", "CKA", names, names, values, 0.0, 1.0),),
        numbers={"mean_of_neighbours": mean, "least_of_neighbours": neighbours[changes], "ends": values[0][-1]},
        notes=(
            f"of whole maps of {len(sample):,} images, larger ones averaged over squares of pixels; the estimate is "
            "without bias: independent maps give 0 on average, and by chance a little below",
        ),
    )
