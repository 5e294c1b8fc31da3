"""Looking on while a network computes, and leaving it as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


@contextmanager
def attached(hooks: Iterable[Callable[[], RemovableHandle]]) -> Iterator[None]:
    """Attach hooks, each by a call that returns its handle, within the context alone."""
    with ExitStack() as stack:
        for attach in hooks:
            stack.callback(attach().remove)
        yield


@contextmanager
def watched(network: nn.Module, watchers: Mapping[str, Callable[[Tensor], object]]) -> Iterator[None]:
    """Tell watchers what layers, by name, put out; within the context alone.

    What a layer puts out may be overwritten by the next one: a watcher takes from it what it needs at once.
    """
    with attached(
        partial(network.get_submodule(name).register_forward_hook, _as_hook(watch)) for name, watch in watchers.items()
    ):
        yield


def _as_hook(watch: Callable[[Tensor], object]) -> Callable[[nn.Module, Any, Tensor], None]:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        watch(output)

    return hook
