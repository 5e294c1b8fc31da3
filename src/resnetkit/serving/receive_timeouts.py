"""Limits that uvicorn lacks: on the time to send a request's head and to read an answer, and on the size of heads.

Bodies that somebody reads have a clock of their own, see :mod:`resnetkit.serving.bodies`.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from resnetkit.serving.refusals import refuse
from resnetkit.serving.request_log import Entry
from resnetkit.serving.settings import ServerSettings

MAX_HEAD_BYTES = 1 << 16
MAX_PIPELINED = 16  # requests on one connection that came before the answers of earlier ones
LINGER_SECONDS = 2.0  # for what still comes of a request that is answered: closed at once, the answer might be lost


def protocol_with(settings: ServerSettings) -> type[HttpToolsProtocol]:
    """The protocol with the limits of a server."""

    class Protocol(LimitedProtocol):
        limits = settings

    return Protocol


class LimitedProtocol(HttpToolsProtocol):
    """HTTP/1.1, closed to those who are slow.

    One clock runs at a time: for a head, from the connection's begin or the head's first byte on; or, where a request
    is answered before it has come whole, for its rest. What comes meanwhile does not set it back.
    """

    limits: ServerSettings

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._clock: asyncio.TimerHandle | None = None
        self._write_clock: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._is_in_head = self._is_in_message = self._is_deaf = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > 2 * self.limits.max_connections:
            transport.abort()
            return
        if len(self.connections) > self.limits.max_connections:
            self._end_with(503, f"{self.limits.max_connections:,} connections are open", {"retry-after": "1"})
            return
        self._start(self.limits.receive_seconds, self._close)  # of whom nothing is known yet: in silence

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop()
        if self._write_clock is not None:
            self._write_clock.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._is_deaf or self.transport.is_closing():
            return
        if not self._is_in_message and not self._is_in_head:
            self._begin_head()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._end_with(431, f"the head of the request has more than {MAX_HEAD_BYTES:,} bytes")

    def on_message_begin(self) -> None:
        """Note that a head begins, perhaps in the middle of what came."""
        super().on_message_begin()
        self._begin_head()

    def on_headers_complete(self) -> None:
        """Note that a head has ended."""
        self._is_in_head, self._is_in_message = False, True
        self._stop()
        if len(self.pipeline) >= MAX_PIPELINED:
            self._fall_silent()
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if not self._is_deaf:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request has come whole."""
        self._is_in_message, self._head_bytes = False, 0
        self._stop()
        if self._is_deaf:
            return
        super().on_message_complete()
        if self.cycle.response_complete:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.limits.keep_alive_seconds, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """Note that a request is answered; what is left of it may come for some seconds, and is thrown away."""
        super().on_response_complete()
        if self._is_in_message and not self.pipeline and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._start(LINGER_SECONDS, self._close)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nobody uses, or whose client does not read."""
        self._close()

    def pause_writing(self) -> None:
        """Give a client that does not read its answer some time."""
        super().pause_writing()
        if self._write_clock is None:
            self._write_clock = self.loop.call_later(self.limits.receive_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it has read."""
        super().resume_writing()
        if self._write_clock is not None:
            self._write_clock.cancel()
            self._write_clock = None

    def send_400_response(self, msg: str) -> None:
        """Tell that what came is no HTTP, where no answer to something earlier is due before."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if self.pipeline or (is_answering and not (self.cycle.more_body and not self.cycle.response_started)):
            self._fall_silent()
        else:
            self._end_with(400, "this is no HTTP/1.1 request")

    def _begin_head(self) -> None:
        if not self._is_in_head:
            self._is_in_head, self._head_bytes = True, 0
            self._start(self.limits.receive_seconds, self._time_out)

    def _time_out(self) -> None:
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering:  # to an earlier request; there is no place for another answer before it
            self._fall_silent()
        else:
            self._end_with(408, "the head of the request did not come in time")

    def _fall_silent(self) -> None:
        """Hear nothing more, and close once what was accepted is answered."""
        self._is_deaf = True
        self._stop()
        if self.cycle is None or self.cycle.response_complete:
            self._close()
        else:
            self.cycle.keep_alive = False

    def _end_with(self, status: int, what: str, headers: dict[str, str] | None = None) -> None:
        """Answer with an error and close, a little later: a client that is still sending would else not get it."""
        body = json.dumps({"error": refuse(status, what).error.as_dict()}).encode()
        told = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in told.items()]
        client = "" if self.client is None else str(self.client[0])
        Entry("", "", client, status=status, reason=what).tell()
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.transport.write_eof()
        self._is_deaf = True
        self._unset_keepalive_if_required()
        self._start(LINGER_SECONDS, self._close)

    def _close(self) -> None:
        """Close when all is written, or without if that takes too long."""
        self._stop()
        self._unset_keepalive_if_required()
        if not self.transport.is_closing():
            self.transport.close()
            self._write_clock = self._write_clock or self.loop.call_later(
                self.limits.receive_seconds, self.transport.abort
            )

    def _start(self, seconds: float, end: Any) -> None:
        self._stop()
        self._clock = self.loop.call_later(seconds, end)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
