"""Cross-entropy with soft targets."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from resnetkit.data.source import Indices
from resnetkit.errors import require
from resnetkit.training.recipe import Recipe


def cross_entropy(logits: Tensor, targets: Tensor, *, label_smoothing: float, class_weights: Tensor) -> Tensor:
    """Mean over images of the weighted cross-entropy, in nats.

    The mean is over the number of images, not the sum of weights, so that slices of a batch add up to the whole.

    Args:
        logits: ``(N, K)``.
        targets: probabilities ``(N, K)``.
        class_weights: ``(K,)``, of mean 1 over the training images.
    """
    smoothed = targets * (1 - label_smoothing) + label_smoothing / targets.shape[1]
    losses = -(smoothed * logits.float().log_softmax(1)).sum(1)
    return (losses * (targets @ class_weights)).mean()


def make_class_weights(recipe: Recipe, labels: Indices, num_classes: int) -> Tensor:
    """Weights ``(K,)`` as the recipe says, scaled so that their mean over the training images is 1."""
    counts = np.bincount(labels, minlength=num_classes)
    match recipe.class_weights:
        case "none":
            weights = np.ones(num_classes)
        case "balanced":
            weights = 1 / np.maximum(counts, 1)
        case given:
            require(
                len(given) == num_classes and min(given) >= 0 and max(given) > 0,
                f"class_weights must be {num_classes} numbers of 0 or more, not all 0, got {given}",
            )
            weights = np.array(given, dtype=np.float64)
    weights = weights * len(labels) / (weights * counts).sum()
    return torch.from_numpy(weights.astype(np.float32))
