"""Attacks on a server, each of which ends in a list of what was wrong: empty where the server withstood it.

They know the server by its address and processes alone, so that a faulty one can be attacked as well: an attack that
finds nothing there would be no test (``test_attacks.py``).
"""

import io
import itertools
import json
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from benchmarks.http_load import Reply, Request, send_all
from PIL import Image

from resnetkit.benchmarking.timing import percentile

Address = tuple[str, int]
BAD_SHARE = 0.1


@dataclass(frozen=True)
class Case:
    """A body to send and the reply that is right.

    Attributes:
        row: of the answer, as ``predict --format jsonl`` writes it; None for what must be refused.
        statuses: that are right.
    """

    body: bytes
    row: str | None
    statuses: tuple[int, ...] = (200,)
    content_type: str = "image/png"


def encode(pixels: np.ndarray, form: str = "PNG") -> bytes:
    """An image file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def images(number: int, side: int = 24) -> list[bytes]:
    """Image files, each unlike the others."""
    draw = np.random.default_rng(0)
    return [encode(draw.integers(0, 256, (side, side, 3), np.uint8)) for _ in range(number)]


def bad_cases() -> list[Case]:
    """Bodies that are no images, or not whole, or too large."""
    good = images(1)[0]
    jpeg = encode(np.zeros((64, 64, 3), np.uint8), "JPEG")
    bomb = bytearray(good)
    bomb[16:24] = (100_000).to_bytes(4, "big") * 2  # width and height of a PNG's head
    return [
        Case(b"", None, (400, 422)),
        Case(b"no image at all", None, (422,)),
        Case(good[: len(good) // 2], None, (422,)),
        Case(jpeg[:200], None, (422,), "image/jpeg"),
        Case(bytes(bomb), None, (413, 422)),
        Case(good, None, (415,), "text/html"),
        Case(b'{"images": [', None, (400,), "application/json"),
        Case(b"--x\r\nbroken", None, (400,), "multipart/form-data; boundary=x"),
    ]


def mixed(good: Sequence[Case], number: int, seed: int = 0) -> Iterator[Request]:
    """Requests in a random order, one in ten of them bad; ``key`` is the place in ``good``, then in the bad ones."""
    draw, bad = random.Random(seed), bad_cases()
    for _ in range(number):
        if draw.random() < BAD_SHARE:
            place = draw.randrange(len(bad))
            yield Request(len(good) + place, bad[place].body, content_type=bad[place].content_type)
        else:
            place = draw.randrange(len(good))
            yield Request(place, good[place].body, content_type=good[place].content_type)


@dataclass
class Findings:
    """Everything that was wrong, by kind, with an example of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, example: str = "") -> None:
        self.counts[kind] += 1
        self.examples.setdefault(kind, example)

    def __str__(self) -> str:
        return "; ".join(f"{number} {kind} (e.g. {self.examples[kind]})" for kind, number in self.counts.items())

    def __bool__(self) -> bool:
        return bool(self.counts)


def judge(case: Case, reply: Reply, findings: Findings, *, allowed: Sequence[int] = ()) -> None:
    """Hold a reply against what is right."""
    if reply.status in allowed:
        return
    if reply.status == 0:
        findings.add("lost", f"after {reply.seconds:.2f} s")
    elif reply.status not in case.statuses:
        findings.add(f"status {reply.status} in place of {case.statuses}", reply.body[:300].decode(errors="replace"))
    elif case.row is not None and reply.body.decode() != case.row:
        findings.add("wrong answer", f"{reply.body[:200]!r} in place of {case.row[:200]!r}")
    elif case.row is None and not {"what", "why", "fix"} <= json.loads(reply.body).get("error", {}).keys():
        findings.add("no words", reply.body[:200].decode(errors="replace"))


def ask_many(
    address: Address, good: Sequence[Case], number: int, *, concurrency: int = 32, allowed: Sequence[int] = ()
) -> Findings:
    """Send so many requests, one in ten of them bad, and check each reply."""
    findings, cases = Findings(), [*good, *bad_cases()]
    answered = 0

    def seen(request: Request, reply: Reply) -> None:
        nonlocal answered
        answered += 1
        judge(cases[request.key], reply, findings, allowed=allowed)

    send_all(address, mixed(good, number), concurrency=concurrency, seen=seen)
    if answered != number:
        findings.add("unanswered", f"{number - answered} of {number}")
    return findings


def overload(address: Address, good: Sequence[Case], number: int, *, concurrency: int, slowest_ms: float) -> Findings:
    """More requests than may wait: what is refused is refused at once, and says when to come again."""
    findings, refused, num_answered = Findings(), [], 0

    def seen(request: Request, reply: Reply) -> None:
        nonlocal num_answered
        if reply.status != 503:
            num_answered += reply.status == 200
            judge(good[request.key], reply, findings)
            return
        refused.append(reply.seconds)
        if not reply.headers.get("retry-after", "").isdigit():
            findings.add("no Retry-After", str(reply.headers))

    requests = (Request(i % len(good), good[i % len(good)].body, content_type="image/png") for i in range(number))
    send_all(address, requests, concurrency=concurrency, seen=seen)
    if not refused:
        findings.add("nothing was refused", f"{number} requests")
    if not num_answered:
        findings.add("nothing was answered", f"{number} requests")
    slow = 1000 * percentile(refused or [0.0], 0.99)
    if slow > slowest_ms:
        findings.add("refused late", f"p99 {slow:.0f} ms of {len(refused)}")
    return findings


def drain(address: Address, pid: int, wait: Callable[[], int], good: Sequence[Case], *, clients: int = 32) -> Findings:
    """SIGTERM amid requests: what was accepted is answered, what comes after is refused, and it ends with 0."""
    findings, told_at = Findings(), float("inf")

    def seen(request: Request, reply: Reply) -> None:
        came_after = reply.began > told_at
        judge(good[request.key], reply, findings, allowed=(503, 0) if came_after else (503,))

    stop = threading.Event()
    places = itertools.count()

    def requests() -> Iterator[Request]:
        while not stop.is_set():
            place = next(places) % len(good)
            yield Request(place, good[place].body, content_type="image/png")

    load = threading.Thread(
        target=lambda: send_all(address, requests(), concurrency=clients, seen=seen), daemon=True, name="load"
    )
    load.start()
    time.sleep(0.3)
    told_at = time.perf_counter()
    os.kill(pid, signal.SIGTERM)
    code = wait()
    stop.set()
    load.join(10)
    if code != 0:
        findings.add("exit code", str(code))
    if load.is_alive():
        findings.add("a client hangs", "10 s after the server ended")
    return findings


def kill(
    address: Address,
    find_worker: Callable[[], int],
    is_ready: Callable[[], bool],
    good: Sequence[Case],
    *,
    times: int,
    patience: float = 60,
) -> Findings:
    """SIGKILL the worker amid requests: each is answered rightly, or by 500 or 503; then it is ready again."""
    findings, stop, lost = Findings(), threading.Event(), 0

    def seen(request: Request, reply: Reply) -> None:
        nonlocal lost
        lost += reply.status == 500
        if reply.status in (500, 503):
            words = json.loads(reply.body).get("error", {})
            if not words.get("what"):
                findings.add("no words", reply.body[:200].decode(errors="replace"))
            return
        judge(good[request.key], reply, findings)

    def requests() -> Iterator[Request]:
        for place in itertools.count():
            if stop.is_set():
                return
            yield Request(place % len(good), good[place % len(good)].body, content_type="image/png")

    load = threading.Thread(
        target=lambda: send_all(address, requests(), concurrency=8, seen=seen), daemon=True, name="load"
    )
    load.start()
    for number in range(times):
        time.sleep(0.2)
        before = find_worker()
        assert before > 0, "0 would be this process and all of its group"
        os.kill(before, signal.SIGKILL)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and not (is_ready() and find_worker() not in (0, before)):
            time.sleep(0.02)
        if time.monotonic() >= deadline:
            findings.add("not ready again", f"after kill {number + 1}")
            break
    stop.set()
    load.join(30)
    if load.is_alive():
        findings.add("a client hangs", "30 s after the last kill")
    return findings


def send_slowly(address: Address, good: Sequence[Case], number: int, *, within_seconds: float) -> Findings:
    """Clients that stop in a head or a body, or trickle: each is sent away, and others are answered meanwhile."""
    findings = Findings()
    length = len(good[0].body)
    lines = ("POST /predict HTTP/1.1", "Host: localhost", "Content-Type: image/png", f"Content-Length: {length}")
    head = "\r\n".join([*lines, "", ""]).encode()
    beginnings = [head[:20], head + good[0].body[:10], head]
    held = []
    for i in range(number):
        connection = socket.create_connection(address, timeout=within_seconds + 10)
        connection.sendall(beginnings[i % 3])
        held.append(connection)
    began = time.monotonic()
    trickling = threading.Event()

    def trickle() -> None:
        """Every third sends a byte of its body now and then."""
        position = 0
        while not trickling.wait(0.2):
            for connection in held[2::3]:
                try:
                    connection.sendall(good[0].body[position : position + 1])
                except OSError:
                    continue
            position += 1

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    beside = ask_many(address, good, 200, concurrency=4)
    if beside:
        findings.add("others are not answered", str(beside))
    for connection in held:
        try:
            connection.settimeout(max(0.1, within_seconds - (time.monotonic() - began)))
            answer = connection.recv(65536)
        except TimeoutError:
            findings.add("held", f"for {within_seconds} s")
            break
        except OSError:
            continue  # cut off: sent away, if rudely
        if not answer.startswith(b"HTTP/1.1 408"):
            findings.add("no 408", answer[:60].decode("latin-1") or "the end")
    trickling.set()
    thread.join()
    for connection in held:
        connection.close()
    return findings
