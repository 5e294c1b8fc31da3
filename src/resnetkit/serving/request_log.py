"""The log of a server: one line of JSON a request on stderr, with nothing of any image."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from resnetkit.terminal import tell_json

KEY = "resnetkit.entry"  # of a request's scope
MAX_PATH = 200


@dataclass
class Entry:
    """A request, as the log has it.

    Attributes:
        route: the pattern that its path has, as ``/models/{model}``; its place among the metrics.
        status: of the answer; 499 where the client went away before it was there.
        model: the classifier that was asked.
        num_images: that were asked for.
        num_bytes: of its body.
        reason: of an error.
    """

    method: str
    path: str
    client: str
    route: str = "none"
    status: int = 0
    model: str | None = None
    num_images: int | None = None
    num_bytes: int | None = None
    reason: str = ""
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """The time since the request's head came."""
        return time.perf_counter() - self.began

    def tell(self) -> None:
        """Write its line."""
        told: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": self.method,
            "path": self.path[:MAX_PATH],
            "status": self.status,
            "seconds": round(self.seconds, 4),
            "client": self.client,
        }
        more = {"model": self.model, "images": self.num_images, "bytes": self.num_bytes, "reason": self.reason or None}
        tell_json(told | {name: value for name, value in more.items() if value is not None})


def entry_of(request: Request) -> Entry:
    """The entry of a request, to write into."""
    entry: Entry = request.scope[KEY]
    return entry
