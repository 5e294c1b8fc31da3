"""Engines that run a classifier's network in torch, with its batch norms folded into the convs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resnetkit.classifier import Classifier, class_probabilities
from resnetkit.data.source import UInt8Images
from resnetkit.data.spec import Preprocessing
from resnetkit.inference.folding import fold
from resnetkit.prediction import Engine, Probabilities


@dataclass(frozen=True)
class TorchEngine:
    """A folded network in channels-last memory.

    Attributes:
        is_static: whether every call must have ``batch_size`` images, as a compiled network does.
    """

    name: str
    network: Callable[[Tensor], Tensor]
    preprocessing: Preprocessing
    device: torch.device
    batch_size: int
    is_static: bool = False

    def probabilities(self, pixels: UInt8Images) -> Probabilities:
        """Class probabilities ``(N, K)`` of preprocessed images, uint8 ``(N, C, S, S)``."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(pixels), self.batch_size):
                part = torch.from_numpy(np.ascontiguousarray(pixels[start : start + self.batch_size]))
                missing = self.batch_size - len(part) if self.is_static else 0
                if missing:
                    part = torch.cat([part, part.new_zeros(missing, *part.shape[1:])])
                answer = class_probabilities(self.network, part.to(self.device), self.preprocessing)
                parts.append(answer[: len(answer) - missing].cpu())
        result: Probabilities = torch.cat(parts).numpy()
        return result


def open_torch(classifier: Classifier, *, batch_size: int, num_threads: int) -> Engine:
    """The folded network; threads are torch's own, which are one number for the process."""
    network = fold(classifier.network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return TorchEngine("torch", network, classifier.preprocessing, classifier.device, batch_size)


def open_compiled(classifier: Classifier, *, batch_size: int, num_threads: int) -> Engine:
    """The folded network through ``torch.compile`` with constants frozen; takes a minute to open."""
    network: Any = fold(classifier.network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    compiled = torch.compile(network, dynamic=False, options={"freezing": True})
    preprocessing = classifier.preprocessing
    engine = TorchEngine("torch_compile", compiled, preprocessing, classifier.device, batch_size, is_static=True)
    size = preprocessing.image_size_px
    engine.probabilities(np.zeros((1, preprocessing.channels, size, size), np.uint8))  # compiled at the first call
    return engine
