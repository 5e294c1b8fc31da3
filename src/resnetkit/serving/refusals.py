"""Errors as they are told over HTTP: which status each has, and its text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from resnetkit.errors import Code, ResnetkitError, summarize
from resnetkit.serving.served import DeadlinePassed, NotAnswered, Overloaded
from resnetkit.terminal import shown


@dataclass(eq=False)
class Refused(Exception):  # noqa: N818 - a name for what became of a request
    """A request that is answered with an error.

    Attributes:
        status: of HTTP, 400 or above.
        error: told to the client.
        headers: of the answer, beside the usual ones.
    """

    status: int
    error: ResnetkitError
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        """The error as one line: what, why and fix."""
        return "; ".join(part for part in (self.error.what, self.error.why, self.error.fix) if part)


class ClientGone(Exception):  # noqa: N818 - as above
    """The client closed the connection before its request was whole; there is nobody to answer."""


# Of our own errors, the kinds that a request can be the cause of; all others are the server's.
STATUS_OF_CODE = {Code.USAGE: 400, Code.DATA: 422}


def refuse(
    status: int, what: str, *, why: str = "", fix: str = "", headers: Mapping[str, str] | None = None
) -> Refused:
    """An error of a request, to be raised."""
    code = Code.USAGE if status < HTTPStatus.INTERNAL_SERVER_ERROR else Code.IO
    return Refused(status, ResnetkitError(code, what, why=why, fix=fix), headers or {})


def as_refusal(error: Exception) -> Refused:
    """Any error as it is told to the client; what nobody foresaw by its kind alone."""
    match error:
        case Refused():
            return error
        case Overloaded():
            again = max(1, math.ceil(error.retry_after_seconds))
            fix = f"come again in {again} s"
            return refuse(503, "not answered now", why=str(error), fix=fix, headers={"Retry-After": str(again)})
        case DeadlinePassed():
            return refuse(504, "not answered in time", why=str(error), fix="allow more time, or send fewer images")
        case NotAnswered():
            return refuse(500, "not answered", why=str(error), fix="send it again")
        case ResnetkitError():
            return Refused(STATUS_OF_CODE.get(error.code, 500), error)
        case _:
            what = ResnetkitError(Code.BUG, "the server failed", why=type(error).__name__, fix="its log says more")
            return Refused(500, what)


def tell_cause(error: Exception) -> str:
    """An unforeseen error for the log, with the place in our code that it comes from."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return shown(f"{summarize(error)} at {place}")
