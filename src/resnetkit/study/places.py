"""Places where runs are computed: processes of this machine."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

PR_SET_PDEATHSIG = 1  # prctl.h, on Linux


class Process(Protocol):
    """A command that was started somewhere."""

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""

    def stop(self) -> None:
        """Ask it to write a checkpoint and end."""

    def kill(self) -> None:
        """End it at once."""


# Starts a command, the words of which a person would type, and writes what it says behind what the file has.
Start = Callable[[Sequence[str], Path], Process]


class LocalProcess:
    """A command of this program in a process of its own, which does not outlive this one.

    It is not reached by a Ctrl-C that the terminal sends to all: who started it says when it stops.
    """

    def __init__(self, command: Sequence[str], said: Path) -> None:
        with said.open("ab") as file:
            self._process = subprocess.Popen(
                program_words(command),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=program_environment(),
                process_group=0,
                preexec_fn=_die_with_parent(),
            )

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to write a checkpoint and end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()


def program_words(command: Sequence[str]) -> list[str]:
    """A command that a person would type, by this interpreter."""
    return [sys.executable, "-m", *command]


def program_environment() -> dict[str, str]:
    """This process' environment, in which another one finds the same packages."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return {**os.environ, "PYTHONPATH": paths}


def _die_with_parent() -> Callable[[], None] | None:
    """The first act of a new process on Linux: have itself stopped, after a checkpoint, when its parent is killed."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()  # nothing is loaded between fork and exec

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was killed before this was asked
            os.kill(os.getpid(), signal.SIGKILL)

    return ask
