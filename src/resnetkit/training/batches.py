"""The batches of a run as the network reads them: in the epoch's order, augmented, normalised, on the device."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from resnetkit.data.augmentation import INPUT_CHANGES, PIXEL_CHANGES, crop_and_flip
from resnetkit.data.batches import Shard, read_batches, resident_pixels, training_order
from resnetkit.data.mixing import mix, one_hot
from resnetkit.data.types import Split
from resnetkit.images.normalization import normalize
from resnetkit.images.types import Indices
from resnetkit.recipes.recipe import Recipe
from resnetkit.training.frozen_features import FrozenFeatures, RunParts
from resnetkit.training.kept_features import KeptFeatures

# Batches that a GPU reads and augments at once, because it is quick with many images and slow to be asked: at most so
# many, and values of so many (128 MB of float32).
MOST_STEPS_TOGETHER, VALUES_TOGETHER = 16, 2**25


def steps_together(recipe: Recipe, device: torch.device) -> int:
    """Number of batches that are made ready at once; the batches are the same with any number."""
    if device.type == "cpu":
        return 1
    images = recipe.preprocessing
    values = recipe.batch_size * images.channels * images.resize_px**2
    return max(1, min(MOST_STEPS_TOGETHER, VALUES_TOGETHER // values))


@dataclass(frozen=True)
class TrainingBatch:
    """One process's part of a batch.

    Attributes:
        inputs: what the network reads, float32 ``(N, C, S, S)`` in channels-last memory; or what its frozen parts made
            of it.
        targets: ``(N, K)``.
        ends_group: whether the next batch is yet to be read and augmented, with those that follow it.
    """

    inputs: Tensor
    targets: Tensor
    ends_group: bool


class Feed:
    """Training batches for one process.

    Args:
        split: whole images, if the recipe crops them at random.
        shard: this process's part of every batch.
    """

    def __init__(self, recipe: Recipe, split: Split, num_classes: int, device: torch.device, shard: Shard) -> None:
        self._recipe, self._split, self._num_classes = recipe, split, num_classes
        self._device, self._shard = device, shard
        self._together = steps_together(recipe, device)
        self._resident = resident_pixels(split, device)
        self._frozen: FrozenFeatures | None = None
        self._cut = 0
        self.steps_per_epoch = len(split) // recipe.batch_size

    def read_through(self, run: RunParts, cuts: Collection[int], files: Callable[[], KeptFeatures]) -> None:
        """Give out what frozen parts of the network make of images from now on; with no ``cuts``, the images.

        Args:
            cuts: what so many parts give is kept; the highest is given out.
            files: gives what earlier runs kept, asked for where anything is.
        """
        if not cuts:
            self._frozen = None
        elif self._frozen is None:
            progress = self._shard.rank == 0
            self._frozen = FrozenFeatures(self._split, self._device, self.views, run, files(), progress=progress)
        if self._frozen is not None:
            self._frozen.keep(cuts)
        self._cut = max(cuts, default=0)

    def make_ready(self, epoch: int) -> None:
        """Compute what is computed once for many epochs, if this one needs it and nobody has yet."""
        if self._frozen is not None:
            self._frozen.whole_view(self._cut, self._recipe.augmentation.view(epoch))

    def batches(self, epoch: int, first_step: int) -> Iterator[TrainingBatch]:
        """The batches of an epoch from a step on: read and augmented some at a time, mixed when they are given out."""
        recipe, together = self._recipe, self._together
        order = training_order(recipe.seed, epoch, len(self._split), recipe.batch_size)
        todo = [self._shard.of(indices) for indices in order[first_step:]]
        parts = [todo[first : first + together] for first in range(0, len(todo), together)]
        groups = [np.concatenate(part) for part in parts]
        for part, inputs in zip(parts, self._inputs(groups, recipe.augmentation.view(epoch)), strict=True):
            read = [
                self._split.readable(indices) for indices in part
            ]  # what could not be is missing in its batch alone
            indices = np.concatenate(read)
            labels = torch.from_numpy(self._split.labels[indices]).to(self._device, non_blocking=True)
            targets = one_hot(labels, self._num_classes)
            ends = np.cumsum([len(each) for each in read]).tolist()
            for some in map(slice, (0, *ends[:-1]), ends):
                mixed = mix(inputs[some], targets[some], recipe.augmentation, recipe.seed, epoch, indices[some])
                yield TrainingBatch(*mixed, ends_group=some.stop == len(inputs))

    def _inputs(self, groups: list[Indices], view: int) -> Iterator[Tensor]:
        frozen = self._frozen
        if frozen is None:
            return self.views(groups, view)
        return (frozen.of(indices, self._cut, view) for indices in groups)

    def views(self, groups: list[Indices], view: int) -> Iterator[Tensor]:
        """Images of each group in a view, changed and normalised, not mixed yet."""
        recipe, augmentation, draws = self._recipe, self._recipe.augmentation, (self._recipe.seed, view)
        for group in read_batches(self._split, groups, num_workers=recipe.data.num_workers, resident=self._resident):
            aspect_ratios = self._split.squeezed[group.indices]
            whole = group.images.to(self._device, non_blocking=True)
            pixels = crop_and_flip(whole, aspect_ratios, augmentation, recipe.preprocessing, *draws, group.indices)
            for change in PIXEL_CHANGES:
                pixels = change(pixels, augmentation, *draws, group.indices)
            images = normalize(pixels, recipe.preprocessing)
            for change in INPUT_CHANGES:
                images = change(images, augmentation, *draws, group.indices)
            yield images
