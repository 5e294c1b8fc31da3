"""Batch norms' statistics, taken anew where a run is too short for those that follow it to have caught up.

What a batch norm divides by in use is a moving average over some 40 updates, and averaged weights follow it again.
After a dozen updates both still hold what the network started from: it answers its training batches and nothing else.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from resnetkit.data.augmentation import crop_and_flip
from resnetkit.data.batches import read_batches
from resnetkit.data.spec import Augmentation
from resnetkit.data.types import Split
from resnetkit.images.normalization import normalize
from resnetkit.machine.device import exact_float32
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Recipe
from resnetkit.training.freezing import parts_of

MOST_IMAGES, BATCH_SIZE = 1024, 128


def take_anew(network: ResNet, recipe: Recipe, split: Split, num_frozen: int) -> ResNet:
    """A copy of the network with the statistics of training images, prepared as in use: nothing random.

    Args:
        split: whole images; at most :data:`MOST_IMAGES` of them, spread evenly over it, are read.
        num_frozen: so many parts, from below, hold their statistics fixed.
    """
    device = next(network.parameters()).device
    copy = ResNet(recipe.model)
    copy.load_state_dict(network.state_dict())
    copy.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    trained = list(parts_of(copy).values())[num_frozen:]
    norms = [module for part in trained for module in part.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over the batches that follow
        norm.train()
    indices = np.unique(np.linspace(0, len(split) - 1, min(MOST_IMAGES, len(split))).round().astype(np.int64))
    batches = np.array_split(indices, -(-len(indices) // BATCH_SIZE)) if norms else []
    with torch.inference_mode(), exact_float32(device):
        for batch in read_batches(split, batches, num_workers=recipe.data.num_workers):
            whole, ratios = batch.images.to(device), split.squeezed[batch.indices]
            pixels = crop_and_flip(whole, ratios, Augmentation(), recipe.preprocessing, recipe.seed, 0, batch.indices)
            copy(normalize(pixels, recipe.preprocessing))
    counted = dict(network.named_buffers())
    for name, buffer in copy.named_buffers():
        if name.endswith("num_batches_tracked"):  # of training, as ever
            buffer.copy_(counted[name])
    return copy.eval()
