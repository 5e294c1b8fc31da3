"""Threads and processor without torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnetkit.inference import machine
from resnetkit.inference.machine import find_num_threads, multiplies_bf16_fast, num_physical_cores, version_of
from resnetkit.processor import processor_name

ASK = """
import sys
from resnetkit.inference.machine import find_num_threads
print(find_num_threads(), "torch" in sys.modules)
"""


@pytest.mark.parametrize(("stated", "expected"), [("3", 3), ("2,1", 2), ("0", None), ("many", None), ("", None)])
def test_threads_are_those_the_environment_states_or_the_cores(stated: str, expected: int | None) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": stated}
    finished = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    assert finished.stdout.split() == [str(expected or num_physical_cores()), "False"]


def test_where_torch_is_loaded_its_threads_count() -> None:
    import torch

    assert find_num_threads() == torch.get_num_threads()


def test_the_machine_is_named() -> None:
    assert 1 <= num_physical_cores() <= (os.cpu_count() or 1)
    assert processor_name() == processor_name()
    assert version_of("numpy")
    assert version_of("no-such-package") == ""


@pytest.mark.parametrize(
    ("content", "fast"),
    [
        ("model name\t: A\nflags\t\t: fpu avx512_bf16 amx_bf16 amx_tile\n", True),
        ("model name\t: A\nflags\t\t: fpu avx512_bf16\n", False),
        ("model name\t: with amx_bf16\n", False),
        (None, False),
    ],
)
def test_units_for_bfloat16_are_read_off_the_processor(
    content: str | None, fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "cpuinfo").write_text(content)
    monkeypatch.setattr(machine, "CPU_INFO", tmp_path / "cpuinfo")
    assert multiplies_bf16_fast() is fast
