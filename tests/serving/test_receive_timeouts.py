"""Clients that are slow, endless or rude, against a real socket: each is closed, and holds up nobody else."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from tests.fake_served import FakeServed, picture

from resnetkit.serving import receive_timeouts
from resnetkit.serving.front import Front
from resnetkit.serving.receive_timeouts import MAX_HEAD_BYTES, MAX_PIPELINED
from resnetkit.serving.server import Server, bind
from resnetkit.serving.settings import ServerSettings

PATIENCE = 10  # seconds, beyond which a connection counts as never closed
SLOW = 0.5
IMAGE = picture(1)
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(IMAGE)
WHOLE = HEAD + IMAGE
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def running(
    served: FakeServed, **settings: Any
) -> AsyncIterator[tuple[Server, Callable[[], Awaitable[Connection]]]]:
    """A server on a port of its own, and what connects to it."""
    front = Front.of([served], ServerSettings(**{"receive_seconds": SLOW, "drain_seconds": 3, **settings}))
    bound = bind("127.0.0.1", 0)
    server, is_ready = Server(front, tell_ready=lambda: None), asyncio.Event()
    server._tell_ready = is_ready.set
    host, port = bound.getsockname()
    work = asyncio.create_task(server._serve([bound]))
    await is_ready.wait()
    try:
        yield server, lambda: asyncio.open_connection(host, port)
    finally:
        server.handle_exit(15, None)
        await work


def against(clients: Callable[..., Awaitable[None]], served: FakeServed | None = None, **settings: Any) -> None:
    async def run() -> None:
        async with running(served or FakeServed(), **settings) as (server, connect):
            await asyncio.wait_for(clients(server, connect), PATIENCE)

    asyncio.run(run())


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server closes."""
    came = b""
    with suppress(ConnectionError):
        while chunk := await reader.read(1 << 16):
            came += chunk
    return came


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


async def trickle(writer: asyncio.StreamWriter, start: bytes, more: bytes = b"a") -> None:
    """Send a start, then a little again and again."""
    writer.write(start)
    try:
        while True:
            await asyncio.sleep(0.02)
            writer.write(more)
            await writer.drain()
    except ConnectionError:
        pass


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(autouse=True)
def _short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_timeouts, "LINGER_SECONDS", 0.2)


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET /", b"a"),
        (b"GET / HTTP/1.1\r\nA: ", b"b"),
        (b"GET / HTTP/1.1\r\n", b"A: b\r\n"),
        (HEAD, b"b"),
        (HEAD.replace(b"Content-Length: %d" % len(IMAGE), b"Transfer-Encoding: chunked"), b"1\r\nb\r\n"),
    ],
)
def test_heads_and_bodies_that_trickle_are_closed_with_408(start: bytes, more: bytes) -> None:
    async def clients(server: Server, connect: Any) -> None:
        reader, writer = await connect()
        work = asyncio.create_task(trickle(writer, start, more))
        answer = await rest_of(reader)
        work.cancel()
        assert status_of(answer) == 408
        body = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert answer.count(b"HTTP/1.1") == 1
        assert "in time" in body["error"]["what"]

    against(clients)


def test_many_slow_ones_hold_up_nobody_and_all_are_closed() -> None:
    async def clients(server: Server, connect: Any) -> None:
        slow = [await connect() for _ in range(200)]
        for number, (_, writer) in enumerate(slow):
            writer.write((b"GET / HTTP/1.1\r\nA", HEAD + b"x", b"")[number % 3])
        reader, writer = await connect()
        for _ in range(5):
            writer.write(WHOLE)
            assert (await answer_of(reader))[0] == 200
        ends = await asyncio.gather(*(rest_of(reader) for reader, _ in slow))
        assert [end and status_of(end) for end in ends] == [(408, 408, b"")[number % 3] for number in range(200)]
        writer.close()
        await writer.wait_closed()
        while server.server_state.connections:
            await asyncio.sleep(0.01)

    against(clients)


def test_one_that_takes_its_time_between_requests_is_served() -> None:
    async def clients(server: Server, connect: Any) -> None:
        reader, writer = await connect()
        for _ in range(2):
            writer.write(WHOLE[:40])
            await asyncio.sleep(SLOW / 4)
            writer.write(WHOLE[40:])
            assert (await answer_of(reader))[0] == 200
            await asyncio.sleep(1.5 * SLOW)

    against(clients)


def test_a_connection_that_is_not_used_is_closed() -> None:
    async def clients(server: Server, connect: Any) -> None:
        reader, writer = await connect()
        writer.write(HEALTH)
        assert (await answer_of(reader))[0] == 200
        assert await rest_of(reader) == b""

    against(clients, keep_alive_seconds=1)


def test_a_head_without_end_is_cut_off() -> None:
    async def clients(server: Server, connect: Any) -> None:
        for start in (b"GET /" + b"a" * (2 * MAX_HEAD_BYTES), b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * MAX_HEAD_BYTES):
            reader, writer = await connect()
            writer.write(start)
            answer = await rest_of(reader)
            assert status_of(answer) == 431

    against(clients, receive_seconds=5)


def test_pipelined_requests_are_answered_in_order() -> None:
    served = FakeServed()

    async def clients(server: Server, connect: Any) -> None:
        served.gate = asyncio.Event()
        reader, writer = await connect()
        writer.write(WHOLE + HEALTH + WHOLE + HEALTH)
        while not served.num_waiting:
            await asyncio.sleep(0.01)
        served.gate.set()
        answers = [await answer_of(reader) for _ in range(4)]
        assert [status for status, _, _ in answers] == [200] * 4
        assert [b"probability" in body for _, _, body in answers] == [True, False, True, False]

    against(clients, served)


def test_what_is_no_http_is_told_so_but_never_in_the_place_of_another_answer() -> None:
    served = FakeServed()

    async def clients(server: Server, connect: Any) -> None:
        reader, writer = await connect()
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        assert status_of(await rest_of(reader)) == 400
        served.gate = asyncio.Event()
        reader, writer = await connect()
        writer.write(WHOLE + b"rubbish \x00\r\n\r\n")
        while not served.num_waiting:
            await asyncio.sleep(0.01)
        served.gate.set()
        answer = await rest_of(reader)
        assert status_of(answer) == 200
        assert answer.count(b"HTTP/1.1") == 1

    against(clients, served)


def test_a_slow_second_head_does_not_answer_for_the_first() -> None:
    served = FakeServed()

    async def clients(server: Server, connect: Any) -> None:
        served.gate = asyncio.Event()
        reader, writer = await connect()
        writer.write(WHOLE + b"GET /hea")
        await asyncio.sleep(2 * SLOW)
        served.gate.set()
        answer = await rest_of(reader)
        assert status_of(answer) == 200
        assert answer.count(b"HTTP/1.1") == 1

    against(clients, served)


def test_more_pipelined_requests_than_may_wait_are_not_taken() -> None:
    served = FakeServed()

    async def clients(server: Server, connect: Any) -> None:
        served.gate = asyncio.Event()
        reader, writer = await connect()
        writer.write(WHOLE + HEALTH * (10 * MAX_PIPELINED))
        while not served.num_waiting:
            await asyncio.sleep(0.01)
        served.gate.set()
        assert (await rest_of(reader)).count(b"HTTP/1.1 200") == 1 + MAX_PIPELINED

    against(clients, served)


def test_smuggled_lengths_are_refused() -> None:
    async def clients(server: Server, connect: Any) -> None:
        for twice in (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Content-Length: 5\r\nContent-Length: 6"):
            reader, writer = await connect()
            writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\n" + twice + b"\r\n\r\n0\r\n\r\n")
            assert status_of(await rest_of(reader)) == 400

    against(clients)


def test_connections_beyond_the_limit_are_refused_and_others_go_on() -> None:
    async def clients(server: Server, connect: Any) -> None:
        taken = [await connect() for _ in range(3)]
        for reader, writer in taken:
            writer.write(HEALTH)
            assert (await answer_of(reader))[0] == 200
        reader, _ = await connect()
        answer = await rest_of(reader)
        assert status_of(answer) == 503
        assert b"retry-after: 1" in answer
        reader, writer = taken[0]
        writer.write(HEALTH)
        assert (await answer_of(reader))[0] == 200

    against(clients, max_connections=3)


def test_the_rest_of_a_refused_body_is_thrown_away_and_the_connection_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_timeouts, "LINGER_SECONDS", 5.0)

    async def clients(server: Server, connect: Any) -> None:
        reader, writer = await connect()
        size = 3_000_000
        writer.write(b"POST /predict HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % size)
        assert (await answer_of(reader))[0] == 413
        writer.write(b"x" * size + HEALTH)
        assert (await answer_of(reader))[0] == 200

    against(clients, max_request_bytes=1000)


def test_a_rest_that_never_comes_is_not_waited_for() -> None:
    async def clients(server: Server, connect: Any) -> None:
        reader, writer = await connect()
        work = asyncio.create_task(trickle(writer, b"GET /healthz HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"))
        assert (await answer_of(reader))[0] == 200
        assert await rest_of(reader) == b""
        work.cancel()

    against(clients, receive_seconds=5)


def test_one_that_never_reads_its_answer_is_cut_off() -> None:
    served = FakeServed()
    large = "x" * 30_000_000

    async def explain(file: bytes, asked: Any, *, deadline_seconds: float) -> Any:
        return {"overlay": large}

    served.explain = explain  # type: ignore[method-assign]

    async def clients(server: Server, connect: Any) -> None:
        _, writer = await connect()
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.transport.pause_reading()
        writer.write(WHOLE.replace(b"/predict", b"/explain"))
        await asyncio.sleep(SLOW / 2)
        assert len(server.server_state.connections) == 1
        while server.server_state.connections:
            await asyncio.sleep(0.01)

    against(clients, served)


def test_a_client_that_goes_away_is_not_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    async def clients(server: Server, connect: Any) -> None:
        _, writer = await connect()
        writer.write(HEAD + b"x")
        while not server._front.num_open:
            await asyncio.sleep(0.01)
        writer.transport.abort()
        while server._front.num_open:
            await asyncio.sleep(0.01)
        assert server._front.held.now == 0

    against(clients)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["status"] == 499


def test_a_client_is_told_to_go_on_with_its_body_only_where_it_is_wanted() -> None:
    expecting = HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")

    async def clients(server: Server, connect: Any) -> None:
        reader, writer = await connect()
        writer.write(expecting)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(IMAGE)
        assert (await answer_of(reader))[0] == 200
        writer.write(expecting.replace(b"image/png", b"text/plain"))
        assert (await answer_of(reader))[0] == 415

    against(clients)
