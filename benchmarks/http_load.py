"""Clients of an HTTP server, as many as wanted in one process: they keep their connections and count what comes back.

Lean, because on a small machine they share the cores with the server that they measure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """A request to send.

    Attributes:
        key: by which the caller knows it again.
    """

    key: int
    body: bytes
    path: str = "/predict"
    content_type: str = "image/jpeg"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Reply:
    """A reply to a request, or that there was none.

    Attributes:
        status: 0 where the connection ended before all of it had come.
        seconds: from the first byte sent to the last one received.
        began: on the clock of ``time.perf_counter``.
    """

    key: int
    status: int
    body: bytes
    seconds: float
    began: float
    headers: dict[str, str]


Seen = Callable[[Request, Reply], None]


def send_all(address: tuple[str, int], requests: Iterable[Request], *, concurrency: int, seen: Seen) -> float:
    """Send requests from so many clients, each of which waits for its reply; returns the seconds that all took."""
    return asyncio.run(_send_all(address, iter(requests), concurrency, seen))


async def _send_all(address: tuple[str, int], requests: Iterator[Request], concurrency: int, seen: Seen) -> float:
    began = time.perf_counter()
    async with asyncio.TaskGroup() as clients:
        for _ in range(concurrency):
            clients.create_task(_be_client(address, requests, seen))
    return time.perf_counter() - began


async def _be_client(address: tuple[str, int], requests: Iterator[Request], seen: Seen) -> None:
    connection: Connection | None = None
    for request in requests:  # shared among all clients: each takes the next
        connection = connection or await Connection.open(address)
        # Never sent a second time: what was lost is to be seen.
        reply = _lost(request, time.perf_counter()) if connection is None else await connection.ask(request)
        if connection is not None and (reply.status == 0 or reply.headers.get("connection", "").lower() == "close"):
            connection.close()
            connection = None
        seen(request, reply)
    if connection is not None:
        connection.close()


def _lost(request: Request, began: float) -> Reply:
    return Reply(request.key, 0, b"", time.perf_counter() - began, began, {})


class Connection:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader, self._writer, self._host = reader, writer, host

    @classmethod
    async def open(cls, address: tuple[str, int]) -> Connection | None:
        """Connect; None where nobody listens."""
        try:
            reader, writer = await asyncio.open_connection(*address)
        except OSError:
            return None
        return cls(reader, writer, f"{address[0]}:{address[1]}")

    def close(self) -> None:
        """End it."""
        self._writer.close()

    async def ask(self, request: Request) -> Reply:
        """Send a request and wait for its reply."""
        began = time.perf_counter()
        lines = [f"POST {request.path} HTTP/1.1", f"Host: {self._host}", f"Content-Type: {request.content_type}"]
        lines += [f"{name}: {value}" for name, value in request.headers]
        head = "\r\n".join([*lines, f"Content-Length: {len(request.body)}", "", ""])
        try:
            self._writer.write(head.encode() + request.body)
            answer = await self._reader.readuntil(b"\r\n\r\n")
            first, *rest = answer.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return _lost(request, began)
        return Reply(request.key, int(first.split()[1]), body, time.perf_counter() - began, began, headers)
