"""Looking on while a network computes, and leaving it as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def watched(network: nn.Module, watchers: Mapping[str, Callable[[Tensor], object]]) -> Iterator[None]:
    """Tell watchers what layers, by name, put out; within the context alone.

    What a layer puts out may be overwritten by the next one: a watcher takes from it what it needs at once.
    """
    handles = []
    try:
        for name, watch in watchers.items():
            handles.append(network.get_submodule(name).register_forward_hook(_as_hook(watch)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _as_hook(watch: Callable[[Tensor], object]) -> Callable[[nn.Module, Any, Tensor], None]:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        watch(output)

    return hook
