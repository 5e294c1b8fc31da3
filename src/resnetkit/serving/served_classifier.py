"""A classifier that is served by worker processes: one that answers, and its successors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from resnetkit.classifier.description import Description
from resnetkit.errors import ResnetkitError
from resnetkit.images.types import UInt8Images
from resnetkit.serving.admission import Admission
from resnetkit.serving.frames import DamagedFrame
from resnetkit.serving.messages import pack_pixels, unpack_answers
from resnetkit.serving.opening import ToServe
from resnetkit.serving.served import Answers, NotReady, State, WorkerLost
from resnetkit.serving.settings import ServerSettings
from resnetkit.serving.version import Version, open_version
from resnetkit.terminal import warn

FIRST_DELAY_SECONDS = 0.5  # between two attempts to open it again, which doubles
MAX_DELAY_SECONDS = 30.0
MAX_FAILURES = 5  # to open it again, one after another


class ServedClassifier:
    """Answers through a worker, which is replaced when it dies; see :class:`~resnetkit.serving.served.Served`."""

    def __init__(self, to_serve: ToServe, settings: ServerSettings) -> None:
        self.name, self.source = to_serve.name, to_serve.source
        self._to_serve, self._settings = to_serve, settings
        self._admission = Admission(settings.max_requests, settings.max_queued_bytes)
        self._version: Version | None = None
        self._state: State = "starting"
        self._problem = ""
        self._is_draining = False
        self._keeping: asyncio.Task[None] | None = None

    @property
    def description(self) -> Description:
        """Everything that its file says."""
        return self._opened.description

    @property
    def version(self) -> str:
        """The first digits of the SHA-256 of what it answers by."""
        return self._opened.name

    @property
    def state(self) -> State:
        """``ready`` where requests are taken."""
        return self._state

    @property
    def problem(self) -> str:
        """A sentence on what is wrong with it; empty for nothing."""
        return self._problem

    @property
    def num_requests(self) -> int:
        """Number of requests that are accepted and not yet answered."""
        return self._admission.num_requests

    @property
    def worker_pid(self) -> int:
        """Number of the process that answers."""
        return self._opened.worker.pid

    async def start(self) -> None:
        """Open it; from then on requests are answered.

        Raises:
            ResnetkitError: for what cannot be opened.
            WorkerLost: where the worker dies instead.
        """
        self._version = await open_version(self._to_serve, self._settings)
        self._state = "ready"
        self._keeping = asyncio.create_task(self._keep())

    async def answer_files(self, files: Sequence[bytes], *, deadline_seconds: float) -> Answers:
        """Answer for image files, one each and in order."""
        num_bytes = sum(map(len, files))
        return await self._answer({"kind": "files"}, files, len(files), num_bytes, deadline_seconds)

    async def answer_pixels(self, pixels: UInt8Images, *, deadline_seconds: float) -> Answers:
        """Answer for prepared images, uint8 ``(N, C, S, S)``."""
        head, blobs = pack_pixels(pixels)
        return await self._answer({"kind": "pixels", **head}, blobs, len(pixels), pixels.nbytes, deadline_seconds)

    async def stop(self) -> None:
        """Take no more, answer what was accepted within ``drain_seconds``, and end."""
        self._is_draining = True
        ends = time.monotonic() + self._settings.drain_seconds
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._admission.empty()
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        self._state = "stopped"
        if self._version is not None:
            await self._version.worker.end(within_seconds=max(0.5, ends - time.monotonic()))

    @property
    def _opened(self) -> Version:
        if self._version is None:
            raise NotReady(f"{self.name} has not been opened yet")
        return self._version

    async def _answer(
        self, head: dict[str, Any], blobs: Sequence[bytes | memoryview], number: int, num_bytes: int, seconds: float
    ) -> Answers:
        deadline = time.monotonic() + seconds
        version = self._ready()
        if not number:
            return Answers([], version.description, version.name)
        with self._admission.taken(num_bytes):
            frame = await version.worker.ask(head, blobs, deadline=deadline)
        try:
            answers = unpack_answers(frame)
        except DamagedFrame as error:
            raise WorkerLost(f"the worker process gave no answer that can be read: {error}") from None
        return Answers(answers, version.description, version.name)

    def _ready(self) -> Version:
        if self._is_draining:
            raise NotReady("the server is being stopped")
        if self._state != "ready":
            raise NotReady(f"{self.name} is not ready ({self._state}){f': {self._problem}' if self._problem else ''}")
        return self._opened

    async def _keep(self) -> None:
        """Replace the worker whenever it has gone, until it cannot be replaced."""
        while True:
            version = self._opened
            reason = await asyncio.shield(version.worker.gone)
            if self._version is not version:
                continue  # another has taken its place meanwhile
            self._state, self._problem = "restarting", f"the worker process {reason}"
            warn(f"{self.name}: {self._problem}; another is started")
            if not await self._open_again():
                return

    async def _open_again(self) -> bool:
        delay = FIRST_DELAY_SECONDS
        for attempt in range(MAX_FAILURES):
            try:
                self._version = await open_version(self._to_serve, self._settings)
            except (ResnetkitError, WorkerLost) as error:
                self._problem = error.what if isinstance(error, ResnetkitError) else str(error)
            else:
                self._state, self._problem = "ready", ""
                return True
            if attempt < MAX_FAILURES - 1:
                await asyncio.sleep(delay)
                delay = min(2 * delay, MAX_DELAY_SECONDS)
        self._state = "failed"
        warn(f"{self.name} failed: {self._problem}")
        return False
