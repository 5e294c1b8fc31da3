"""A classifier that is served by worker processes: one that answers, and its successors.

Another takes a worker's place where it has died, and where the classifier's file has been replaced: then the new one is
opened beside it and takes over between two requests, and the old one answers what it was asked, and ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from resnetkit.classifier.description import Description
from resnetkit.errors import ResnetkitError
from resnetkit.files import sha256_of
from resnetkit.images.types import UInt8Images
from resnetkit.serving.admission import Admission
from resnetkit.serving.explaining_process import ExplainingProcess
from resnetkit.serving.frames import DamagedFrame
from resnetkit.serving.messages import pack_pixels, unpack_answers
from resnetkit.serving.opening import VERSION_LENGTH, ToServe
from resnetkit.serving.served import Answers, NotReady, State, WorkerLost
from resnetkit.serving.settings import ServerSettings
from resnetkit.serving.version import Version, open_version
from resnetkit.serving.watching import WatchedFile
from resnetkit.sources.locate import locate_weights
from resnetkit.terminal import tell, warn

FIRST_DELAY_SECONDS = 0.5  # between two attempts to open it again, which doubles
MAX_DELAY_SECONDS = 30.0
MAX_FAILURES = 5  # to open it again, one after another


class ServedClassifier:
    """Answers through a worker; see :class:`~resnetkit.serving.served.Served`."""

    def __init__(self, to_serve: ToServe, settings: ServerSettings) -> None:
        self.name, self.source = to_serve.name, to_serve.source
        self._to_serve, self._settings = to_serve, settings
        self._admission = Admission(settings.max_requests, settings.max_queued_bytes)
        self._file = Path()
        self._version: Version | None = None  # that answers
        self._versions: list[Version] = []  # whose workers have not ended
        self._state: State = "starting"
        self._problem = ""
        self._is_draining = False
        self._explaining = ExplainingProcess(to_serve, settings)
        self._opening = asyncio.Lock()  # one worker at a time
        self._tasks: set[asyncio.Task[None]] = set()

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
        return "stopped" if self._is_draining else self._state

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
        located = await asyncio.to_thread(locate_weights, self.source)
        self._file = located.file
        watched = WatchedFile(self._file)  # from before it is opened
        self._take(await open_version(self._to_serve, self._file, self._settings))
        if located.fetched is None:
            self._begin(self._watch(watched))

    async def answer_files(self, files: Sequence[bytes], *, deadline_seconds: float) -> Answers:
        """Answer for image files, one each and in order."""
        num_bytes = sum(map(len, files))
        return await self._answer({"kind": "files"}, files, len(files), num_bytes, deadline_seconds)

    async def answer_pixels(self, pixels: UInt8Images, *, deadline_seconds: float) -> Answers:
        """Answer for prepared images, uint8 ``(N, C, S, S)``."""
        head, blobs = pack_pixels(pixels)
        return await self._answer({"kind": "pixels", **head}, blobs, len(pixels), pixels.nbytes, deadline_seconds)

    async def explain(self, file: bytes, asked: dict[str, Any], *, deadline_seconds: float) -> dict[str, Any]:
        """Explain the answer for one image file, in a process of its own, which a first request starts."""
        deadline = time.monotonic() + deadline_seconds
        self._ready()
        with self._admission.taken(len(file)):
            return await self._explaining.explain(file, asked, deadline=deadline)

    async def stop(self) -> None:
        """Take no more, answer what was accepted within ``drain_seconds``, and end."""
        self._is_draining = True
        ends = time.monotonic() + self._settings.drain_seconds
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._admission.empty()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(
            self._explaining.stop(),
            *(version.worker.end(within_seconds=max(0.5, ends - time.monotonic())) for version in self._versions),
        )

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

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self, version: Version) -> None:
        """Answer by this version from the next request on; that of before, if any, answers what it was asked."""
        before, self._version = self._version, version
        self._versions.append(version)
        self._state, self._problem = "ready", ""
        self._begin(self._guard(version))
        if before is not None:
            self._begin(self._retire(before))
            if before.name != version.name:
                self._explaining.renew()

    async def _retire(self, version: Version) -> None:
        """Let a version answer what it was asked, and end."""
        await version.worker.end(within_seconds=self._settings.deadline_seconds + self._settings.drain_seconds)

    async def _guard(self, version: Version) -> None:
        """Replace a worker that has died while it was the one that answers."""
        reason = await asyncio.shield(version.worker.gone)
        self._versions.remove(version)
        if self._version is not version:
            return
        self._state, self._problem = "restarting", f"the worker process {reason}"
        warn(f"{self.name}: {self._problem}; another is started")
        async with self._opening:
            if self._version is version:
                await self._open_again()

    async def _open_again(self) -> None:
        delay = FIRST_DELAY_SECONDS
        for attempt in range(MAX_FAILURES):
            if attempt:
                await asyncio.sleep(delay)
                delay = min(2 * delay, MAX_DELAY_SECONDS)
            try:
                self._take(await open_version(self._to_serve, self._file, self._settings))
                return
            except (ResnetkitError, WorkerLost) as error:
                self._problem = _in_words(error)
        self._state = "failed"
        warn(f"{self.name} failed: {self._problem}")

    async def _watch(self, watched: WatchedFile) -> None:
        """Take over what replaces the classifier's file; where that cannot be opened, what is served goes on."""
        while True:
            await watched.changed()
            async with self._opening:
                digest = await asyncio.to_thread(_digest, watched.path)
                if self._state == "ready" and digest == self.version:
                    self._problem = ""
                    continue
                try:
                    version = await open_version(self._to_serve, self._file, self._settings)
                except (ResnetkitError, WorkerLost) as error:
                    self._problem = f"{self._file} was replaced by what is not taken: {_in_words(error)}"
                    warn(f"{self.name}: {self._problem}; {self.version} goes on")
                else:
                    tell(f"{self.name}: {version.name} takes the place of {self.version}")
                    self._take(version)


def _in_words(error: ResnetkitError | WorkerLost) -> str:
    return f"{error.what}{f' ({error.why})' if error.why else ''}" if isinstance(error, ResnetkitError) else str(error)


def _digest(file: Path) -> str:
    """The version that a file is, by its content; empty where it cannot be read."""
    try:
        return sha256_of(file)[:VERSION_LENGTH]
    except OSError:
        return ""
