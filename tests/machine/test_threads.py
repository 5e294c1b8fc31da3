"""Threads and processor without torch."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from resnetkit.machine.threads import find_num_threads, num_physical_cores, version_of

ASK = """
import sys
from resnetkit.machine.threads import find_num_threads
print(find_num_threads(), "torch" in sys.modules)
"""


@pytest.mark.parametrize(("stated", "expected"), [("3", 3), ("2,1", 2), ("0", None), ("many", None), ("", None)])
def test_threads_are_those_the_environment_states_or_the_cores(stated: str, expected: int | None) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": stated}
    finished = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    assert finished.stdout.split() == [str(expected or num_physical_cores()), "False"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "stated", [{}, {"OMP_NUM_THREADS": "1"}, {"MKL_NUM_THREADS": "1"}, {"MKL_NUM_THREADS": "2", "OMP_NUM_THREADS": "1"}]
)
def test_loading_torch_changes_nothing(stated: dict[str, str]) -> None:
    ask = "from resnetkit.machine.threads import find_num_threads as f; print(f()); import torch; print(f())"
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")} | stated
    finished = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    before, after = finished.stdout.split()
    assert before == after == str(next(iter(stated.values()), num_physical_cores()))


def test_where_torch_is_loaded_its_threads_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(get_num_threads=lambda: 7))
    assert find_num_threads() == 7


def test_the_machine_is_named() -> None:
    assert 1 <= num_physical_cores() <= (os.cpu_count() or 1)
    assert version_of("numpy")
    assert version_of("no-such-package") == ""
