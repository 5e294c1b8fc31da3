"""The other side of a worker: starts the process, asks it, notices that it has died or hangs, and ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from resnetkit.serving.frames import DamagedFrame, Frame, pack, receive_frame
from resnetkit.serving.messages import unpack_failure
from resnetkit.serving.served import DeadlinePassed, WorkerLost

MAX_ANSWER_BYTES = 2**30
OPEN_SECONDS = 900.0  # measuring engines takes minutes on a slow machine
EXIT_SECONDS = 10.0  # between the end of a worker's socket and that of its process
PINGS_WHILE_HANGING = 4


class WorkerProcess:
    """A process that has been started; :meth:`open` waits until it answers.

    Attributes:
        gone: is done when the process has ended, with the reason in words.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        hang_seconds: float,
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer
        self._hang_seconds = hang_seconds
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._why_ended = ""  # by us
        self._heard = time.monotonic()
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, code: str, *, hang_seconds: float) -> WorkerProcess:
        """Start a process of this interpreter that runs ``code``, which finds its socket's number as its argument."""
        ours, theirs = socket.socketpair()
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": paths},
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        return cls(process, reader, writer, hang_seconds)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def num_waiting(self) -> int:
        """Number of requests that it has not answered yet."""
        return len(self._waiting)

    async def open(self, order: dict[str, Any]) -> Frame:
        """Order what it is to open, and wait until it says that it is; then requests are answered.

        Raises:
            ResnetkitError: for what cannot be opened.
            WorkerLost: where the process ends instead, or takes too long.
        """
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                return await self._open({**order, "may_begin_again": True})
        except (TimeoutError, DamagedFrame, OSError) as error:
            reason = "did not open in time" if isinstance(error, TimeoutError) else str(error)
            raise WorkerLost(f"the worker process {reason}: {await self._finish(reason)}") from None
        except BaseException:
            self.kill("it was not needed any more")
            await self._finish()
            raise

    async def _open(self, order: dict[str, Any]) -> Frame:
        await self._send(order)
        while (frame := await receive_frame(self._reader, max_bytes=MAX_ANSWER_BYTES)) is not None:
            failure = unpack_failure(frame.head)
            if failure is not None:
                raise failure
            if frame.head["kind"] == "open":
                self._heard = time.monotonic()
                self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._watch())]
                return frame
            await self._send({**order, "may_begin_again": False})
        raise WorkerLost(f"the worker process {await self._finish()} while it opened the classifier")

    async def ask(self, head: dict[str, Any], blobs: Sequence[bytes | memoryview] = (), *, deadline: float) -> Frame:
        """Ask for an answer, until a time as :func:`time.monotonic` counts; a call that is cancelled gives it up.

        Raises:
            WorkerLost: where the process has ended.
            DeadlinePassed: where there is no answer in time.
            NotAnswered: as the worker says.
            ResnetkitError: as the worker says.
        """
        if self.gone.done():
            raise WorkerLost(f"the worker process {self.gone.result()}")
        number = next(self._numbers)
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await self._send({**head, "number": number, "deadline": deadline}, blobs)
                frame = await future
        except TimeoutError:
            raise DeadlinePassed("there was no answer before the deadline") from None
        except OSError:
            raise WorkerLost(f"the worker process {await asyncio.shield(self.gone)}") from None
        finally:
            del self._waiting[number]
            if future.done() and not future.cancelled():
                future.exception()  # asked for, or Python would tell that nobody has
            else:
                self._post({"kind": "give up", "number": number})
        failure = unpack_failure(frame.head)
        if failure is not None:
            raise failure
        return frame

    async def end(self, *, within_seconds: float) -> None:
        """Let it answer what it was asked, and end; after some time it is ended whatever it does."""
        if not self._why_ended:
            self._why_ended = "was ended"
        self._post({"kind": "end"})
        try:
            async with asyncio.timeout(within_seconds):
                await asyncio.shield(self.gone)
        except TimeoutError:
            self.kill(f"did not end within {within_seconds:g} s and was killed")
        await asyncio.shield(self.gone)

    def kill(self, why: str) -> None:
        """End it at once.

        Args:
            why: what it did, in words that complete "the worker process …".
        """
        self._why_ended = why
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _send(self, head: dict[str, Any], blobs: Sequence[bytes | memoryview] = ()) -> None:
        self._writer.writelines(pack(head, blobs))  # whole, whatever happens to the caller while it waits
        await self._writer.drain()

    def _post(self, head: dict[str, Any]) -> None:
        """Send a small frame without waiting."""
        if not self.gone.done() and not self._writer.is_closing():
            self._writer.writelines(pack(head))

    async def _receive(self) -> None:
        """Hand answers to those who wait, until the process has ended."""
        with suppress(DamagedFrame, OSError):
            while (frame := await receive_frame(self._reader, max_bytes=MAX_ANSWER_BYTES)) is not None:
                self._heard = time.monotonic()
                if frame.head.get("busy_seconds", 0.0) > self._hang_seconds:
                    self.kill(f"was at one image or batch for {self._hang_seconds:g} s and was killed")
                future = self._waiting.get(frame.head.get("number", -1))
                if future is not None and not future.done():
                    future.set_result(frame)
        await self._finish()

    async def _watch(self) -> None:
        """Ask for a sign of life now and then."""
        while not self.gone.done():
            await asyncio.sleep(min(1.0, self._hang_seconds / PINGS_WHILE_HANGING))
            if time.monotonic() - self._heard > self._hang_seconds:
                self.kill(f"gave no sign of life for {self._hang_seconds:g} s and was killed")
                return
            self._post({"kind": "ping"})

    async def _finish(self, why: str = "") -> str:
        """See the process to its end, and tell those who wait for it; returns what it did."""
        self._writer.close()
        try:
            code = await asyncio.to_thread(self._process.wait, EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill(self._why_ended or "closed its socket and was killed")
            code = await asyncio.to_thread(self._process.wait)
        reason = self._why_ended or why or _tell_exit(code)
        if not self.gone.done():
            self.gone.set_result(reason)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(WorkerLost(f"the worker process {reason}"))
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        return reason


def _tell_exit(code: int) -> str:
    """Words for an exit code that complete "the worker process …".

    >>> _tell_exit(-9), _tell_exit(1)
    ('was ended by SIGKILL', 'ended with exit code 1')
    """
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
