"""An engine that is opened when there is something to compute, which may be never."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from resnetkit.classifier.decision import Logits
from resnetkit.classifier.engine import Engine
from resnetkit.images.types import UInt8Images


@dataclass(frozen=True)
class EngineOnDemand:
    """Opens its engine when it is first asked."""

    opener: Callable[[], Engine]

    @cached_property
    def _engine(self) -> Engine:
        return self.opener()

    @property
    def name(self) -> str:
        """Name of the engine."""
        return self._engine.name

    def logits(self, pixels: UInt8Images) -> Logits:
        """Return the logits ``(N, V, K)`` of V views of preprocessed images, uint8 ``(N, C, S, S)``."""
        return self._engine.logits(pixels)
