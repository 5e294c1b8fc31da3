"""The machine at hand: device, threads, precision, and what to record about them."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import platformdirs
import torch

from resnetkit.errors import first_line, require
from resnetkit.machine.allocator import keep_freed_memory
from resnetkit.machine.device import compute_convs_in, device_name, find_device, multiplies_bf16
from resnetkit.machine.precision import Precision
from resnetkit.machine.processor import processor_name

COMPILE_FROM_FLOPS = 2.5e13  # per thread: some minutes of training, of which compiling takes half a minute


@dataclass(frozen=True)
class Runtime:
    """Device, precision and threads that this process computes with.

    Attributes:
        notes: sentences on what was decided, for the user.
    """

    device: torch.device
    bf16: bool
    compile: bool
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        count = torch.get_num_threads()
        threads = f", {count} thread{'s' if count > 1 else ''}" if self.device.type == "cpu" else ""
        return f"{self.device}, {'bf16' if self.bf16 else 'float32'}{threads}{', compiled' if self.compile else ''}"

    def as_dict(self) -> dict[str, Any]:
        """Decisions as JSON-ready values."""
        return {"precision": "bf16" if self.bf16 else "fp32", "compile": self.compile}


def start(
    device_name: str = "auto",
    *,
    precision: Literal["auto"] | Precision = "auto",
    compile_network: Literal["auto", "on", "off"] = "auto",
    threads: int | None = None,
    deterministic: bool = True,
    num_flops: float = 0.0,
) -> Runtime:
    """Set threads, determinism and the keeping of memory for this process and decide what is ``auto``.

    bf16 is chosen where the device multiplies it faster than float32: CUDA devices that have it, CPUs with AMX.
    Compilation is chosen on CUDA, and on CPUs for work of ``num_flops`` that repays it; there it needs a C++ compiler.

    Raises:
        ResnetkitError: for a device that is not there, and where compilation is ``on`` and does not work.
    """
    device = find_device(device_name)
    on_cuda = device.type == "cuda"
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    if on_cuda:
        torch.cuda.set_device(device)
        # Read by cuBLAS at its first call; without it, deterministic matrix products are refused.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_deterministic_debug_mode("warn" if deterministic else "default")
    # A guard against reading memory that was never written; it costs time at every allocation.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
    if on_cuda:  # fp32 is what was asked for; who wants speed has bf16
        compute_convs_in("ieee")
    is_fast = multiplies_bf16(device)
    bf16 = precision == "bf16" or (precision == "auto" and is_fast)
    notes: tuple[str, ...] = ()
    if bf16 and not is_fast:
        notes += (f"bf16 is no faster than float32 on this {device.type}, only less exact",)
    if compile_network == "off" or (compile_network == "auto" and not repays_compiling(device, num_flops)):
        return Runtime(device, bf16, False, notes)
    # The compiler has a setting of its own, which only this function sets; it takes a second to import.
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    obstacle = _why_not_compile(device)
    require(
        not obstacle or compile_network == "auto",
        "torch.compile does not work on this machine",
        why=obstacle,
        fix="install a C++ compiler such as g++, or set runtime.compile to auto or off",
    )
    if obstacle:
        notes += (f"torch.compile does not work here, so training goes without it and slower: {obstacle}",)
    return Runtime(device, bf16, not obstacle, notes)


def repays_compiling(device: torch.device, num_flops: float) -> bool:
    """Tell whether work of so many operations is worth compiling a network for, on this device."""
    return device.type == "cuda" or num_flops >= COMPILE_FROM_FLOPS * torch.get_num_threads()


def _why_not_compile(device: torch.device) -> str:
    """Text of what compiling a small function raises; empty where it works."""
    keep_compiled_code_apart()
    try:
        small = torch.compile(lambda x: x.relu() + 1, dynamic=False)
        small(torch.ones(64, device=device))
    except Exception as error:  # the compiler is a whole toolchain, with as many ways to be missing
        return first_line(error)[:200]
    finally:
        torch.compiler.reset()
    return ""


def keep_compiled_code_apart() -> None:
    """A cache for each kind of processor: torch's own hands code made for one to another, which then crashes."""
    made_for = f"{torch.__version__} {processor_name()} {torch.backends.cpu.get_cpu_capability()}"
    folder = platformdirs.user_cache_path("resnetkit") / "compiled" / hashlib.sha256(made_for.encode()).hexdigest()[:16]
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))


def environment() -> dict[str, Any]:
    """The machine and the versions, for the run's record."""
    return {
        "resnetkit": version("resnetkit"),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "pillow": version("pillow"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": device_name(torch.device("cuda")) if torch.cuda.is_available() else "",
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", ""),
    }
