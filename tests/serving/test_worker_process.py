"""A worker's process seen from outside: whatever it does, each request is answered or told why not, and soon."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.serving.conftest import is_running, run, until

from resnetkit.errors import ResnetkitError
from resnetkit.serving.served import DeadlinePassed, NotAnswered, WorkerLost
from resnetkit.serving.worker_process import WorkerProcess

# A worker that opens at once and does what it is asked; it needs none of what makes the real one slow to start.
FAKE = """
import os, socket, sys, time
from resnetkit.serving.channel import Channel
channel = Channel(socket.socket(fileno=int(sys.argv[1])))
order = channel.read()
given_up = 0
if order.head.get("first"):
    exec(order.head["first"])
channel.send({"kind": "open", "may_begin_again": order.head["may_begin_again"]})
while (frame := channel.read()) is not None:
    head = frame.head
    if head["kind"] == "ping":
        channel.send({"kind": "pong", "busy_seconds": head.get("busy", 0.0)})
    elif head["kind"] == "give up":
        given_up += 1
    elif head["kind"] == "end":
        break
    elif head.get("do"):
        exec(head["do"])
    else:
        channel.send({"kind": "answer", "number": head["number"], "given_up": given_up}, frame.blobs)
"""


async def opened(first: str = "", hang_seconds: float = 30) -> WorkerProcess:
    process = await WorkerProcess.start(FAKE, hang_seconds=hang_seconds)
    await process.open({"first": first})
    return process


def soon(seconds: float = 30) -> float:
    return time.monotonic() + seconds


def test_answers_find_those_who_asked_and_it_ends_when_it_is_told_to() -> None:
    async def work() -> None:
        process = await opened()
        blobs = [bytes([number]) * (1 + number * 5000) for number in range(40)]
        frames = await asyncio.gather(*(process.ask({"kind": "files"}, [blob], deadline=soon()) for blob in blobs))
        assert [frame.blobs[0] for frame in frames] == blobs
        await process.end(within_seconds=10)
        assert process.gone.result() == "was ended"
        assert not is_running(process.pid)
        with pytest.raises(WorkerLost):
            await process.ask({"kind": "files"}, deadline=soon())

    run(work)


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
        ("os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
        ("os._exit(3)", "ended with exit code 3"),
        ("channel._connection.sendall(b'no frame' * 9); os._exit(0)", "ended with exit code 0"),
    ],
)
def test_whatever_ends_it_is_told_to_all_who_wait(deed: str, words: str) -> None:
    async def work() -> None:
        process = await opened()
        waiting = [asyncio.create_task(process.ask({"kind": "files", "do": "pass"}, deadline=soon())) for _ in range(3)]
        waiting.append(asyncio.create_task(process.ask({"kind": "files", "do": deed}, deadline=soon())))
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, WorkerLost)
            assert words in str(outcome)
        assert process.gone.result() == words
        assert process.num_waiting == 0

    run(work)


def test_a_deadline_passes_and_a_request_that_is_cancelled_is_given_up() -> None:
    async def work() -> None:
        process = await opened()
        with pytest.raises(DeadlinePassed):
            await process.ask({"kind": "files", "do": "pass"}, deadline=soon(0.05))
        waiting = asyncio.create_task(process.ask({"kind": "files", "do": "pass"}, deadline=soon()))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        frame = await process.ask({"kind": "files"}, deadline=soon())
        assert frame.head["given_up"] == 2
        assert process.num_waiting == 0
        await process.end(within_seconds=10)

    run(work)


@pytest.mark.parametrize(
    "deed",
    [
        "time.sleep(100)",  # no sign of life
        "channel.send({'kind': 'pong', 'busy_seconds': 99.0})",  # alive, but for one of its threads
    ],
)
def test_one_that_hangs_is_killed(deed: str) -> None:
    async def work() -> None:
        process = await opened(hang_seconds=0.4)
        with pytest.raises(WorkerLost, match=r"for 0\.4 s and was killed"):
            await process.ask({"kind": "files", "do": deed}, deadline=soon())
        assert not is_running(process.pid)

    run(work)


def test_one_that_does_not_end_when_it_is_told_to_is_killed() -> None:
    async def work() -> None:
        process = await opened()
        with pytest.raises(DeadlinePassed):
            await process.ask({"kind": "files", "do": "time.sleep(100)"}, deadline=soon(0.05))
        await process.end(within_seconds=0.1)
        assert not is_running(process.pid)

    run(work)


def test_why_it_does_not_open_is_told() -> None:
    refusal = "{'failure': 'ResnetkitError', 'code': 4, 'what': 'it is damaged', 'why': 'w', 'fix': 'f'}"

    async def work() -> None:
        with pytest.raises(ResnetkitError, match="it is damaged") as raised:
            await opened(f"channel.send({{'kind': 'not opened', **{refusal}}})")
        assert (raised.value.code, raised.value.why, raised.value.fix) == (4, "w", "f")
        with pytest.raises(WorkerLost, match="was ended by SIGKILL"):
            await opened("os.kill(os.getpid(), 9)")
        with pytest.raises(WorkerLost):
            await opened("channel._connection.sendall(b'no frame' * 9)")

    run(work)


def test_one_that_begins_again_is_told_the_same_once_more() -> None:
    again = (
        "order.head['may_begin_again'] and (channel.send({'kind': 'beginning again'}), "
        "os.execv(sys.executable, [sys.executable, '-c', sys.orig_argv[2], sys.argv[1]]))"
    )

    async def work() -> None:
        process = await WorkerProcess.start(FAKE, hang_seconds=30)
        assert (await process.open({"first": again})).head["may_begin_again"] is False
        assert (await process.ask({"kind": "files"}, deadline=soon())).head["kind"] == "answer"
        await process.end(within_seconds=10)

    run(work)


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = f"""
import asyncio, os
from resnetkit.serving.worker_process import WorkerProcess
async def work():
    process = await WorkerProcess.start({FAKE!r}, hang_seconds=30)
    await process.open({{}})
    print(process.pid, flush=True)
    await asyncio.sleep(100)
asyncio.run(work())
"""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    ends = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_what_it_refuses_is_raised_to_who_asked() -> None:
    async def work() -> None:
        process = await opened()
        tell = "channel.send({'kind': 'answer', 'number': head['number'], 'failure': 'NotAnswered', 'why': 'no'})"
        with pytest.raises(NotAnswered, match="no"):
            await process.ask({"kind": "files", "do": tell}, deadline=soon())
        await process.end(within_seconds=10)

    run(work)


def test_frames_that_nobody_waits_for_are_passed_over() -> None:
    async def work() -> None:
        process = await opened()
        tell = "[channel.send({'kind': 'answer', 'number': number}) for number in (head['number'], 99, head['number'])]"
        await process.ask({"kind": "files", "do": tell}, deadline=soon())
        await until(lambda: process.num_waiting == 0)
        assert (await process.ask({"kind": "files"}, deadline=soon())).head["kind"] == "answer"
        await process.end(within_seconds=10)

    run(work)
