"""The attacks notice what they are for: a server with that fault planted does not pass them."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.serving import attacks
from tests.serving.attacks import Case, Findings, images
from tests.serving.faulty_server import FAULTS, row_of

SCRIPT = Path(__file__).with_name("faulty_server.py")
NUM_TRIES = 5
GOOD = [Case(body, row_of(body)) for body in images(20)]


@dataclass
class Faulty:
    """A faulty server that runs."""

    process: subprocess.Popen[str]
    address: tuple[str, int]

    def worker(self) -> int:
        with urllib.request.urlopen(f"http://{self.address[0]}:{self.address[1]}/worker") as answer:
            return int(json.load(answer)["pid"])


@contextmanager
def faulty(fault: str, most: int = 1000) -> Iterator[Faulty]:
    with subprocess.Popen([sys.executable, SCRIPT, fault, str(most)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Faulty(process, ("127.0.0.1", int(process.stdout.readline())))
        finally:
            process.kill()


def ask_many(fault: str) -> Findings:
    with faulty(fault) as server:
        return attacks.ask_many(server.address, GOOD, 1000)


def overload(fault: str) -> Findings:
    with faulty(fault, most=4) as server:
        return attacks.overload(server.address, GOOD, 400, concurrency=16, slowest_ms=100)


def drain(fault: str) -> Findings:
    with faulty(fault) as server:
        return attacks.drain(server.address, server.process.pid, server.process.wait, GOOD)


def kill(fault: str) -> Findings:
    with faulty(fault) as server:
        return attacks.kill(server.address, server.worker, lambda: server.worker() > 0, GOOD, times=2, patience=3)


def send_slowly(fault: str) -> Findings:
    with faulty(fault) as server:
        return attacks.send_slowly(server.address, GOOD, 12, within_seconds=3)


ATTACKS: dict[Callable[[str], Findings], tuple[str, ...]] = {
    ask_many: ("swap", "lose", "accept", "speechless"),
    overload: ("late", "no_retry", "endless"),
    drain: ("abandon", "code"),
    kill: ("stay_dead", "wrong_after_kill"),
    send_slowly: ("hold",),
}


def test_every_fault_is_attacked() -> None:
    assert {fault for faults in ATTACKS.values() for fault in faults} == FAULTS.keys() - {"none"}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_server_without_a_fault_withstands(attack: Callable[[str], Findings]) -> None:
    assert str(attack("none")) == ""


@pytest.mark.slow
@pytest.mark.parametrize(("attack", "fault"), [(a, fault) for a, faults in ATTACKS.items() for fault in faults])
def test_a_fault_is_found(attack: Callable[[str], Findings], fault: str) -> None:
    """In one of a few tries: on a busy machine the moment that a fault takes may pass between two requests."""
    assert any(attack(fault) for _ in range(NUM_TRIES))
