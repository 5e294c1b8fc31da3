"""Start an engine in many forked processes, with the interpreter switching threads as often as it can.

    python start_many.py ENGINE GRAPH NUM_PROCESSES NUM_AT_ONCE DEADLINE_SECONDS

Each opens the engine for two threads and lets both answer; prints how many did not end in time, and how many failed.
The package of the engine is imported once, before the processes part: what can hang comes after.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from resnetkit.inference import graph_engines
from resnetkit.inference.engines import ENGINES, open_kind

IMAGE_SHAPE = (3, 16, 16)
BATCH_SIZE = 8


def answer(engine: str, graph: bytes) -> None:
    sys.setswitchinterval(1e-6)
    opened = open_kind(ENGINES[engine], graph, image_shape=IMAGE_SHAPE, batch_size=BATCH_SIZE, num_threads=2)
    opened.logits(np.zeros((BATCH_SIZE, *IMAGE_SHAPE), np.uint8))


def start(engine: str, graph: bytes) -> int:
    process = os.fork()
    if process:
        return process
    try:
        answer(engine, graph)
    except BaseException as error:
        print(error, file=sys.stderr)
        os._exit(1)
    os._exit(0)


def main() -> None:
    engine, graph, deadline_seconds = sys.argv[1], Path(sys.argv[2]).read_bytes(), float(sys.argv[5])
    num_left, num_at_once, num_hung, num_failed = int(sys.argv[3]), int(sys.argv[4]), 0, 0
    getattr(graph_engines, f"import_{engine}")()
    running: dict[int, float] = {}
    while num_left or running:
        for _ in range(min(num_left, num_at_once - len(running))):
            running[start(engine, graph)] = time.monotonic()
            num_left -= 1
        for process, since in list(running.items()):
            is_late = time.monotonic() - since > deadline_seconds
            if is_late:
                os.kill(process, signal.SIGKILL)
            ended, status = os.waitpid(process, 0 if is_late else os.WNOHANG)
            if ended:
                del running[process]
                num_hung += is_late
                num_failed += not is_late and status != 0
        time.sleep(0.002)
    print(f"{num_hung} hung, {num_failed} failed")


if __name__ == "__main__":
    main()
