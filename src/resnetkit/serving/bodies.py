"""Bodies of requests: read within limits of size and time, and counted as long as they are held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request

from resnetkit.serving.refusals import ClientGone, refuse
from resnetkit.serving.served import Overloaded
from resnetkit.serving.settings import ServerSettings

LEAST_BYTES_PER_SECOND = 100_000  # below which, after the first seconds, a client is too slow


@dataclass
class HeldBytes:
    """Memory that all requests of a server hold; bounded.

    Attributes:
        most: that may be held.
        now: that are held.
    """

    most: int
    now: int = 0

    def share(self) -> Share:
        """The share of a request, empty yet."""
        return Share(self)


@dataclass
class Share:
    """Memory that one request holds."""

    held: HeldBytes
    size: int = 0

    def take(self, num_bytes: int) -> None:
        """Count further bytes.

        Raises:
            Overloaded: where no more may be held.
        """
        if self.held.now + num_bytes > self.held.most:
            raise Overloaded("requests hold all the memory that they may")
        self.held.now += num_bytes
        self.size += num_bytes

    def give_back(self) -> None:
        """Count none of them any more."""
        self.held.now -= self.size
        self.size = 0


@asynccontextmanager
async def body_of(request: Request, settings: ServerSettings, held: HeldBytes) -> AsyncIterator[tuple[bytes, Share]]:
    """The body of a request, and the share of memory in which it is counted until the end of the block.

    Raises:
        Refused: for one that is too large, too slow, or compressed.
        Overloaded: where no more may be held.
        ClientGone: where it was not sent to its end.
    """
    if (coding := request.headers.get("content-encoding", "identity")) != "identity":
        raise refuse(415, f"bodies are not taken in content-encoding {coding!r}", fix="send it as it is")
    share = held.share()
    try:
        yield await _read(request, settings, share), share
    finally:
        share.give_back()


async def _read(request: Request, settings: ServerSettings, share: Share) -> bytes:
    most = settings.max_request_bytes
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise _too_large(most)
    began, chunks = asyncio.get_running_loop().time(), []
    try:
        async with asyncio.timeout_at(began + settings.receive_seconds) as clock:
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk = message.get("body", b"")
                share.take(len(chunk))
                chunks.append(chunk)
                if share.size > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    break
                clock.reschedule(began + settings.receive_seconds + share.size / LEAST_BYTES_PER_SECOND)
    except TimeoutError:
        raise refuse(
            408,
            "the body of the request did not come in time",
            why=f"{share.size:,} bytes came in {settings.receive_seconds:g} s and a second for each "
            f"{LEAST_BYTES_PER_SECOND:,}",
            fix="send it faster, or in parts",
        ) from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(most: int) -> Exception:
    return refuse(413, f"the body of the request has more than {most:,} bytes", fix="send fewer or smaller images")
