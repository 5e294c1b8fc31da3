"""The running server: its socket, its signals, and its end, at which no accepted request is lost."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from types import FrameType

import uvicorn
from uvicorn.loops.auto import auto_loop_factory

from resnetkit.errors import Code, ResnetkitError
from resnetkit.serving.app import Application
from resnetkit.serving.authorization import TokenFile
from resnetkit.serving.front import Front
from resnetkit.serving.opening import ToServe
from resnetkit.serving.receive_timeouts import protocol_with
from resnetkit.serving.served_set import open_served
from resnetkit.serving.settings import ServerSettings

BACKLOG = 1024
LAST_SECONDS = 1.0  # of the time to drain, for answers to leave


def run_server(
    to_serve: Sequence[ToServe],
    settings: ServerSettings,
    bound: socket.socket,
    token_file: TokenFile | None,
    tell_ready: Callable[[Front], None],
) -> int:
    """Serve classifiers at a bound socket until a signal comes; the exit code.

    Args:
        tell_ready: called once, when all of them take requests.

    Raises:
        ResnetkitError: for a classifier that cannot be opened.
    """

    async def work() -> int:
        async with open_served(to_serve, settings) as served:
            front = Front.of(tuple(served.values()), settings, token_file)
            front.is_local = token_file is None and is_loopback(bound)
            server = Server(front, tell_ready=lambda: tell_ready(front))
            await server.serve([bound])
        return server.exit_code

    with bound, asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        return runner.run(work())


def bind(host: str, port: int) -> socket.socket:
    """A socket at an address, not listening yet; port 0 is any free one.

    Raises:
        ResnetkitError: where it cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        fix = "give another --port, or --port 0 for any that is free"
        raise ResnetkitError(Code.IO, f"cannot listen on {host} port {port}", why=why, fix=fix) from None
    return bound


def url_of(bound: socket.socket) -> str:
    """The address that a bound socket is reached at from its own machine."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(bound: socket.socket) -> bool:
    """Tell whether a bound socket can be reached from its own machine only."""
    return ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback


class Server(uvicorn.Server):
    """A server that drains: at the first signal it takes no more requests, and ends when the last is answered.

    A second signal ends the process at once; its workers end with it.

    Attributes:
        num_lost: accepted requests that were not answered in the time to drain.
    """

    def __init__(self, front: Front, *, tell_ready: Callable[[], None]) -> None:
        """Serve a front.

        Args:
            tell_ready: called once, when all classifiers take requests.
        """
        settings = front.settings
        super().__init__(
            uvicorn.Config(
                Application(front),
                http=protocol_with(settings),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=math.ceil(settings.keep_alive_seconds),
                timeout_graceful_shutdown=math.ceil(LAST_SECONDS),
                backlog=BACKLOG,
            )
        )
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # what clients do wrong is in our own log
        self._front, self._tell_ready, self._is_told = front, tell_ready, False
        self._drain_until = math.inf
        self.num_lost = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain, or end."""
        if self._front.is_draining:
            os._exit(128 + sig)
        self._front.is_draining = True
        self._drain_until = time.monotonic() + max(self._front.settings.drain_seconds - LAST_SECONDS, 0)

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to end."""
        if self._front.is_ready and not self._is_told:
            self._is_told = True
            self._tell_ready()
        if self._front.is_draining and (not self._front.num_open or time.monotonic() > self._drain_until):
            self.num_lost = self._front.num_open
            return True
        return await super().on_tick(counter)

    @property
    def exit_code(self) -> int:
        """0 where all that was accepted is answered."""
        return int(bool(self.num_lost))
