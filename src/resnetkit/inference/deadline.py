"""Deadlines for other projects' engines, which may hang or crash; no torch here.

Before an engine is taken it is rehearsed: opened, and asked for one image, in a process of its own. A process can be
given up whatever it does. A thread cannot always: one that waits inside a library while it holds the interpreter's lock
stops every other thread with it, and a crash ends them all.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from resnetkit.errors import summarize
from resnetkit.inference.engines import EngineKind, open_kind

Result = TypeVar("Result")

# Opening takes seconds; a machine that swaps, or is shared by many, takes longer.
DEADLINE_SECONDS = 120.0
_REHEARSE = "from resnetkit.inference.deadline import main; main()"


def rehearse(
    kinds: Sequence[EngineKind],
    graph: bytes,
    settings: Mapping[str, Any],
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> dict[str, str]:
    """Find what is wrong with engines that read ``graph``, by name: those that do not open and answer, and why.

    They are tried side by side, each in a new process of this interpreter; where there is none to start, as in a
    program frozen into one file, nothing is tried.

    Args:
        settings: what :func:`~resnetkit.inference.engines.open_kind` is told besides.
        deadline_seconds: for all of them together.
    """
    if not kinds or not sys.executable or getattr(sys, "frozen", False):
        return {}
    with tempfile.TemporaryDirectory(prefix="resnetkit-") as folder:
        Path(folder, "graph.onnx").write_bytes(graph)
        processes = {kind.name: _start(kind, Path(folder), settings) for kind in kinds}
        ends = time.monotonic() + deadline_seconds
        try:
            for process in processes.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, ends - time.monotonic()))
            problems = {
                name: f"did not answer within {deadline_seconds:g} s"
                if process.poll() is None
                else problem_of(process.returncode, Path(folder, name).read_text(errors="replace"))
                for name, process in processes.items()
            }
        finally:  # also after Ctrl-C
            for process in processes.values():
                process.kill()
                process.wait()
    return {name: problem for name, problem in problems.items() if problem}


def within(action: Callable[[], Result], *, deadline_seconds: float = DEADLINE_SECONDS) -> Result:
    """Return what ``action`` returns, computed in a thread that is left behind where it takes too long.

    Raises:
        TimeoutError: if it does not end in time.
    """
    result: Future[Result] = Future()

    def work() -> None:
        try:
            result.set_result(action())
        except BaseException as error:
            result.set_exception(error)

    thread = threading.Thread(target=work, name="engine", daemon=True)
    thread.start()
    thread.join(deadline_seconds)
    if thread.is_alive():
        raise TimeoutError(f"did not answer within {deadline_seconds:g} s")
    return result.result()


def main() -> None:
    """Rehearse one engine: its kind and settings are the argument, the graph is standard input.

    Exits with 1 after printing what is wrong, in one line.
    """
    request = json.loads(sys.argv[1])
    kind = EngineKind(request["name"], (), "", "graph", request["opener"])
    try:
        open_kind(kind, sys.stdin.buffer.read(), **request["settings"])
    except Exception as error:  # whatever another project's code raises
        print(summarize(error))
        sys.exit(1)


def _start(kind: EngineKind, folder: Path, settings: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    """The rehearsal of one engine with ``graph.onnx``; what it says goes to a file of the engine's name."""
    request = json.dumps({"name": kind.name, "opener": kind.opener, "settings": dict(settings)})
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    # Files, because a pipe that nobody reads stops whoever writes much.
    with (folder / "graph.onnx").open("rb") as graph, (folder / kind.name).open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-c", _REHEARSE, request],
            stdin=graph,
            stdout=said,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )


def problem_of(exit_code: int, said: str) -> str:
    """The reason why a process failed, by its exit code and what it said last; empty where it did not."""
    if exit_code < 0:
        return f"crashes ({signal.Signals(-exit_code).name})"
    lines = said.strip().splitlines() or [f"ends with exit code {exit_code}"]
    return lines[-1] if exit_code else ""
