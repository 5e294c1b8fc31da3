"""A classifier that is served: each answer is its own image's, whatever happens to the worker."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.serving.conftest import ENGINE, SETTINGS, Known, is_running, run, until

from resnetkit.errors import ResnetkitError
from resnetkit.serving.opening import ToServe
from resnetkit.serving.served import DeadlinePassed, NotReady, Overloaded, WorkerLost
from resnetkit.serving.served_classifier import ServedClassifier
from resnetkit.serving.served_set import open_served


def to_serve(file: Path) -> ToServe:
    return ToServe("small", str(file), engine=ENGINE)


async def load(served: ServedClassifier, known: Known, number: int, concurrency: int) -> list[type | None]:
    """So many requests of one to six images, each checked; None for an answer, else what there was in its place."""
    gate, draw = asyncio.Semaphore(concurrency), random.Random(0)
    outcomes: list[type | None] = []

    async def ask(places: list[int]) -> None:
        async with gate:
            while True:
                try:
                    answers = await served.answer_files([known.files[place] for place in places], deadline_seconds=60)
                except WorkerLost:
                    outcomes.append(WorkerLost)
                    return
                except NotReady:  # as clients do
                    await asyncio.sleep(0.02)
                else:
                    known.check(places, answers)
                    outcomes.append(None)
                    return

    await asyncio.gather(
        *(ask([draw.randrange(len(known.files)) for _ in range(draw.randint(1, 6))]) for _ in range(number))
    )
    return outcomes


def test_it_answers_as_predict_does_and_takes_no_torch_for_it(file: Path, known: Known) -> None:
    """One worker for all that is quick to see: answers, pixels, deadlines, overload, what is given up, its end."""

    async def work() -> None:
        settings = replace(SETTINGS, max_requests=8)
        async with open_served([to_serve(file)], settings) as opened:
            served = opened["small"]
            assert (served.state, served.problem, served.source) == ("ready", "", str(file))
            assert served.description.class_names == ("1 0", "1 1", "1 2")
            known.check(list(range(40)), await served.answer_files(known.files, deadline_seconds=60))
            assert await load(served, known, 100, concurrency=8) == [None] * 100
            maps = Path(f"/proc/{served.worker_pid}/maps").read_text()
            assert "onnxruntime" in maps
            assert "libtorch" not in maps
            assert await served.answer_files([], deadline_seconds=1) == []
            # What is too much is refused at once, and what was accepted is answered.
            outcomes = await asyncio.gather(
                *(served.answer_files(known.files[:4], deadline_seconds=60) for _ in range(20)), return_exceptions=True
            )
            assert [type(outcome) for outcome in outcomes[8:]] == [Overloaded] * 12
            for outcome in outcomes[:8]:
                assert not isinstance(outcome, BaseException)
                known.check([0, 1, 2, 3], outcome)
            with pytest.raises(DeadlinePassed):
                await served.answer_files(known.files, deadline_seconds=0.001)
            waiting = asyncio.create_task(served.answer_files(known.files, deadline_seconds=60))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert served.num_requests == 0
            pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), dtype=np.uint8)
            together = await served.answer_pixels(pixels, deadline_seconds=60)
            alone = [(await served.answer_pixels(pixels[n : n + 1], deadline_seconds=60))[0] for n in range(5)]
            for one, other in zip(together, alone, strict=True):
                assert one.logits is not None
                assert other.logits is not None
                assert one.logits.tobytes() == other.logits.tobytes()
            accepted = asyncio.create_task(served.answer_files(known.files, deadline_seconds=60))
            await asyncio.sleep(0)
            pid = served.worker_pid
        known.check(list(range(40)), await accepted)  # accepted before the end
        assert served.state == "stopped"
        assert not is_running(pid)
        with pytest.raises(NotReady):
            await served.answer_files(known.files, deadline_seconds=1)

    run(work)


@pytest.mark.slow
def test_a_killed_worker_loses_its_own_requests_and_swaps_none(file: Path, known: Known) -> None:
    async def work() -> None:
        async with open_served([to_serve(file)], SETTINGS) as opened:
            served = opened["small"]
            loading = asyncio.create_task(load(served, known, 1500, concurrency=16))
            for _ in range(5):
                await until(lambda: served.state == "ready")
                await asyncio.sleep(0.2)
                pid = served.worker_pid
                os.kill(pid, signal.SIGKILL)
                await until(lambda killed=pid: served.worker_pid != killed or served.state != "ready")
            outcomes = await loading
            await until(lambda: served.state == "ready")
            known.check([0], await served.answer_files(known.files[:1], deadline_seconds=60))
            assert len(outcomes) == 1500
            assert 5 <= outcomes.count(WorkerLost) <= 5 * 16

    run(work)


@pytest.mark.slow
def test_thousands_of_mixed_requests_have_their_own_answers(file: Path, known: Known) -> None:
    async def work() -> None:
        async with open_served([to_serve(file)], SETTINGS) as opened:
            assert await load(opened["small"], known, 2000, concurrency=32) == [None] * 2000

    run(work)


def children() -> set[int]:
    """Processes that this thread has started, in any test, and that run."""
    started = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in started if is_running(int(pid))}


@pytest.mark.slow
def test_what_cannot_be_opened_at_first_is_an_error_and_leaves_no_process(file: Path, tmp_path: Path) -> None:
    async def work() -> None:
        with pytest.raises(ResnetkitError, match="no run folder or file"):
            async with open_served([to_serve(file), ToServe("other", str(tmp_path / "nothing"))], SETTINGS):
                raise AssertionError("it was opened")

    began, before = time.monotonic(), children()
    run(work)
    assert time.monotonic() - began < 60
    assert children() <= before


@pytest.mark.slow
def test_the_worker_ends_with_a_server_that_is_killed(file: Path) -> None:
    code = f"""
import asyncio
from resnetkit.serving.opening import ToServe
from resnetkit.serving.served_set import open_served
from resnetkit.serving.settings import ServerSettings
async def work():
    async with open_served([ToServe("small", {str(file)!r}, engine={ENGINE!r})], ServerSettings()) as opened:
        print(opened["small"].worker_pid, flush=True)
        await asyncio.sleep(100)
asyncio.run(work())
"""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    server = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    assert is_running(pid)
    server.kill()
    server.wait()
    server.stdout.close()
    ends = time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_names_are_of_one_each(file: Path) -> None:
    async def work() -> None:
        async with open_served([to_serve(file), to_serve(file)], SETTINGS):
            raise AssertionError("it was opened")

    with pytest.raises(ResnetkitError, match="two classifiers are to be served as 'small'"):
        run(work)


def test_neither_side_loads_torch() -> None:
    for module in ("served_set", "worker"):
        code = f"import sys, resnetkit.serving.{module}; print('torch' in sys.modules)"
        finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert finished.stdout.strip() == "False"
