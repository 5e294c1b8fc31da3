"""Memory that stays with the process."""

import os
import platform
import subprocess
import sys

import pytest

from resnetkit.machine import allocator

# Pages given out by the system for 64 MB that are allocated, written to and freed, once they have been had before.
COUNT_PAGES = """
import resource
from resnetkit.machine.allocator import keep_freed_memory
keep_freed_memory()
b"x" * 2**26
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
b"x" * 2**26
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
FEW = 20  # where the system gives pages of 2 MB, 64 MB are 32 of them


def count_pages(**environment: str) -> int:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", COUNT_PAGES], env={**own, **environment}, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what is set is glibc's")
def test_freed_memory_is_used_again() -> None:
    assert count_pages() < FEW


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what is set is glibc's")
def test_what_the_environment_says_of_the_allocator_holds() -> None:
    assert count_pages(MALLOC_MMAP_THRESHOLD_="131072") > FEW


def test_elsewhere_no_allocator_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda *_: pytest.fail("the C library was opened"))
    allocator.keep_freed_memory()
    allocator.give_back_freed_memory()


def test_a_c_library_that_cannot_do_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda *_: opened.append(0) or object())
    allocator.keep_freed_memory()
    allocator.give_back_freed_memory()
    assert len(opened) == 2
