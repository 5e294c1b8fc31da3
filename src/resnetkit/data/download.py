"""Downloads that resume, try one mirror after another, and only end as the file that was wanted."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from resnetkit.files import io_errors, locked, sync_file
from resnetkit.terminal import progress_bar, tell

TIMEOUT_SECONDS = 20
DEADLINE_SECONDS = 3_600
BLOCK_BYTES = 2**18
LINKED_ETAG = "X-Linked-ETag"  # the Hugging Face hub's, of a file that it sends from elsewhere: its SHA-256


class DownloadFailed(Exception):  # noqa: N818 - a state, and turned into our one error by the caller
    """No mirror gave the file; ``reasons`` has a line per mirror, ``num_bytes`` are kept for the next time."""

    def __init__(self, reasons: Sequence[str], num_bytes: int) -> None:
        super().__init__("; ".join(reasons))
        self.reasons, self.num_bytes = tuple(reasons), num_bytes


class _NotTheFile(Exception):  # noqa: N818 - a state too
    """An address does not give the file, and asking again would not change that; the text says why."""


@dataclass(frozen=True)
class _Part:
    """A download that may be continued: its file, and beside it how the server calls this version of the content."""

    file: Path

    @property
    def tag_file(self) -> Path:
        return self.file.with_name(f"{self.file.name}.etag")

    @property
    def size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def tag(self) -> str:
        return self.tag_file.read_text(encoding="utf-8") if self.tag_file.exists() else ""

    def remember(self, tag: str) -> None:
        if tag and tag != self.tag:
            with io_errors(f"write {self.tag_file}"):
                self.tag_file.write_text(tag, encoding="utf-8")

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)
        self.tag_file.unlink(missing_ok=True)


Check = Callable[[Path, str | None], bool]


def fetch_file(
    urls: Sequence[str], target: Path, is_right: Check, *, deadline_seconds: float = DEADLINE_SECONDS
) -> str | None:
    """Download ``target`` from the first of several addresses whose content ``is_right``.

    Returns the SHA-256 that the server stated of it; None where it stated none, and for a file that was there.

    An interrupted download stays as ``target.part`` and goes on from there the next time, if the server still has the
    same content by its ETag. Of several processes that want the same file one downloads it, and the others wait. A file
    that is there already is asked about too, and replaced if it is not right.

    Args:
        is_right: asked with the file and its SHA-256 where the server states it, as the Hugging Face hub does.
        deadline_seconds: after which what has come is kept, and the download given up.

    Raises:
        DownloadFailed: if no address gives the right content.
    """
    with io_errors(f"create {target.parent}"):
        target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent):
        if target.exists() and is_right(target, None):  # it has come while we waited
            return None
        return _fetch_from_any(urls, target, is_right, time.monotonic() + deadline_seconds)


def _fetch_from_any(urls: Sequence[str], target: Path, is_right: Check, end: float) -> str | None:
    part = _Part(target.with_name(f"{target.name}.part"))
    reasons = []
    for url in urls:
        try:
            stated = _fetch_from(url, part, is_right, end)
        except _NotTheFile as why:
            reasons.append(f"{url}: {why}")
            continue
        with io_errors(f"write {target}"):
            sync_file(part.file)
            os.replace(part.file, target)
            sync_file(target.parent)
        part.tag_file.unlink(missing_ok=True)
        return stated
    raise DownloadFailed(reasons, part.size)


def _fetch_from(url: str, part: _Part, is_right: Check, end: float) -> str | None:
    """Complete ``part`` from one address, and return the SHA-256 that it states. A break is resumed while bytes arrive.

    Raises:
        _NotTheFile: where it does not give the right content.
    """
    while True:
        size_before = part.size
        try:
            stated = _append(url, part, size_before, end)
        except (OSError, HTTPException) as error:
            if part.size > size_before and time.monotonic() < end:
                continue
            raise _NotTheFile(_plain(error)) from None
        if is_right(part.file, stated):
            return stated
        part.remove()
        if size_before == 0:
            raise _NotTheFile("the content is not the expected one (wrong hash)")


def _append(url: str, part: _Part, size: int, end: float) -> str | None:
    """Append what is missing after the first ``size`` bytes, or start again if the server cannot resume.

    Returns the SHA-256 that the server states of the whole file; None where it does not.
    """
    headers = {"User-Agent": "resnetkit"} | ({"Range": f"bytes={size}-"} if size else {})
    redirects = _Redirects()
    try:
        response = build_opener(redirects).open(Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code == 416 and size:  # nothing is left to send
            return _sha256_in(redirects.tag or part.tag)
        raise
    with response:
        if response.headers.get_content_type() == "text/html":
            raise _NotTheFile("the server answered with a web page, not with the file (of a firewall, or a login?)")
        tag = redirects.tag or response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {size}-")
        if resumed and part.tag and tag != part.tag:  # another version than the one that was begun
            part.remove()
            return _append(url, part, 0, end)
        part.remember(tag)
        _copy(response, part.file, size if resumed else 0, url, end)
    return _sha256_in(tag)


class _Redirects(HTTPRedirectHandler):
    """Redirections as they come, of which it keeps how the first server calls the content."""

    def __init__(self) -> None:
        self.tag = ""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Follow, and remember."""
        self.tag = self.tag or headers.get(LINKED_ETAG, "")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _sha256_in(tag: str) -> str | None:
    found = re.search(r"\b[0-9a-f]{64}\b", tag)
    return found[0] if found else None


def _copy(response: Any, part: Path, start: int, url: str, end: float) -> None:
    remaining = response.headers.get("Content-Length")
    size = None if remaining is None else start + int(remaining)
    tell(f"downloading {url}")
    with progress_bar(part.stem, size, unit="bytes", done=start) as advance:
        with io_errors(f"write {part}"):
            file = part.open("r+b" if start else "wb")
        with file:
            file.seek(start)
            while block := response.read1(BLOCK_BYTES):
                with io_errors(f"write {part}"):
                    file.write(block)
                advance(len(block))
                if time.monotonic() > end and file.tell() != size:
                    raise TimeoutError(f"not done by the deadline, with {file.tell():,} bytes")
            received = file.tell()
    if size is not None and received < size:
        raise ConnectionError(f"the connection closed after {received:,} of {size:,} bytes")


def _plain(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answered {error.code} {error.reason}"
    return str(error.reason) if isinstance(error, URLError) else str(error) or type(error).__name__
