"""What the frozen parts of a network make of images, computed once and kept while the rest of it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn

from resnetkit.classifier.views import iter_views
from resnetkit.data.batches import read_batches
from resnetkit.data.reading import evaluation_order
from resnetkit.data.types import Split
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import Indices
from resnetkit.machine.device import exact_float32
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import part_names

BATCH_SIZE = 32


class Cut(nn.Module):
    """A network in two: its lowest parts, which are held still, and the rest, which makes logits of what they give.

    Attributes:
        num_below: so many parts, from below, are in the lower half; with 0 the upper one is the whole network.
    """

    def __init__(self, network: ResNet, num_below: int) -> None:
        super().__init__()
        self.network, self.num_below = network, num_below
        stem, *stages, _ = part_names(len(network.stage_names))
        self._map = ("", stem, *stages)[num_below]
        self._is_head = num_below == len(stages) + 1

    def below(self, images: Tensor) -> Tensor:
        """What the lower half makes of images ``(N, C, S, S)``: a map, for the head alone its pooled features."""
        if self._is_head:
            return self.network.embed(images)
        return self.network.forward_to(self._map, images) if self._map else images

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, K)`` for what :meth:`below` gives; together they are the network."""
        if self._is_head:
            logits: Tensor = self.network.fc(x)
            return logits
        return self.network.forward_from(self._map, x) if self._map else self.network(x)


class FrozenFeatures:
    """What the lower half of a network makes of each image of a split, for each view of it.

    A view is computed for all images, in order, when one is first asked for: so it does not depend on which, and a run
    that is resumed has the same.

    Args:
        read: the network's input for the images at some indices, group by group, float32 ``(n, C, S, S)``, in a view.
        below: the lower half, as it computes.
    """

    def __init__(
        self, num_images: int, read: Callable[[list[Indices], int], Iterator[Tensor]], below: Callable[[Tensor], Tensor]
    ) -> None:
        self._num_images, self._read, self._below = num_images, read, below
        self._views: dict[int, Tensor] = {}

    def of(self, indices: Indices, view: int) -> Tensor:
        """Features of the images at these indices, as :meth:`Cut.below` gives them."""
        if view not in self._views:
            order = evaluation_order(self._num_images, BATCH_SIZE)
            with torch.no_grad():
                self._views[view] = torch.cat([self._below(images) for images in self._read(order, view)])
        kept = self._views[view]
        return kept[torch.from_numpy(indices).to(kept.device)]


class ValidationFeatures:
    """What the frozen parts make of the images of a validation split, in use: nothing random, in float32."""

    def __init__(self, cut: Cut, split: Split, preprocessing: Preprocessing) -> None:
        self._num_below, self._num_views = cut.num_below, 1 + preprocessing.average_mirrored
        device = next(cut.parameters()).device

        def read(groups: list[Indices], view: int) -> Iterator[Tensor]:
            for batch in read_batches(split, groups):
                yield next(islice(iter_views(batch.images.to(device), preprocessing), view, None))

        self._features = FrozenFeatures(len(split), read, cut.below)

    def logits(self, network: ResNet, indices: Indices) -> Tensor:
        """Float32 logits ``(N, V, K)`` of a network with the same frozen parts, as
        :func:`~resnetkit.classifier.views.view_logits` gives them."""
        cut = Cut(network, self._num_below)
        with exact_float32(next(network.parameters()).device):
            views = [cut(self._features.of(indices, view)).float() for view in range(self._num_views)]
        return torch.stack(views, dim=1)
