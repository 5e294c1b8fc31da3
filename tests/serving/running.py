"""A server that runs, for tests: in a process of its own, as a user starts it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.process_group import memory_bytes, pids_of


@dataclass
class Running:
    """A server that answers."""

    process: subprocess.Popen[str]
    address: tuple[str, int]

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of a page."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def is_ready(self) -> bool:
        return self.get("/v2/health/ready")[0] == 200

    def processes(self) -> list[int]:
        """Of the server and all that it started."""
        return pids_of(self.process.pid)

    def worker(self) -> int:
        """The process that computes; 0 where there is none."""
        others = [pid for pid in self.processes() if pid != self.process.pid]
        return max(others, default=0)

    def memory_bytes(self) -> int:
        """Memory of all its processes, what they share counted once."""
        return memory_bytes(self.process.pid)


@contextmanager
def running(sources: Sequence[str | Path], *options: str) -> Iterator[Running]:
    """Start a server for these classifiers on a free port; it is killed in the end, with all that it started."""
    command = [sys.executable, "-m", "resnetkit", "serve", *map(str, sources), "--port", "0", "--json", *options]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, start_new_session=True)
        try:
            assert process.stdout
            line = process.stdout.readline()
            said.seek(0)
            assert line, said.read()
            yield Running(process, ("127.0.0.1", json.loads(line)["port"]))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
