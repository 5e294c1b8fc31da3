"""Data-parallel training in several processes that gives what one process gives, up to summation order.

Every process (rank) works on its slice of the same batches; gradients are averaged, and batch norm uses the statistics
of the whole batch. Started by ``torchrun``; without it there is one rank and nothing here costs anything.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from resnetkit.data.batches import Shard
from resnetkit.errors import Code, ResnetkitError, require, summarize
from resnetkit.training.interruption import Interrupted


def require_single_process(what: str, fix: str) -> None:
    """Refuse what several processes that torchrun started cannot do together.

    Raises:
        ResnetkitError: where there are several.
    """
    require(os.environ.get("WORLD_SIZE", "1") == "1", what, fix=fix)


@contextmanager
def process_group(device: torch.device) -> Iterator[Shard]:
    """Join the other processes that torchrun started, if any, for the duration of the block.

    Raises:
        ResnetkitError: where another process ends before its time, or is out of reach.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Shard()
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Shard(dist.get_rank(), dist.get_world_size())
        _leave_together()
    except (Interrupted, ResnetkitError) as error:
        # A stop and a divergence are raised by all processes after the same step; another error may be one's alone.
        if isinstance(error, Interrupted) or error.code == Code.DIVERGED:
            _leave_together()
        raise
    except RuntimeError as error:
        if _is_of_the_exchange(error):
            raise ResnetkitError(
                Code.IO,
                "another process of this run has ended, or is out of reach",
                why=f"its own messages say why; here {summarize(error)}",
                fix="start all of them again; a training run goes on with --resume RUN",
            ) from error
        raise
    finally:
        dist.destroy_process_group()


def _is_of_the_exchange(error: RuntimeError) -> bool:
    """Tell whether an error is of the exchange between processes: gloo's are of no class of their own."""
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()


def _leave_together() -> None:
    """Wait until every process is done and its last exchange is put away.

    Gloo's worker thread may still have to free the tensors of the last exchange, for which it needs the interpreter;
    destroying the group meanwhile waits for that thread with the interpreter held, for ever. A barrier has no tensors.
    """
    dist.barrier()


def local_device_name(name: str) -> str:
    """Name of this process's device: with several GPU processes, each takes the GPU of its local rank."""
    local_rank = os.environ.get("LOCAL_RANK")
    is_cuda = name == "cuda" or (name == "auto" and torch.cuda.is_available())
    return f"cuda:{local_rank}" if is_cuda and local_rank is not None else name


def make_parallel(network: nn.Module, shard: Shard) -> nn.Module:
    """The network, made to agree with its copies in the other processes.

    What has no gradient now is left out of the exchange: wrap the network anew when that changes.
    """
    if shard.num_ranks == 1:
        return network
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            # The same weights and keys, another forward: the network itself stays what it is.
            module.__class__ = SynchronizedBatchNorm2d
    gc.collect()  # an earlier wrapper of the same network, if any: it refers to itself, and it would exchange too
    device = next(network.parameters()).device
    return DistributedDataParallel(
        network, device_ids=[device.index] if device.type == "cuda" else None, broadcast_buffers=False
    )


def gradient_exchange(network: nn.Module, *, now: bool) -> AbstractContextManager[Any]:
    """Within the block, gradients are averaged over the processes, or only add up in each where not ``now``.

    Args:
        network: as :func:`make_parallel` gave it, not compiled.
    """
    return network.no_sync() if isinstance(network, DistributedDataParallel) and not now else nullcontext()


def sum_over_ranks(values: Tensor, shard: Shard) -> Tensor:
    """The sum of a tensor over all processes, in each of them."""
    if shard.num_ranks > 1:
        dist.all_reduce(values)
    return values


def from_first_rank(value: Any, shard: Shard) -> Any:
    """The first process's value, in each of them."""
    if shard.num_ranks == 1:
        return value
    holder = [value]
    dist.broadcast_object_list(holder)
    return holder[0]


def from_all_ranks(value: Any, shard: Shard) -> list[Any]:
    """The values of all processes, by rank, in each of them."""
    values = [value] * shard.num_ranks
    if shard.num_ranks > 1:
        dist.all_gather_object(values, value)
    return values


def to_first_rank(value: Any, shard: Shard) -> list[Any] | None:
    """The values of all processes, by rank, in the first one; None in the others."""
    values = [value] * shard.num_ranks if shard.rank == 0 else None
    if shard.num_ranks > 1:
        dist.gather_object(value, values)
    return values


def check_same_on_all_ranks(values: Mapping[str, Any], shard: Shard) -> None:
    """Refuse, in all processes, to begin where they differ in something: they would wait for each other, or mix up.

    Raises:
        ResnetkitError: naming what differs.
    """
    of_ranks = from_all_ranks(dict(values), shard)
    differing = [name for name in values if any(other[name] != of_ranks[0][name] for other in of_ranks)]
    require(
        not differing,
        f"the processes of this run differ in {', '.join(differing)}",
        fix="start all of them with the same command, data and versions",
    )


class SynchronizedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the whole batch, which lies in equal slices in several processes; works on CPUs too."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` ``(N, C, H, W)``."""
        if not self.training or self.running_mean is None or self.running_var is None:
            return super().forward(x)
        output, mean, variance = _SynchronizedNorm.apply(x, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        assert self.momentum is not None
        count = dist.get_world_size() * x.numel() / x.shape[1]
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return output  # type: ignore[no-any-return]


class _SynchronizedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        ranks = dist.get_world_size()
        x32 = x.float()
        mean = x32.mean((0, 2, 3))
        dist.all_reduce(mean)
        mean /= ranks
        # The variance in a second pass: mean(x²) - mean(x)² would lose digits.
        variance = (x32 - mean[:, None, None]).square().mean((0, 2, 3))
        dist.all_reduce(variance)
        variance /= ranks
        scale = (variance + eps).rsqrt()
        normalized = (x32 - mean[:, None, None]) * scale[:, None, None]
        ctx.save_for_backward(normalized, scale, weight)
        ctx.mark_non_differentiable(mean, variance)
        output = normalized * weight[:, None, None] + bias[:, None, None]
        return output.to(x.dtype), mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        normalized, scale, weight = ctx.saved_tensors
        gradient32 = gradient.float()
        of_bias = gradient32.sum((0, 2, 3))
        of_weight = (gradient32 * normalized).sum((0, 2, 3))
        sums = torch.stack([of_bias, of_weight])
        dist.all_reduce(sums)
        count = dist.get_world_size() * normalized.numel() / normalized.shape[1]
        mean_gradient, mean_product = (sums / count)[:, :, None, None]
        centered = gradient32 - mean_gradient - normalized * mean_product
        return (centered * (scale * weight)[:, None, None]).to(gradient.dtype), of_weight, of_bias, None
