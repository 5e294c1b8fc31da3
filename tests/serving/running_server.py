"""A server in a process of its own, as users start it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.serving.conftest import ENGINE

ROOT = Path(__file__).parents[2]


@dataclass
class RunningServer:
    """A process that serves.

    Attributes:
        url: where.
        log: the file of its stderr.
    """

    process: subprocess.Popen[str]
    url: str
    log: Path
    told: dict[str, Any]

    @property
    def workers(self) -> list[int]:
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def lines(self) -> list[dict[str, Any]]:
        """The lines of its log that are of requests."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def end(self, *signals: int, seconds: float = 20) -> int:
        """Send signals one after another; the exit code."""
        for number in signals:
            self.process.send_signal(number)
            time.sleep(0.05)
        return self.process.wait(seconds)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_WAIT_POLICY": "passive"}


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[RunningServer]:
    """Serve for the duration of the block; it is ready by then."""
    log = folder / "log"
    command = [sys.executable, "-m", "resnetkit", "serve", *arguments, "--port", "0", "--json", "--engine", ENGINE]
    with open(log, "w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment())
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        told = json.loads(line)
        assert httpx.get(f"{told['url']}/v2/health/ready").status_code == 200
        yield RunningServer(process, told["url"], log, told)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
