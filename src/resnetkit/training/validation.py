"""Scores of a network as training watches them, on its device and without waiting for it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from resnetkit.classifier.views import view_logits
from resnetkit.data.batches import read_batches, resident_pixels
from resnetkit.data.reading import evaluation_order
from resnetkit.data.types import Split
from resnetkit.evaluation.metrics import SMALLEST_PROBABILITY
from resnetkit.evaluation.scoring import BATCH_SIZE
from resnetkit.images.spec import Preprocessing


def quick_scores(network: nn.Module, preprocessing: Preprocessing, split: Split) -> dict[str, float]:
    """Scores of a network as training watches them.

    ``val_loss`` in nats, ``val_top1``, and ``val_balanced_top1``, the mean recall of the classes that are there. An
    answer that is not finite is a wrong one.
    """
    network.eval()
    device = next(network.parameters()).device
    loss_sum, rights = torch.zeros((), dtype=torch.float64, device=device), []
    order, resident = evaluation_order(len(split), BATCH_SIZE), resident_pixels(split, device)
    with torch.inference_mode():
        for batch in read_batches(split, order, resident=resident):
            labels = batch.labels.to(device, non_blocking=True)
            images = batch.images.to(device, non_blocking=True)
            probabilities = view_logits(network, images, preprocessing).softmax(2).mean(1)
            log_probabilities = probabilities.clamp_min(SMALLEST_PROBABILITY).log()
            loss_sum += nn.functional.nll_loss(log_probabilities, labels, reduction="sum").double()
            rights.append((probabilities.argmax(1) == labels) & probabilities.isfinite().all(1))
    # Read at the end: each reading makes the host wait for a GPU.
    is_right, counts = torch.cat(rights).cpu().numpy(), np.bincount(split.labels)
    hits = np.bincount(split.labels, weights=is_right)
    return {
        "val_loss": float(loss_sum) / len(split),
        "val_top1": float(is_right.mean()),
        "val_balanced_top1": float((hits[counts > 0] / counts[counts > 0]).mean()),
    }
