"""Memory that images take in a network, counted tensor by tensor on shapes alone.

Counted are the float32 numbers PyTorch holds at a time, once per storage: a ReLU in place costs nothing, an addition
makes a new map. Not counted are what does not grow with the images (weights, statistics) and the working memory
inside one operation (a conv algorithm's buffers), which is the device's own affair.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from resnetkit.models.plan import plan_network
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec

# One image has no variance that batch norm could train on; two also tell a batch from a single matrix of weights.
BATCH = 2


@dataclass(frozen=True)
class PartMemory:
    """Bytes for one image in one row of a :class:`~resnetkit.anatomy.table.Description`.

    Attributes:
        kept_bytes: what this part adds to what training keeps for the gradients: every map that autograd saved,
            the image itself in the first part.
        peak_bytes: the most that is alive at once while this part computes without gradients.
    """

    name: str
    kept_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class Memory:
    """Bytes of the weights, and for one image part by part."""

    parameter_bytes: int
    parts: tuple[PartMemory, ...]

    @property
    def kept_bytes(self) -> int:
        """Bytes for one image in training, beside the weights, their gradients and the optimizer's state."""
        return sum(part.kept_bytes for part in self.parts)

    @property
    def peak_bytes(self) -> int:
        """Bytes for one image in use, beside the weights."""
        return max(part.peak_bytes for part in self.parts)


def measure_memory(spec: ResNetSpec, image_size_px: int) -> Memory:
    """Memory for square images in float32; nothing is computed, so any size is quick.

    >>> from resnetkit.models.catalog import CATALOG
    >>> memory = measure_memory(CATALOG["resnet18"].spec, 224)
    >>> memory.parameter_bytes == 4 * 11_689_512
    True
    """
    with torch.device("meta"):
        network = ResNet(spec)
        images = torch.empty(BATCH, spec.in_channels, image_size_px, image_size_px)
    with torch.no_grad():
        peaks = _run_counted(network.eval(), images, lambda live: live.take_peak())
    kept = _run_counted(network.train(), images, lambda live: live.take_growth())
    return Memory(
        4 * sum(p.numel() for p in network.parameters()),
        tuple(
            PartMemory(part.name, kept.get(part.ends_with, 0) // BATCH, peaks.get(part.ends_with, 0) // BATCH)
            for part in plan_network(spec)
        ),
    )


def _run_counted(network: ResNet, images: Tensor, take: Callable[[_LiveBytes], int]) -> dict[str, int]:
    """Note what ``take`` reads when each part has run, by the module that ends it."""
    live = _LiveBytes(images)
    taken: dict[str, int] = {}
    hooks = []
    for part in plan_network(network.spec):
        if part.ends_with:

            def note(_module: nn.Module, _inputs: object, _output: object, end: str = part.ends_with) -> None:
                taken[end] = take(live)

            hooks.append(network.get_submodule(part.ends_with).register_forward_hook(note))
    with live:
        network(images)
    for hook in hooks:
        hook.remove()
    return taken


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages of every tensor with a batch dimension, from its making to its end."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()
        self._now = self._peak = self._taken = 0
        self._note(images)

    def take_peak(self) -> int:
        """The most that was alive at once since the last call."""
        peak, self._peak = self._peak, self._now
        return peak

    def take_growth(self) -> int:
        """Bytes that are alive beyond those at the last call."""
        growth, self._taken = self._now - self._taken, self._now
        return growth

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and note what it made."""
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor) and leaf.ndim > 1 and leaf.shape[0] == BATCH:
                self._note(leaf)
        return made

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen:
            return
        self._seen.add(storage)
        num_bytes = storage.nbytes()
        self._now += num_bytes
        self._peak = max(self._peak, self._now)
        weakref.finalize(storage, self._forget, num_bytes)

    def _forget(self, num_bytes: int) -> None:
        self._now -= num_bytes
