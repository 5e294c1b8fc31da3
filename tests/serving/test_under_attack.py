"""A server under attack, in processes of its own, as a user starts it. ``make soak`` attacks it for longer."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.http_load import Reply, Request, send_all
from tests.serving import attacks
from tests.serving.attacks import Case, encode, images
from tests.serving.running import running
from tests.small_classifiers import small_classifier

from resnetkit.inference.predictors import open_predictor
from resnetkit.terminal import json_text

SOAKS = "SOAK" in os.environ
MIB = 2**20
pytestmark = pytest.mark.slow


def times(usual: int, soaking: int) -> int:
    """As many as usual, or as `make soak` asks for."""
    return soaking if SOAKS else usual


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small classifier."""
    file = tmp_path_factory.mktemp("served") / "small.safetensors"
    small_classifier().save(file)
    return file


@pytest.fixture(scope="module")
def good(file: Path) -> list[Case]:
    """Images with their right answers, as `predict --format jsonl` writes them."""
    return right_answers(file, images(200))


def right_answers(file: Path, bodies: list[bytes]) -> list[Case]:
    predictor = open_predictor(file, engine="onnxruntime", tell=lambda _: None)
    rows = [replace(row, source="0") for row in predictor.predict(bodies)]
    assert len({row.top for row in rows}) == len(rows), "answers that are alike could be swapped unseen"
    return [Case(body, json_text(row.as_row())) for body, row in zip(bodies, rows, strict=True)]


def test_every_answer_is_right_and_none_is_lost_and_memory_does_not_grow(file: Path, good: list[Case]) -> None:
    with running([file], "--engine", "onnxruntime") as server:
        attacks.ask_many(server.address, good, 2000)  # what is set up once is
        before = server.memory_bytes()
        findings = attacks.ask_many(server.address, good, times(20_000, 200_000), concurrency=32)
        grown = server.memory_bytes() - before
    assert str(findings) == ""
    assert grown < 32 * MIB, f"{grown / MIB:.0f} MiB more"


def test_none_of_its_processes_has_torch_in_memory(file: Path) -> None:
    with running([file], "--engine", "onnxruntime") as server:
        maps = {pid: Path(f"/proc/{pid}/maps").read_text() for pid in server.processes()}
    assert len(maps) == 2
    assert [pid for pid, text in maps.items() if "/torch/lib/" in text] == []


def test_overload_is_refused_at_once(file: Path, good: list[Case]) -> None:
    with running([file], "--engine", "onnxruntime", "--max-requests", "16") as server:
        attacks.ask_many(server.address, good, 200, concurrency=4)
        slowest_ms = times(250, 100)  # other tests share the machine; a soak has it to itself
        findings = attacks.overload(server.address, good, times(4000, 40_000), concurrency=64, slowest_ms=slowest_ms)
    assert str(findings) == ""


@pytest.mark.parametrize("number", range(times(20, 100)))
def test_a_server_that_is_stopped_answers_what_it_has_accepted(file: Path, good: list[Case], number: int) -> None:
    with running([file], "--engine", "onnxruntime") as server:
        findings = attacks.drain(server.address, server.process.pid, lambda: server.process.wait(60), good)
        assert server.processes() == []
    assert str(findings) == ""


def test_a_worker_that_is_killed_takes_only_its_own_requests_with_it(file: Path, good: list[Case]) -> None:
    with running([file], "--engine", "onnxruntime") as server:
        findings = attacks.kill(server.address, server.worker, server.is_ready, good, times=20)
    assert str(findings) == ""


def test_slow_clients_are_sent_away_and_others_answered_meanwhile(file: Path, good: list[Case]) -> None:
    with running([file], "--engine", "onnxruntime") as server:
        findings = attacks.send_slowly(server.address, good, times(200, 600), within_seconds=45)
    assert str(findings) == ""


def test_memory_is_bounded_under_large_images(file: Path) -> None:
    """16 images of 80 megapixels at once: one alone takes 240 MB decoded."""
    large = encode(np.zeros((8000, 10_000, 3), np.uint8), "JPEG")
    most, stop = 0, threading.Event()
    statuses: list[int] = []
    with running([file], "--engine", "onnxruntime", "--max-pixels", "100000000", "--deadline", "300") as server:

        def watch() -> None:
            nonlocal most
            while not stop.wait(0.05):
                most = max(most, server.memory_bytes())

        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)

            def seen(request: Request, reply: Reply) -> None:
                statuses.append(reply.status)

            send_all(server.address, (Request(i, large) for i in range(32)), concurrency=16, seen=seen)
            stop.set()
            watching.result()
    assert 200 in statuses
    assert set(statuses) <= {200, 503}, "where more wait than may, they are to come again"
    assert most < 1100 * MIB, f"{most / MIB:.0f} MiB"


def test_a_file_that_is_replaced_amid_requests_loses_none(tmp_path: Path) -> None:
    """Each answer is of the old file or of the new one, and in the end of the new one."""
    file, other = tmp_path / "served.safetensors", tmp_path / "other.safetensors"
    small_classifier().save(file)
    small_classifier(seed=1).save(other)
    bodies = images(50)
    old, new = right_answers(file, bodies), right_answers(other, bodies)
    answers: list[tuple[int, str]] = []
    stop = threading.Event()

    def requests():
        number = 0
        while not stop.is_set():
            yield Request(number % len(bodies), bodies[number % len(bodies)], content_type="image/png")
            number += 1

    def seen(request: Request, reply: Reply) -> None:
        row = reply.body.decode()
        which = "old" if row == old[request.key].row else "new" if row == new[request.key].row else "wrong"
        answers.append((reply.status, which))

    with running([file], "--engine", "onnxruntime") as server:
        load = threading.Thread(target=lambda: send_all(server.address, requests(), concurrency=8, seen=seen))
        load.start()
        time.sleep(0.5)
        os.replace(other, file)
        ends = time.monotonic() + 60
        while time.monotonic() < ends and answers[-1][1] != "new":
            time.sleep(0.1)
        time.sleep(0.5)
        stop.set()
        load.join()
    assert {status for status, _ in answers} == {200}
    assert {which for _, which in answers} == {"old", "new"}
    assert {which for _, which in answers[-20:]} == {"new"}


def test_a_second_signal_ends_it_at_once(file: Path) -> None:
    with running([file], "--engine", "onnxruntime") as server:
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) in (0, 143)
        assert server.processes() == []
