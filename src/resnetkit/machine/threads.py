"""The processor and its threads, known without torch."""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CPU_FOLDER = Path("/sys/devices/system/cpu")
CUDA_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def find_num_threads() -> int:
    """Threads to compute with: torch's where it is loaded, else as many as it would take.

    That is what the environment states, or one for each physical core.
    """
    if "torch" in sys.modules:
        return int(sys.modules["torch"].get_num_threads())
    for name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        stated = os.environ.get(name, "").split(",")[0]
        if stated.isdigit() and int(stated):
            return int(stated)
    return num_physical_cores()


def num_physical_cores() -> int:
    """Cores that this process may use; two threads on one of them share its arithmetic units."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    cores = set()
    for number in allowed:
        try:
            cores.add((CPU_FOLDER / f"cpu{number}/topology/thread_siblings_list").read_text())
        except OSError:
            return len(allowed)
    return len(cores)


def may_have_gpu() -> bool:
    """Tell whether torch could find a GPU here; where this says no, asking torch itself is spared."""
    if version_of("torch").endswith("+cpu"):
        return False
    try:
        ctypes.CDLL(CUDA_DRIVER)
    except OSError:
        return Path("/dev/kfd").exists()  # AMD's, which torch calls cuda too
    return True


def version_of(package: str) -> str:
    """The installed version; empty where there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
