"""Scores of a network as training watches them, on its device and without waiting for it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from resnetkit.classifier.views import view_logits
from resnetkit.data.batches import read_batches, resident_pixels
from resnetkit.data.reading import evaluation_order
from resnetkit.data.types import Split
from resnetkit.evaluation.metrics import SMALLEST_PROBABILITY
from resnetkit.evaluation.sharing import BATCH_SIZE
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import ResNet
from resnetkit.training.frozen_features import ValidationFeatures


def quick_scores(
    network: ResNet, preprocessing: Preprocessing, split: Split, kept: ValidationFeatures | None = None
) -> dict[str, float]:
    """Scores of a network as training watches them.

    ``val_loss`` in nats, ``val_top1``, and ``val_balanced_top1``, the mean recall of the classes that are there. An
    answer that is not finite is a wrong one.

    Args:
        kept: what the network's frozen parts make of the split; None: computed with the rest.
    """
    network.eval()
    device = next(network.parameters()).device
    loss_sum, rights, labels_read = torch.zeros((), dtype=torch.float64, device=device), [], []
    with torch.inference_mode():
        for labels, logits in _answers(network, preprocessing, split, kept):
            labels_read.append(labels)
            probabilities = logits.softmax(2).mean(1)
            log_probabilities = probabilities.clamp_min(SMALLEST_PROBABILITY).log()
            loss_sum += nn.functional.nll_loss(log_probabilities, labels, reduction="sum").double()
            rights.append((probabilities.argmax(1) == labels) & probabilities.isfinite().all(1))
    # Read at the end: each reading makes the host wait for a GPU.
    is_right, read = torch.cat(rights).cpu().numpy(), torch.cat(labels_read).cpu().numpy()
    counts, hits = np.bincount(read), np.bincount(read, weights=is_right)
    return {
        "val_loss": float(loss_sum) / len(read),
        "val_top1": float(is_right.mean()),
        "val_balanced_top1": float((hits[counts > 0] / counts[counts > 0]).mean()),
    }


def _answers(
    network: ResNet, preprocessing: Preprocessing, split: Split, kept: ValidationFeatures | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Labels ``(N,)`` and logits ``(N, V, K)``, batch by batch, on the network's device."""
    device = next(network.parameters()).device
    order = evaluation_order(len(split), BATCH_SIZE)
    if kept is not None:
        for indices in order:
            yield torch.from_numpy(split.labels[indices]).to(device), kept.logits(network, indices)
        return
    for batch in read_batches(split, order, resident=resident_pixels(split, device)):
        images = batch.images.to(device, non_blocking=True)
        yield batch.labels.to(device, non_blocking=True), view_logits(network, images, preprocessing)
