"""Name of the processor, and the formats that it computes in fast; no torch here."""

from __future__ import annotations

import platform
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")  # Linux


def processor_name() -> str:
    """Name that the processor gives itself."""
    return _cpu_info("model name") or platform.processor()


def multiplies_bf16_fast() -> bool:
    """Tell whether the processor has AMX units for bfloat16.

    Without them it gains nothing: a ResNet-18 image in 39 ms (torch) and 33 ms (OpenVINO) with AVX-512's instructions
    for it, in 100 and 92 ms with none, against 33 and 23 ms in float32, on one processor held to each.
    """
    return "amx_bf16" in _cpu_info("flags").split()


def multiplies_int8_fast() -> bool:
    """Tell whether the processor multiplies and adds bytes in one instruction: VNNI or AMX, on Arm the dot product.

    Without one it takes several, of which one saturates, so that answers can be others too.
    """
    units = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"}
    return bool(units.intersection((_cpu_info("flags") or _cpu_info("Features")).split()))


def _cpu_info(key: str) -> str:
    """Words of the system about the first core under a key; empty where it says nothing."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key) and ":" in line), "")
