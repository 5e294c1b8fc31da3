"""The device that computes: finding it, its precision, its memory."""

from __future__ import annotations

import re
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from resnetkit.errors import Code, ResnetkitError
from resnetkit.machine.processor import multiplies_bf16_fast


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


def compute_convs_in(precision: str) -> None:
    """Set the precision of float32 convs on CUDA: ``ieee`` or ``tf32``."""
    # The older switch too, and first: torch refuses to read it where the two disagree.
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.conv.fp32_precision = precision  # type: ignore[attr-defined]


class _ConvPrecision:
    """The precision of float32 convs on CUDA, held at float32 while any thread asks for it."""

    def __init__(self) -> None:
        self._lock, self._holders, self._before = threading.Lock(), 0, ""

    def __enter__(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._before = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
                compute_convs_in("ieee")
            self._holders += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                compute_convs_in(self._before)


_EXACT = _ConvPrecision()


def exact_float32(device: torch.device) -> AbstractContextManager[None]:
    """Within the block, float32 convs on CUDA keep all 24 bits; torch's default rounds their inputs to 11 (TF32)."""
    return _EXACT if device.type == "cuda" else nullcontext()


def default_generator(device: torch.device) -> torch.Generator:
    """Generator that layers draw from on the device; ``torch.manual_seed`` seeds every device's, and takes its time."""
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]
        return torch.cuda.default_generators[device.index]
    return torch.default_generator


def multiplies_bf16(device: torch.device) -> bool:
    """Tell whether the device has units for bfloat16, which make it faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return multiplies_bf16_fast()


def free_on_gpu(device: torch.device) -> int:
    """Bytes of a GPU that new tensors can have: what nobody has, and what torch keeps and does not use."""
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def device_name(device: torch.device) -> str:
    """Name that a GPU gives itself; ``cpu`` for the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def to_device(values: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to a device without waiting for it; the array may be reused on return, CUDA has taken a copy."""
    return torch.from_numpy(values).to(device, non_blocking=True)
