"""The machine at hand: device, threads, precision, and what to record about them."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import torch

from resnetkit.errors import Code, ResnetkitError


@dataclass(frozen=True)
class Runtime:
    """How this process computes."""

    device: torch.device
    bf16: bool
    compile: bool


def find_device(name: str = "auto") -> torch.device:
    """The device of that name.

    Raises:
        ResnetkitError: for a kind of device other than CPU and CUDA, or where the machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise ResnetkitError(Code.USAGE, f"unknown device '{name}'", fix="choose auto, cpu, cuda or cuda:N")
    device = torch.device(name)
    if device.type == "cuda":
        # With its number, which torch.cuda.set_device insists on.
        device = torch.device("cuda", device.index or 0)
    if device.type == "cuda" and device.index >= torch.cuda.device_count():
        raise ResnetkitError(
            Code.USAGE, f"no device '{name}' here: torch sees {torch.cuda.device_count()} CUDA GPUs", fix="--device cpu"
        )
    return device


def start(
    device_name: str = "auto",
    *,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    compile_network: Literal["auto", "on", "off"] = "auto",
    threads: int | None = None,
    deterministic: bool = True,
) -> Runtime:
    """Set threads and determinism for this process and decide what is ``auto``: bf16 and compilation on CUDA."""
    device = find_device(device_name)
    on_cuda = device.type == "cuda"
    if threads is not None:
        torch.set_num_threads(threads)
    if on_cuda:
        torch.cuda.set_device(device)
        # Read by cuBLAS at its first call; without it, deterministic matrix products are refused.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    # A guard against reading memory that was never written; it costs time at every allocation.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
    bf16 = precision == "bf16" or (precision == "auto" and on_cuda and torch.cuda.is_bf16_supported())
    return Runtime(device, bf16, compile_network == "on" or (compile_network == "auto" and on_cuda))


def environment() -> dict[str, Any]:
    """The machine and the versions, for the run's record."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "resnetkit": version("resnetkit"),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "pillow": version("pillow"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor_name(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": device,
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", ""),
    }


def _processor_name() -> str:
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor()
