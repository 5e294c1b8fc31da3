"""Tokens of a file, by which clients are let in."""

from __future__ import annotations

import hmac
import os
import re
from pathlib import Path

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import io_errors
from resnetkit.serving.refusals import refuse
from resnetkit.terminal import warn

SCHEME = "bearer"
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
MAX_FILE_BYTES = 1 << 16


def check_host(header: str | None) -> None:
    """Refuse a request that is not addressed to this machine by one of its own names.

    A web page of anybody can have its name point to 127.0.0.1 and then read what a server there answers ("DNS
    rebinding"); the name that the browser sends gives it away.

    Raises:
        Refused: for any other name.
    """
    name = re.sub(r":\d+$", "", header or "").lower()
    if name not in LOCAL_NAMES and not re.fullmatch(r"127(\.\d{1,3}){3}", name):
        raise refuse(
            421,
            "the request is addressed to another name",
            why="without tokens, a server for this machine alone is asked as localhost or 127.0.0.1",
            fix="start it with --token-file, or have a proxy send Host: localhost",
        )


class TokenFile:
    """A file with a token a line; each of them opens the server. It is read again when it has changed.

    A file that cannot be read any more, or is empty, lets nobody in.
    """

    def __init__(self, path: Path) -> None:
        """Read the tokens.

        Raises:
            ResnetkitError: where there are none.
        """
        self._path = path
        self._stamp = _stamp(path)
        self._tokens = _read(path)

    def check(self, header: str | None) -> None:
        """Let a request in by its ``Authorization`` header, or not; the time this takes says nothing of the tokens.

        Raises:
            Refused: where it has no token, or a wrong one.
        """
        self._renew()
        scheme, _, token = (header or "").partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        matches = [hmac.compare_digest(given, known) for known in self._tokens]
        if scheme.lower() != SCHEME or not any(matches):
            raise refuse(
                401,
                "the request has no token" if header is None else "the request has a wrong token",
                fix="send Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _renew(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._tokens = _read(self._path)
        except ResnetkitError as error:
            self._tokens = ()
            warn(f"nobody is let in: {error.what}")


def _stamp(path: Path) -> tuple[int, ...] | None:
    """All that changes where a file's content does; None where it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read(path: Path) -> tuple[bytes, ...]:
    with io_errors(f"read the tokens in {path}"), open(path, "rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    require(len(content) <= MAX_FILE_BYTES, f"{path} is too large for a file of tokens", code=Code.USAGE)
    tokens = tuple(line.strip() for line in content.split(b"\n") if line.strip())
    require(bool(tokens), f"{path} has no token", fix="write one into it, e.g. openssl rand -hex 32 > FILE")
    return tokens
