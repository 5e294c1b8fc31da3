"""The process that explains is there while it is needed, does one thing at a time, and holds nothing up."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path

import pytest
from tests.serving.conftest import ENGINE, SETTINGS, Known, is_running, run, until

from resnetkit.errors import ResnetkitError
from resnetkit.serving import explaining_process as module
from resnetkit.serving.explaining_process import ExplainingProcess
from resnetkit.serving.opening import ToServe
from resnetkit.serving.served import DeadlinePassed, Overloaded
from resnetkit.serving.served_set import open_served

FAKE = """
import os, socket, sys, threading, time
from resnetkit.serving.channel import Channel
channel = Channel(socket.socket(fileno=int(sys.argv[1])))
channel.read()
channel.send({"kind": "open", "version": str(os.getpid())})
while (frame := channel.read()) is not None and frame.head["kind"] != "end":
    if frame.head["kind"] == "explain":
        began = time.monotonic()
        time.sleep(frame.head["asked"]["seconds"])
        values = {"began": began, "ended": time.monotonic()}
        channel.send({"kind": "answer", "number": frame.head["number"], "values": values}, [frame.blobs[0], b"image"])
"""


@pytest.fixture(autouse=True)
def _fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "file" not in request.fixturenames:
        monkeypatch.setattr(module, "START", FAKE)


def process() -> ExplainingProcess:
    return ExplainingProcess(ToServe("fake", "fake"), SETTINGS)


def soon(seconds: float = 30) -> float:
    return time.monotonic() + seconds


def test_one_at_a_time_and_more_than_a_few_are_refused() -> None:
    async def work() -> None:
        explaining = process()
        asked = [explaining.explain(b"image", {"seconds": 0.02}, deadline=soon()) for _ in range(8)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [dict] * module.MAX_ASKED + [Overloaded] * 3
        done = sorted((outcome["began"], outcome["ended"]) for outcome in outcomes if isinstance(outcome, dict))
        assert all(one[1] <= other[0] for one, other in pairwise(done))
        assert len({outcome["version"] for outcome in outcomes if isinstance(outcome, dict)}) == 1  # one process
        assert outcomes[0]["overlay"] == "aW1hZ2U="
        await explaining.stop()

    run(work)


def test_what_takes_too_long_ends_with_its_process_and_the_next_is_explained() -> None:
    async def work() -> None:
        explaining = process()
        first = await explaining.explain(b"image", {"seconds": 0}, deadline=soon())
        with pytest.raises(DeadlinePassed):
            await explaining.explain(b"image", {"seconds": 100}, deadline=soon(0.1))
        waiting = asyncio.create_task(explaining.explain(b"image", {"seconds": 100}, deadline=soon()))
        await asyncio.sleep(0.5)
        waiting.cancel()
        await asyncio.wait([waiting])
        last = await explaining.explain(b"image", {"seconds": 0}, deadline=soon())
        assert first["version"] != last["version"]
        await explaining.stop()
        assert not is_running(int(first["version"]))
        assert not is_running(int(last["version"]))

    run(work)


def test_it_ends_when_it_has_been_idle_and_when_the_classifier_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.1)

    async def work() -> None:
        explaining = process()
        first = await explaining.explain(b"image", {"seconds": 0.3}, deadline=soon())
        await until(lambda: not is_running(int(first["version"])))
        at_work = asyncio.create_task(explaining.explain(b"image", {"seconds": 0.3}, deadline=soon()))
        await asyncio.sleep(0.1)
        explaining.renew()
        second, third = await asyncio.gather(at_work, explaining.explain(b"image", {"seconds": 0}, deadline=soon()))
        assert len({first["version"], second["version"], third["version"]}) == 3
        await explaining.stop()
        for each in (second, third):
            assert not is_running(int(each["version"]))

    run(work)


@pytest.mark.slow
def test_a_served_classifier_explains_beside_its_answers(file: Path, known: Known) -> None:
    async def work() -> None:
        async with open_served([ToServe("small", str(file), engine=ENGINE)], SETTINGS) as opened:
            served = opened["small"]
            explaining = asyncio.create_task(served.explain(known.files[0], {}, deadline_seconds=100))
            known.check([0, 1], await served.answer_files(known.files[:2], deadline_seconds=60))
            explained = await explaining
            assert explained["version"] == served.version
            expected = known.expected[0]
            assert expected is not None
            assert explained["class"] == served.description.class_names[int(expected.argmax())]
            assert explained["probability"] == pytest.approx(float(expected.max()), abs=1e-6)
            with pytest.raises(ResnetkitError, match="unknown class"):
                await served.explain(known.files[0], {"class_name": "none"}, deadline_seconds=100)
            with pytest.raises(ResnetkitError, match="the image is not a"):
                await served.explain(known.files[9], {}, deadline_seconds=100)

    run(work)
