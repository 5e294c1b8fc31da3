"""The contract of engines: whatever computes a classifier's logits."""

from __future__ import annotations

from typing import Protocol

from resnetkit.classifier.decision import Logits
from resnetkit.images.types import UInt8Images


class Engine(Protocol):
    """Computes a classifier's logits; what they mean, its :class:`~resnetkit.classifier.decision.Decision` says."""

    @property
    def name(self) -> str:
        """Name of the engine, e.g. ``onnxruntime``."""
        ...

    def logits(self, pixels: UInt8Images) -> Logits:
        """Return the logits ``(N, V, K)`` of V views of preprocessed images, uint8 ``(N, C, S, S)``.

        The views are the image and, where the preprocessing averages over it, its mirror image.
        """
        ...
