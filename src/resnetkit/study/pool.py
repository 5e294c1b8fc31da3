"""Compute runs side by side: no more than there are places, one after another, all stopped when one is told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from resnetkit.study.places import Process
from resnetkit.study.plan import Job
from resnetkit.training.interruption import Interrupted, StopRequest, listen_for_stop

POLL_SECONDS = 0.2
# A run that is asked to stop ends its step and writes a checkpoint.
STOP_SECONDS = 60.0


def run_side_by_side(
    jobs: Sequence[Job],
    start: Callable[[Job], Process],
    num_places: int,
    *,
    on_end: Callable[[Job, int], None],
    on_wait: Callable[[Sequence[Job]], None] = lambda running: None,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Start every job when a place is free, and return when all have ended.

    However this ends, none runs on: they are asked to stop, and ended after a while or at a second Ctrl-C.

    Args:
        on_end: is told of each job that has ended, with its exit code.
        on_wait: is told now and then which jobs are running.

    Raises:
        Interrupted: on SIGINT or SIGTERM, when all runs have written a checkpoint and ended.
    """
    # The signal is answered here and nowhere else: not in the middle of a start, whose process nobody would know.
    request = StopRequest()
    with listen_for_stop(request):
        _run_all(list(jobs), start, num_places, request, on_end, on_wait, poll_seconds)


def _run_all(
    waiting: list[Job],
    start: Callable[[Job], Process],
    num_places: int,
    request: StopRequest,
    on_end: Callable[[Job, int], None],
    on_wait: Callable[[Sequence[Job]], None],
    poll_seconds: float,
) -> None:
    running, patience_seconds = dict[Job, Process](), STOP_SECONDS
    try:
        while waiting or running:
            if request.asked:
                raise Interrupted(request.asked)
            while waiting and len(running) < num_places:
                job = waiting.pop(0)
                running[job] = start(job)
            ended = {job: code for job, process in running.items() if (code := process.poll()) is not None}
            for job, code in ended.items():
                del running[job]
                on_end(job, code)
            if running and not ended:
                on_wait(tuple(running))
                time.sleep(poll_seconds)
    except KeyboardInterrupt:  # asked twice
        patience_seconds = 0.0
        raise
    finally:
        _stop(list(running.values()), patience_seconds, poll_seconds)


def _stop(processes: Sequence[Process], patience_seconds: float, poll_seconds: float) -> None:
    ends = time.monotonic() + patience_seconds
    try:
        for process in processes:
            process.stop()
        while any(process.poll() is None for process in processes) and time.monotonic() < ends:
            time.sleep(poll_seconds)
    finally:
        for process in processes:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    process.kill()
