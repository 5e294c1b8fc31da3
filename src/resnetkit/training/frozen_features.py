"""Features: what the frozen parts of a network make of images, computed once and kept while the rest of it trains."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from itertools import islice

import torch
from torch import Tensor, nn

from resnetkit.classifier.views import iter_views
from resnetkit.data.batches import read_batches
from resnetkit.data.reading import evaluation_order
from resnetkit.data.types import LoadedData, Split
from resnetkit.graphs.folding import fold
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import Indices
from resnetkit.machine.device import exact_float32, free_on_gpu
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Recipe
from resnetkit.recipes.schedule import num_frozen_parts
from resnetkit.terminal import progress_bar
from resnetkit.training.kept_features import KeptFeatures

# Images that are run together: as few as keep what a CPU works on in its caches, and a GPU busy.
ON_CPU, ON_GPU = 8, 64

# What parts `first` to `last` (exclusive) of a network make of what those below them gave.
RunParts = Callable[[Tensor, int, int], Tensor]

# The inputs of a network for images at some indices, group by group, float32 (n, C, S, S), in one of their views.
ReadViews = Callable[[list[Indices], int], Iterator[Tensor]]


def run_parts(network: ResNet, x: Tensor, first: int, last: int) -> Tensor:
    """Run parts ``first`` (from 0) to ``last`` (exclusive) on what those below them gave.

    Parts are those of :func:`~resnetkit.recipes.recipe.part_names`; the first one reads images, the head pooled
    features, the others the map of the part below.
    """
    num_stages = len(network.stage_names)
    for part in range(first, last):
        if part == 0:
            x = network.stem(x)
        elif part <= num_stages:
            x = getattr(network, network.stage_names[part - 1])(x)
            x = network.pool_features(x) if part == num_stages else x
        else:
            x = network.fc(x)
    return x


def group_size(device: torch.device) -> int:
    """Images that frozen parts are run on together."""
    return ON_CPU if device.type == "cpu" else ON_GPU


class FrozenParts:
    """:func:`run_parts` of a network's frozen parts, with their norms folded into the convs, which saves a third of it.

    They are folded when they are first run, for a run that goes on gets its weights late.
    """

    def __init__(self, network: ResNet) -> None:
        self._network = network

    @cached_property
    def _folded(self) -> ResNet:
        return fold(self._network)

    def run(self, x: Tensor, first: int, last: int) -> Tensor:
        """Run frozen parts ``first`` (from 0) to ``last`` (exclusive)."""
        return run_parts(self._folded, x, first, last)


class UpperParts(nn.Module):
    """The parts of a network that are not held still, or all of it, as the module that a training step runs.

    Attributes:
        num_below: so many parts, from below, have been run already.
    """

    def __init__(self, network: ResNet, num_below: int) -> None:
        super().__init__()
        self.network, self.num_below = network, num_below

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, K)`` for what the parts below give; for images, where there are none."""
        if self.num_below == 0:
            logits: Tensor = self.network(x)
            return logits
        return run_parts(self.network, x, self.num_below, len(self.network.stage_names) + 2)


class FrozenFeatures:
    """Features of each image of a split, for each view of it, as the lowest parts of a network make them.

    A view is computed for all images, in order, when one is first asked for: so it does not depend on which, and a run
    that is resumed has the same. A higher cut is computed from a lower one that is kept.

    Args:
        run: :func:`run_parts` of the network, as it computes.
        files: what earlier runs computed, and where this one's go.
        progress: whether a bar shows how far it is.
    """

    def __init__(
        self,
        split: Split,
        device: torch.device,
        read: ReadViews,
        run: RunParts,
        files: KeptFeatures,
        *,
        progress: bool = True,
    ) -> None:
        self._together = group_size(device)
        self._order = evaluation_order(len(split), self._together)
        self._name, self._device, self._read, self._run, self._files = split.name, device, read, run, files
        self._progress = progress
        self._cuts: tuple[int, ...] = ()
        self._kept: dict[tuple[int, int], Tensor] = {}

    def keep(self, cuts: Collection[int]) -> None:
        """Keep, from now on, what these numbers of parts, from below, give, and forget others."""
        self._cuts = tuple(sorted(cuts))
        self._kept = {key: value for key, value in self._kept.items() if key[0] in cuts}

    def of(self, indices: Indices, cut: int, view: int) -> Tensor:
        """Features of the images at these indices: what so many parts give, a number that is kept."""
        kept = self.whole_view(cut, view)
        return kept[torch.from_numpy(indices).to(kept.device)]

    def whole_view(self, cut: int, view: int) -> Tensor:
        """Features of all images."""
        if (cut, view) not in self._kept:
            found = self._files.find(cut, view)
            if found is None:
                found = self._compute(cut, view)
                self._files.keep(cut, view, found)
            self._kept[cut, view] = found.to(self._device)
        return self._kept[cut, view]

    def _compute(self, cut: int, view: int) -> Tensor:
        below = max((each for each in self._cuts if each < cut), default=0)
        inputs = torch.split(self.whole_view(below, view), self._together) if below else self._read(self._order, view)
        words, found = f"running the frozen parts on {self._name}", list[Tensor]()
        with torch.no_grad(), progress_bar(words, sum(map(len, self._order)), wanted=self._progress) as advance:
            for x in inputs:
                found.append(self._run(x, below, cut))
                advance(len(x))
        return torch.cat(found)


class ValidationFeatures:
    """Features of a validation split: as in use, nothing random, in float32."""

    def __init__(
        self, frozen: FrozenParts, device: torch.device, split: Split, preprocessing: Preprocessing, files: KeptFeatures
    ) -> None:
        self._num_views = 1 + preprocessing.average_mirrored

        def read(groups: list[Indices], view: int) -> Iterator[Tensor]:
            for batch in read_batches(split, groups):
                yield next(islice(iter_views(batch.images.to(device), preprocessing), view, None))

        def run(x: Tensor, first: int, last: int) -> Tensor:
            with exact_float32(device):
                return frozen.run(x, first, last)

        self._features, self._cut = FrozenFeatures(split, device, read, run, files), 0

    def keep(self, cuts: Collection[int]) -> None:
        """Keep what these numbers of parts give, and use the highest."""
        self._features.keep(cuts)
        self._cut = max(cuts)

    def logits(self, network: ResNet, indices: Indices) -> Tensor:
        """Float32 logits ``(N, V, K)`` of a network with the same frozen parts, as
        :func:`~resnetkit.classifier.views.view_logits` gives them."""
        upper = UpperParts(network, self._cut)
        with exact_float32(next(network.parameters()).device):
            views = [upper(self._features.of(indices, self._cut, view)).float() for view in range(self._num_views)]
        return torch.stack(views, dim=1)


def cuts_to_keep(
    recipe: Recipe, num_frozen: int, data: LoadedData, run: RunParts, device: torch.device
) -> tuple[int, ...]:
    """Numbers of parts whose features are worth keeping where so many are frozen.

    These, and those that are frozen to the end, if fewer: of what they give, the others are computed now, and once more
    when they thaw. None where images never look the same again, are yet to be checked, or where there is no room.
    """
    augmentation, num_views = recipe.augmentation, recipe.augmentation.num_distinct_views
    if not (num_frozen and num_views) or augmentation.mixes or not data.is_checked:
        return ()
    last = min(num_frozen_parts(recipe.fine_tuning, recipe.parts, recipe.epochs - 1), num_frozen)
    cuts = [last, num_frozen] if 0 < last < num_frozen else [num_frozen]
    num_train, num_val = len(data.splits["train"]), len(data.splits.get("val", ()))
    room = recipe.data.max_memory_bytes if device.type == "cpu" else free_on_gpu(device) // 4
    side, below, sizes = recipe.preprocessing.image_size_px, 0, []
    x = torch.zeros(1, recipe.model.in_channels, side, side, device=device)
    with torch.no_grad():
        for cut in cuts:
            x, below = run(x, below, cut), cut
            in_use = x.numel() * torch.float32.itemsize * (1 + recipe.preprocessing.average_mirrored)
            sizes.append(x.nbytes * num_train * num_views + in_use * num_val)
    while cuts and sum(sizes) > room:
        del cuts[0], sizes[0]
    return tuple(cuts)
