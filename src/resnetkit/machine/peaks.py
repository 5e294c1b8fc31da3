"""Peaks of the machine at hand: what it can do at best, how busy it is, and the memory a piece of work takes."""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from resnetkit.machine.allocator import give_back_freed_memory
from resnetkit.machine.device import free_on_gpu

# Matrices of these sides are multiplied; large ones only where they are quick.
SIDES = (512, 1024, 2048, 4096, 8192)
SECONDS_PER_SIDE = 0.15
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def measure_peak(precision: str, device: torch.device) -> float:
    """The most floating-point operations per second that a product of two square matrices reached.

    The best of several sizes and several times each: whatever disturbs a product makes it slower, never faster.
    """
    best = 0.0
    for side in SIDES:
        a, b = (torch.randn(side, side, device=device).to(PRECISIONS[precision]) for _ in range(2))
        out = torch.empty_like(a)
        seconds = [_time_product(a, b, out)]
        while sum(seconds) < SECONDS_PER_SIDE:
            seconds.append(_time_product(a, b, out))
        best = max(best, 2 * side**3 / min(seconds))
        if 8 * min(seconds) > SECONDS_PER_SIDE:  # twice the side is eight times the work
            break
    return best


def _time_product(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> float:
    synchronize(a.device)
    started = time.perf_counter()
    torch.mm(a, b, out=out)
    synchronize(a.device)
    return max(time.perf_counter() - started, 1e-9)


def synchronize(device: torch.device) -> None:
    """Wait until a device has done what it was given; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def load_average() -> float:
    """Number of processes that wanted a core in the last minute, on average; 0 where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0


def warning_about_load(load: float, threads: int, cores: int) -> str | None:
    """A sentence where other work needs cores that a measurement with so many threads needs too.

    >>> warning_about_load(0.2, threads=2, cores=2) is None
    True
    >>> warning_about_load(1.5, threads=2, cores=2)
    'the machine is busy: 1.5 of its 2 cores were in use before, so the figures are too low'
    """
    if load + threads <= cores + 0.5:
        return None
    return f"the machine is busy: {load:.1f} of its {cores} cores were in use before, so the figures are too low"


def free_bytes(device: torch.device) -> int | None:
    """Memory that new work can have; None where the system does not tell."""
    if device.type == "cuda":
        return free_on_gpu(device)
    give_back_freed_memory()
    kib = _read_number("/proc/meminfo", r"MemAvailable:\s+(\d+) kB")
    known = [number for number in (None if kib is None else 1024 * kib, left_in_group()) if number is not None]
    return min(known, default=None)


def left_in_group(group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that a control group, a container's, has left of its limit; None without one.

    What files read from the disk take there is given up when it is needed.
    """
    limit, used = (_read_number(group / name, r"(\d+)") for name in ("memory.max", "memory.current"))
    reclaimable = _read_number(group / "memory.stat", r"inactive_file (\d+)")
    return None if limit is None or used is None else limit - used + (reclaimable or 0)


@dataclass
class PeakMemory:
    """Set when the block of :func:`watch_memory` ends.

    Attributes:
        num_bytes: the most memory in use at once: of the device, or on a CPU of the whole process.
    """

    num_bytes: int = 0


@contextmanager
def watch_memory(device: torch.device) -> Iterator[PeakMemory]:
    """The most memory in use at once within the block.

    Where the system cannot forget the process's earlier peak (not Linux), the most since its start.
    """
    peak = PeakMemory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak.num_bytes = torch.cuda.max_memory_allocated(device)
        return
    give_back_freed_memory()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): forget the peak of the resident set
    yield peak
    peak_kib = _read_number("/proc/self/status", r"VmHWM:\s+(\d+) kB")
    peak.num_bytes = _largest_resident_set() if peak_kib is None else 1024 * peak_kib


def _largest_resident_set() -> int:
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _read_number(path: str | Path, pattern: str) -> int | None:
    """The number in the line of a file of the Linux kernel that a pattern describes."""
    try:
        found = re.search(f"^{pattern}$", Path(path).read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1])
