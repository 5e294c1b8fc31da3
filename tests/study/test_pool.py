"""No more runs at a time than there are places; when one is told to stop, all stop."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from resnetkit.study import pool
from resnetkit.study.plan import Job
from resnetkit.study.pool import run_side_by_side
from resnetkit.training.interruption import Interrupted

JOBS = [Job("arm", seed, Path("study"), ()) for seed in range(5)]


class Process:
    """Ends when it was asked so many times whether it has; when stopped, unless it will not."""

    def __init__(self, polls: int, *, is_stubborn: bool = False) -> None:
        self.polls, self.is_stubborn = polls, is_stubborn
        self.was_stopped = self.was_killed = False

    def poll(self) -> int | None:
        self.polls -= 1
        return 0 if self.polls < 0 or (self.was_stopped and not self.is_stubborn) or self.was_killed else None

    def stop(self) -> None:
        self.was_stopped = True

    def kill(self) -> None:
        self.was_killed = True


def test_places_are_filled_and_never_more() -> None:
    ended: list[Job] = []
    started: list[Job] = []
    most = 0

    def start(job: Job) -> Process:
        nonlocal most
        started.append(job)
        most = max(most, len(started) - len(ended))
        return Process(3 - job.seed % 3)

    run_side_by_side(JOBS, start, 2, on_end=lambda job, _: ended.append(job), poll_seconds=0)
    assert started == JOBS
    assert sorted(job.seed for job in ended) == [0, 1, 2, 3, 4]
    assert most == 2


def test_all_are_stopped_when_one_is_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "STOP_SECONDS", 0.05)
    processes: list[Process] = []

    def start(job: Job) -> Process:
        processes.append(Process(10**9, is_stubborn=job.seed == 1))
        return processes[-1]

    def interrupt(running: Sequence[Job]) -> None:
        if len(running) == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        run_side_by_side(JOBS, start, 2, on_end=lambda *_: None, on_wait=interrupt, poll_seconds=0)
    assert [one.was_stopped for one in processes] == [True, True]
    assert [one.was_killed for one in processes] == [False, True]


def test_a_second_request_waits_for_nothing() -> None:
    process = Process(10**9, is_stubborn=True)

    def interrupt(_: Sequence[Job]) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(JOBS[:1], lambda _: process, 1, on_end=lambda *_: None, on_wait=interrupt, poll_seconds=0.05)
    assert (process.was_stopped, process.was_killed) == (True, True)
