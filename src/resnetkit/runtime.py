"""The machine at hand: device, threads, precision, and what to record about them."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import platformdirs
import torch

from resnetkit.allocation import keep_freed_memory
from resnetkit.errors import Code, ResnetkitError, first_line, require
from resnetkit.processor import Precision, multiplies_bf16_fast, processor_name

COMPILE_FROM_FLOPS = 2.5e13  # per thread: some minutes of training, of which compiling takes half a minute


@dataclass(frozen=True)
class Runtime:
    """How this process computes.

    Attributes:
        notes: sentences on what was decided, for the user.
    """

    device: torch.device
    bf16: bool
    compile: bool
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        threads = f", {torch.get_num_threads()} threads" if self.device.type == "cpu" else ""
        return f"{self.device}, {'bf16' if self.bf16 else 'float32'}{threads}{', compiled' if self.compile else ''}"

    def as_dict(self) -> dict[str, Any]:
        """What was decided, as JSON-ready values."""
        return {"precision": "bf16" if self.bf16 else "fp32", "compile": self.compile}


def find_device(name: str = "auto") -> torch.device:
    """The device of that name.

    Raises:
        ResnetkitError: for a kind of device other than CPU and CUDA, or where the machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        fix = f"cuda:{name}" if name.isdecimal() else "choose auto, cpu, cuda or cuda:N"
        raise ResnetkitError(Code.USAGE, f"unknown device '{name}'", fix=fix)
    device = torch.device(name)
    if device.type == "cuda":
        # With its number, which torch.cuda.set_device insists on.
        device = torch.device("cuda", device.index or 0)
    if device.type == "cuda" and device.index >= torch.cuda.device_count():
        raise ResnetkitError(
            Code.USAGE, f"no device '{name}' here: torch sees {torch.cuda.device_count()} CUDA GPUs", fix="--device cpu"
        )
    return device


def _compute_convs_in(precision: str) -> None:
    """What CUDA convs of float32 are computed in: ``ieee`` or ``tf32``."""
    # The older switch too, and first: torch refuses to read it where the two disagree.
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.conv.fp32_precision = precision  # type: ignore[attr-defined]


class _ConvPrecision:
    """What CUDA convs of float32 are computed in, held at float32 while anybody asks for it, in any thread."""

    def __init__(self) -> None:
        self._lock, self._holders, self._before = threading.Lock(), 0, ""

    def __enter__(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._before = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
                _compute_convs_in("ieee")
            self._holders += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                _compute_convs_in(self._before)


_EXACT = _ConvPrecision()


def exact_float32(device: torch.device) -> AbstractContextManager[None]:
    """Within the block, float32 convs on CUDA keep all 24 bits; torch's default rounds their inputs to 11 (TF32)."""
    return _EXACT if device.type == "cuda" else nullcontext()


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
        _compute_convs_in("ieee")
    is_fast = multiplies_bf16(device)
    bf16 = precision == "bf16" or (precision == "auto" and is_fast)
    notes: tuple[str, ...] = ()
    if bf16 and not is_fast:
        notes += (f"bf16 is no faster than float32 on this {device.type}, only less exact",)
    repays = on_cuda or num_flops >= COMPILE_FROM_FLOPS * torch.get_num_threads()
    if compile_network == "off" or (compile_network == "auto" and not repays):
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


def default_generator(device: torch.device) -> torch.Generator:
    """What layers draw from on the device; ``torch.manual_seed`` seeds every device's, and takes its time."""
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]
        return torch.cuda.default_generators[device.index]
    return torch.default_generator


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the device has units for bfloat16, which make it faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return multiplies_bf16_fast()


def _why_not_compile(device: torch.device) -> str:
    """What compiling a small function raises; empty where it works."""
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


def free_on_gpu(device: torch.device) -> int:
    """Bytes of a GPU that new tensors can have: what nobody has, and what torch keeps and does not use."""
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def device_name(device: torch.device) -> str:
    """What a GPU calls itself; ``cpu`` for the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


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
