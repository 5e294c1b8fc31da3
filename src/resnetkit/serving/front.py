"""All that the requests to a server share: classifiers by name, limits, and what is held for them at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TypeVar

from starlette.requests import Request

from resnetkit.errors import Code, did_you_mean, require
from resnetkit.serving.authorization import TokenFile
from resnetkit.serving.bodies import HeldBytes, Share, body_of
from resnetkit.serving.metrics import Metrics
from resnetkit.serving.refusals import refuse
from resnetkit.serving.served import NotReady, Overloaded, Served
from resnetkit.serving.settings import ServerSettings

T = TypeVar("T")
VERSION = version("resnetkit")
MAX_THUMBNAILS = 2


@dataclass
class Front:
    """A server, but for its sockets.

    Attributes:
        served: the classifiers, in order; one that is asked for by no name is the first.
        token_file: None where anybody may ask.
        is_local: it is there for programs of this machine alone, and asked by a name of this machine.
        is_draining: no request is taken any more, those that were are answered.
        num_open: requests that have come and are not answered.
        num_working: of these, those whose body has come, which something is computed for.
        thumbnails: lets so many be made at once; each may decode a large photograph.
    """

    served: Mapping[str, Served]
    settings: ServerSettings
    token_file: TokenFile | None = None
    is_local: bool = False
    is_draining: bool = False
    num_open: int = 0
    num_working: int = 0
    thumbnails: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_THUMBNAILS))
    held: HeldBytes = field(init=False)
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        self.held = HeldBytes(self.settings.max_held_bytes)
        self.metrics = Metrics(self.served, lambda: (self.num_open, self.held.now))

    @classmethod
    def of(cls, served: Sequence[Served], settings: ServerSettings, token_file: TokenFile | None = None) -> Front:
        """The front of some classifiers, at least one, of different names.

        Raises:
            ResnetkitError: where two have one name, or one has a name that no path can hold.
        """
        names = [one.name for one in served]
        for name in names:
            require(
                bool(name) and name.isprintable() and "/" not in name,
                f"{name!r} is no name for a classifier: no path can hold it",
                fix="name it: resnetkit serve NAME=CLASSIFIER",
            )
            require(
                names.count(name) == 1,
                f"two classifiers are called '{name}'",
                fix="name them: resnetkit serve NAME=CLASSIFIER OTHER=CLASSIFIER",
                code=Code.USAGE,
            )
        return cls({one.name: one for one in served}, settings, token_file)

    @property
    def is_ready(self) -> bool:
        """True where every classifier takes requests."""
        return not self.is_draining and all(one.state == "ready" for one in self.served.values())

    @property
    def versions(self) -> dict[str, str]:
        """The version of each classifier, by its name."""
        return {name: one.version for name, one in self.served.items()}

    def find(self, name: str | None) -> Served:
        """The classifier of a name, or the first.

        Raises:
            Refused: where there is none.
        """
        if name is None:
            return next(iter(self.served.values()))
        if name not in self.served:
            raise refuse(404, f"no classifier is called '{name[:80]}'", fix=did_you_mean(name[:80], self.served))
        return self.served[name]

    def deadline_seconds(self, asked: str | float | None) -> float:
        """The time that a request may take: the server's, or less where less is asked for.

        Raises:
            Refused: for what is no time.
        """
        most = self.settings.deadline_seconds
        if asked is None:
            return most
        try:
            seconds = float(asked)
        except ValueError:
            seconds = 0.0
        if not seconds > 0:
            raise refuse(400, f"a deadline must be above 0 seconds, got {str(asked)[:40]!r}")
        return min(seconds, most)

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[tuple[bytes, Share]]:
        """The body of a request that something is to be computed for, within the limits on all of them.

        Raises:
            Overloaded: at once, where too many are being received and answered.
            Refused: as :mod:`resnetkit.serving.bodies` has it.
        """
        self._check_room()  # before a byte of it is taken
        async with body_of(request, self.settings, self.held) as held:
            self._check_room()
            self.num_working += 1  # not before: who sends slowly takes nobody's place
            try:
                yield held
            finally:
                self.num_working -= 1

    def _check_room(self) -> None:
        if self.num_working >= self.settings.max_requests * len(self.served):
            raise Overloaded(f"{self.num_working} requests are being answered")

    def check_takes_requests(self) -> None:
        """Refuse a request while the server is draining.

        Raises:
            NotReady: then.
        """
        if self.is_draining:
            raise NotReady("the server is being stopped", retry_after_seconds=5)


BIG_BODY_BYTES = 1 << 18  # from which on reading it would hold up others


async def in_thread(size: int, work: Callable[[], T]) -> T:
    """The result of some work, done at once where its input is small, else beside other requests."""
    return work() if size < BIG_BODY_BYTES else await asyncio.to_thread(work)
