"""Features of images by a trained network, for checks that go by what images show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from resnetkit.classifier.views import view_logits
from resnetkit.graphs.folding import fold
from resnetkit.images.types import Images
from resnetkit.machine.device import find_device
from resnetkit.sources.weights import Embedder
from resnetkit.terminal import progress_bar
from resnetkit.training.frozen_features import group_size

Features = npt.NDArray[np.float32]


def compute_features(
    embedder: Embedder, parts: Sequence[Images], *, device: str = "auto", progress: bool = False
) -> Features:
    """The features that a network's head reads of each image, of all parts in turn, float32 ``(N, F)``.

    Where the network answers by the mirror image too, the mean of both.

    Args:
        parts: prepared as ``embedder.preprocessing`` says.
    """
    place = find_device(device)
    network = fold(embedder.network).to(place)
    together, rows = group_size(place), []
    with torch.inference_mode(), progress_bar("reading features", sum(map(len, parts)), wanted=progress) as move:
        for images in parts:
            for first in range(0, len(images), together):
                pixels = images.read(np.arange(first, min(first + together, len(images))))
                views = view_logits(network.embed, torch.from_numpy(pixels).to(place), embedder.preprocessing)
                rows.append(views.mean(1).float().cpu().numpy())
                move(len(pixels))
    return np.concatenate(rows)
