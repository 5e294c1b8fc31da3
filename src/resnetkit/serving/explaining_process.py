"""The other side of the process that explains: started at first need, asked one thing at a time, ended when idle."""

from __future__ import annotations

import asyncio
import base64
import time
from contextlib import suppress
from typing import Any

from resnetkit.config import to_dict
from resnetkit.serving.opening import ToServe
from resnetkit.serving.served import DeadlinePassed, NotReady, Overloaded
from resnetkit.serving.settings import ServerSettings
from resnetkit.serving.worker_process import WorkerProcess

START = "from resnetkit.serving.explainer import main; main()"
MAX_ASKED = 5  # that are at work or wait
IDLE_SECONDS = 300.0
END_SECONDS = 5.0

Opened = tuple[WorkerProcess, str]


class ExplainingProcess:
    """Explains in a process that is there only while it is needed."""

    def __init__(self, to_serve: ToServe, settings: ServerSettings) -> None:
        self._to_serve, self._settings = to_serve, settings
        self._opening: asyncio.Task[Opened] | None = None
        self._turn = asyncio.Lock()
        self._num_asked = 0
        self._idle: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[None]] = set()

    async def explain(self, file: bytes, asked: dict[str, Any], *, deadline: float) -> dict[str, Any]:
        """Explain the answer for an image file, as a :class:`~resnetkit.serving.served.Served` does.

        Args:
            deadline: as :func:`time.monotonic` counts.
        """
        if self._num_asked >= MAX_ASKED:
            raise Overloaded(f"{self._num_asked} explanations are asked for already")
        self._num_asked += 1
        try:
            async with asyncio.timeout(deadline - time.monotonic()), self._turn:
                return await self._explain(file, asked, deadline)
        except TimeoutError:
            raise DeadlinePassed("there was no explanation before the deadline") from None
        finally:
            self._num_asked -= 1
            self._rest()

    def renew(self) -> None:
        """Let the process end when it is done with what it was asked; the next request starts another."""
        opening, self._opening = self._opening, None
        if opening is not None:
            ending = asyncio.create_task(self._end(opening))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def stop(self) -> None:
        """End the process, if there is one."""
        if self._idle is not None:
            self._idle.cancel()
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
        self.renew()
        if self._endings:
            await asyncio.wait(set(self._endings))

    async def _explain(self, file: bytes, asked: dict[str, Any], deadline: float) -> dict[str, Any]:
        process, version = await self._opened()
        is_done = False
        try:
            frame = await process.ask({"kind": "explain", "asked": asked}, [file], deadline=deadline)
            is_done = True
        except Exception as error:
            is_done = not isinstance(error, DeadlinePassed)
            raise
        finally:
            if not is_done:  # it would go on for nobody, and nothing else stops it
                process.kill("was at an explanation that nobody waits for, and was killed")
        overlay, image = (base64.b64encode(picture).decode() for picture in frame.blobs)
        return {**frame.head["values"], "version": version, "overlay": overlay, "image": image}

    async def _opened(self) -> Opened:
        """The process, which goes on being opened where nobody waits for it any more."""
        opening = self._opening
        if opening is not None and opening.done() and (opening.cancelled() or opening.exception() is not None):
            opening = None
        if opening is not None and opening.done() and opening.result()[0].gone.done():
            opening = None
        if opening is None:
            opening = self._opening = asyncio.create_task(self._open())
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            if opening.cancelled():
                raise NotReady("the server is being stopped") from None
            raise

    async def _open(self) -> Opened:
        process = await WorkerProcess.start(START, hang_seconds=self._settings.hang_seconds)
        opened = await process.open({"to_serve": to_dict(self._to_serve)})
        return process, opened.head["version"]

    def _rest(self) -> None:
        """End the process when nothing has been asked for a while."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if not self._num_asked:
            self.renew()

    async def _end(self, opening: asyncio.Task[Opened]) -> None:
        with suppress(Exception, asyncio.CancelledError):
            process, _ = await opening
            async with self._turn:  # what it is at is done first
                await process.end(within_seconds=END_SECONDS)
