"""Logits of a network as it was made, as its classifier's file keeps them; no torch.

By them any later reader, on any machine, can tell that it answers the same. They are those of synthetic images: none of
the training images is in a classifier's file. They stand in its description and not among its tensors, which are the
network's alone.
"""

from __future__ import annotations

import base64
import math

import numpy as np

from resnetkit.classifier.decision import Logits
from resnetkit.config import frozen
from resnetkit.errors import require


@frozen
class Reference:
    """Logits of a network for :func:`~resnetkit.images.synthetic.check_images`.

    Attributes:
        images: SHA-256 of these images and of what the network is shown of them, so that logits are never compared with
            those of others.
        shape: how many images, views of each and classes.
        logits: float32, base64 of their bytes in C order, little-endian.
    """

    images: str
    shape: tuple[int, int, int]
    logits: str

    def __post_init__(self) -> None:
        try:
            num_bytes = len(base64.b64decode(self.logits, validate=True))
        except ValueError:
            num_bytes = -1
        require(
            min(self.shape) >= 1 and num_bytes == 4 * math.prod(self.shape),
            f"reference.logits must hold {' × '.join(map(str, self.shape))} numbers, and are damaged",
        )

    @classmethod
    def of(cls, images: str, logits: Logits) -> Reference:
        """Keep logits ``(N, V, K)``."""
        num_images, num_views, num_classes = logits.shape
        numbers = base64.b64encode(np.ascontiguousarray(logits, "<f4").tobytes()).decode()
        return cls(images, (num_images, num_views, num_classes), numbers)

    def values(self) -> Logits:
        """Return the logits ``(N, V, K)``."""
        return np.frombuffer(base64.b64decode(self.logits), "<f4").astype(np.float32).reshape(self.shape)
