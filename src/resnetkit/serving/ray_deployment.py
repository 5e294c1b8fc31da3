"""A server's replicas on a Ray cluster: the application of ``serve``, with its workers, behind Ray Serve's own ports.

All that Ray hands on is plain values; each replica opens the classifiers itself, on a machine that sees the same files.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

from starlette.types import Receive, Scope, Send

from resnetkit.config import from_dict, frozen
from resnetkit.errors import Code, ResnetkitError
from resnetkit.serving.app import Application
from resnetkit.serving.authorization import TokenFile
from resnetkit.serving.front import Front
from resnetkit.serving.opening import ToServe
from resnetkit.serving.served import Served
from resnetkit.serving.served_set import open_served
from resnetkit.serving.settings import ServerSettings

POLL_SECONDS = 0.05
UNBORN = "Ray starts the lifespan before anything else"


@frozen
class Order:
    """All that a replica serves, and how; the same for each.

    Attributes:
        token_file: the whole path of a file with tokens; None where anybody may ask.
        is_local: as of :class:`~resnetkit.serving.front.Front`.
    """

    to_serve: tuple[ToServe, ...]
    settings: ServerSettings
    token_file: str | None = None
    is_local: bool = False


class Opener:
    """Opens what is ordered once, before there are replicas: errors are told as such, and engines measured in peace."""

    def begin(self) -> None:
        """Tell that there is room for it, by returning."""

    async def open(self, order: dict[str, Any]) -> dict[str, str]:
        """The versions of what can be opened, by name."""
        async with AsyncExitStack() as stack:
            return (await open_front(from_dict(Order, order), stack)).versions


class Lifetime:
    """The server's application from the start of its lifespan, as ASGI has it, to the end, when it is drained."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._front: Front | None = None
        self._application: Application | None = None

    @property
    def front(self) -> Front:
        """All that its requests share, while it lives."""
        assert self._front is not None, UNBORN
        return self._front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or live."""
        if scope["type"] != "lifespan":
            assert self._application is not None, UNBORN
            await self._application(scope, receive, send)
            return
        await receive()  # that it starts
        async with AsyncExitStack() as stack:
            self._front = await open_front(self._order, stack)
            self._application = Application(self._front)
            await send({"type": "lifespan.startup.complete"})
            await receive()  # that it ends
            self._front.is_draining = True
        await send({"type": "lifespan.shutdown.complete"})


class Replica:
    """One of the processes that answer; Ray Serve makes them, by :func:`deployment_of`."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._lifetime = Lifetime(from_dict(Order, order))

    def __serve_build_asgi_app__(self) -> Lifetime:
        """The application that Ray starts, and puts behind its ports."""
        return self._lifetime

    def check_health(self) -> None:
        """Tell, by raising, that another replica is to take the place of this one.

        A worker that is lost is replaced by the replica itself; only what that has given up is Ray's.
        """
        for one in self._lifetime.front.served.values():
            if one.state == "failed":
                raise ResnetkitError(Code.IO, f"{one.name} has failed", why=one.problem)

    async def drain(self) -> int:
        """Take no more, and wait for what was accepted; the number of requests that were not answered in time."""
        front = self._lifetime.front
        front.is_draining = True
        until = time.monotonic() + front.settings.drain_seconds
        while front.num_working and time.monotonic() < until:
            await asyncio.sleep(POLL_SECONDS)
        return front.num_working


async def open_front(order: Order, stack: AsyncExitStack) -> Front:
    """The front of what is ordered; closed with the stack, when what was accepted has been answered.

    Raises:
        ResnetkitError: for what cannot be opened.
    """
    served = await stack.enter_async_context(open_served(order.to_serve, order.settings))
    tokens = None if order.token_file is None else TokenFile(Path(order.token_file))
    front = Front.of(cast("tuple[Served, ...]", tuple(served.values())), order.settings, tokens)
    front.is_local = order.is_local
    return front
