"""Engines that run a classifier's network in torch: as it is, or with its batch norms folded into the convs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Logits
from resnetkit.classifier.engine import Engine
from resnetkit.classifier.prediction import BATCH_SIZE, Predictor
from resnetkit.classifier.views import view_logits
from resnetkit.graphs.folding import fold
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import UInt8Images
from resnetkit.machine.allocator import keep_freed_memory
from resnetkit.machine.precision import Precision
from resnetkit.machine.runtime import keep_compiled_code_apart

MOST_COMPILED = 256  # networks in one process


@dataclass(frozen=True)
class TorchEngine:
    """A network in torch.

    Attributes:
        batch_size: how many images it computes at once; more are computed in turns.
        dtype: the weights', which the images are given too; logits are float32.
        is_static: whether every call must have ``batch_size`` images, as a compiled network does.
    """

    name: str
    network: Callable[[Tensor], Tensor]
    preprocessing: Preprocessing
    device: torch.device
    batch_size: int
    dtype: torch.dtype = torch.float32
    is_static: bool = False

    def logits(self, pixels: UInt8Images) -> Logits:
        """Return the logits ``(N, V, K)`` of V views of preprocessed images, uint8 ``(N, C, S, S)``."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(pixels), self.batch_size):
                part = torch.from_numpy(np.ascontiguousarray(pixels[start : start + self.batch_size]))
                missing = self.batch_size - len(part) if self.is_static else 0
                if missing:
                    part = torch.cat([part, part.new_zeros(missing, *part.shape[1:])])
                answer = view_logits(self._compute, part.to(self.device), self.preprocessing)
                parts.append(answer[: len(answer) - missing].cpu())
        result: Logits = torch.cat(parts).numpy()
        return result

    def _compute(self, images: Tensor) -> Tensor:
        return self.network(images.to(self.dtype))


def open_plain(classifier: Classifier, *, batch_size: int = BATCH_SIZE) -> TorchEngine:
    """The network as it is, unfolded: what every other engine must agree with."""
    return TorchEngine("network", classifier.network, classifier.preprocessing, classifier.device, batch_size)


def plain_predictor(classifier: Classifier, *, batch_size: int = BATCH_SIZE) -> Predictor:
    """Answer with the network as it is."""
    return Predictor.of(classifier, open_plain(classifier, batch_size=batch_size))


def open_torch(classifier: Classifier, *, batch_size: int, num_threads: int, precision: Precision) -> Engine:
    """The folded network; threads are torch's own, which are one number for the process."""
    network, dtype = _folded(classifier, precision)
    return TorchEngine("torch", network, classifier.preprocessing, classifier.device, batch_size, dtype)


def open_compiled(classifier: Classifier, *, batch_size: int, num_threads: int, precision: Precision) -> Engine:
    """The folded network through ``torch.compile`` with constants frozen; takes a minute to open."""
    import torch._dynamo
    import torch._inductor.config

    keep_compiled_code_apart()
    network, dtype = _folded(classifier, precision)
    compiled = torch.compile(network, dynamic=False)
    preprocessing = classifier.preprocessing
    engine = TorchEngine("torch_compile", compiled, preprocessing, classifier.device, batch_size, dtype, is_static=True)
    # Compiled at the first call. Not with options of torch.compile: whether weights become constants is asked before
    # they are looked at. Beyond its limit, shared by all networks of a class, torch goes on uncompiled and is silent.
    settings = torch._inductor.config.patch(compile_options(classifier.device))
    with settings, torch._dynamo.config.patch(recompile_limit=MOST_COMPILED):
        engine.logits(np.zeros((1, *preprocessing.image_shape), np.uint8))
    return engine


def compile_options(device: torch.device) -> dict[str, Any]:
    """Settings that the compiler is told.

    On a GPU every shape is known, so kernels are tried out beforehand. No CUDA graphs: they answer only in the thread
    that recorded them, and an engine may be called from any. A process that is set to deterministic algorithms, as by
    training, would try nothing out unless told otherwise.
    """
    if device.type != "cuda":
        return {"freezing": True}
    from torch._inductor import list_options

    options = {"freezing": True, "max_autotune": True, "coordinate_descent_tuning": True, "deterministic": False}
    return {name: value for name, value in options.items() if name in list_options()}  # torch 2.9 has no deterministic


def _folded(classifier: Classifier, precision: Precision) -> tuple[Any, torch.dtype]:
    """The folded network and the type of its weights.

    They are rounded once, here. Autocast gives the same answers and rounds them at every call: of ResNet-18 it took
    18 ms for an image where this takes 10.
    """
    keep_freed_memory()
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    network: Any = fold(classifier.network).to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network, dtype
