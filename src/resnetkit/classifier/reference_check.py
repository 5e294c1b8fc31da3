"""The reference of a classifier made, and computed again."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import torch

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Logits
from resnetkit.classifier.reference import Reference
from resnetkit.classifier.views import view_logits
from resnetkit.images.spec import Preprocessing
from resnetkit.images.synthetic import check_images
from resnetkit.images.types import UInt8Images
from resnetkit.models.resnet import ResNet

# Largest difference of a logit, of the largest one. In float32 only the order of rounding differs between machines:
# below 1e-5 even of deep networks; another weight, norm or stride gives 1e-1 and more.
TOLERANCE = 1e-3
MAX_PX = 512  # of larger images the check would take long, and what makes them much memory


@dataclass(frozen=True)
class Check:
    """Outcome of computing a reference again.

    Attributes:
        difference: largest one of a logit.
        holds: False where it is more than rounding explains.
    """

    difference: float
    holds: bool

    def __str__(self) -> str:
        if self.holds:
            within = f", within {self.difference:.0e}" if self.difference else ""
            return f"its logits for the check images are those of when it was made{within}"
        return f"its logits for the check images differ from those of when it was made, by {self.difference:.2g}"


def make_reference(network: ResNet, preprocessing: Preprocessing) -> Reference | None:
    """Compute the reference of a network as it is now; None where its images are large."""
    if preprocessing.image_size_px > MAX_PX:
        return None
    images = check_images(preprocessing)
    return Reference.of(_digest(images, preprocessing), _compute(network, images, preprocessing))


def check_reference(classifier: Classifier) -> Check | None:
    """Compute a classifier's reference again, with its network as it is, in the time of a few images.

    None where it has none, or where its images are others today: it was given another preprocessing, or comes from a
    version that makes others.
    """
    reference, preprocessing = classifier.reference, classifier.preprocessing
    if reference is None or preprocessing.image_size_px > MAX_PX:
        return None
    images = check_images(preprocessing)
    if _digest(images, preprocessing) != reference.images:
        return None
    expected, logits = reference.values(), _compute(classifier.network, images, preprocessing)
    if logits.shape != expected.shape:
        return Check(math.inf, holds=False)
    difference = float(np.abs(logits.astype(np.float64) - expected).max())
    return Check(difference, holds=difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())))


def _compute(network: ResNet, images: UInt8Images, preprocessing: Preprocessing) -> Logits:
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        pixels = torch.from_numpy(images).to(next(network.parameters()).device)
        logits: Logits = view_logits(network, pixels, preprocessing).cpu().numpy()
    network.train(was_training)
    return logits


def _digest(images: UInt8Images, preprocessing: Preprocessing) -> str:
    mean, std = (tuple(map(float, values)) for values in (preprocessing.mean, preprocessing.std))  # 1 is 1.0 in a file
    shown = (mean, std, preprocessing.channel_order, preprocessing.average_mirrored)
    return hashlib.sha256(images.tobytes() + repr(shown).encode()).hexdigest()
