"""Cross-entropy with soft targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from resnetkit.errors import did_you_mean, require
from resnetkit.images.types import Indices
from resnetkit.recipes.recipe import Recipe


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


def make_class_weights(recipe: Recipe, labels: Indices, class_names: Sequence[str]) -> Tensor:
    """Weights ``(K,)`` as the recipe says, scaled so that their mean over the training images is 1.

    Raises:
        ResnetkitError: where they are not those of these classes.
    """
    num_classes = len(class_names)
    counts = np.bincount(labels, minlength=num_classes)
    match recipe.class_weights:
        case "none":
            weights = np.ones(num_classes)
        case "balanced":
            weights = 1 / np.maximum(counts, 1)
        case dict(given):
            for name in given:
                require(
                    name in class_names, f"class_weights: no class '{name}'", fix=did_you_mean(name, list(class_names))
                )
            weights = np.array([given.get(name, 1.0) for name in class_names])
        case given:
            require(
                len(given) == num_classes,
                f"class_weights must be {num_classes} numbers, one for each class, got {len(given)}",
                fix=f"or by name: --set class_weights.{class_names[0]}=2",
            )
            weights = np.array(given, dtype=np.float64)
    require(
        bool(np.isfinite(weights).all() and weights.min() >= 0 and (weights * counts).sum() > 0),
        f"class_weights must be numbers of 0 or more, not all 0, got {recipe.class_weights}",
    )
    weights = weights * len(labels) / (weights * counts).sum()
    return torch.from_numpy(weights.astype(np.float32))
