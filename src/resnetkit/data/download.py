"""Downloads that resume, try one mirror after another, and only end as the file that was wanted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from resnetkit.files import io_errors, locked, sync_file
from resnetkit.terminal import progress_bar, tell

TIMEOUT_SECONDS = 20
BLOCK_BYTES = 2**18


class DownloadFailed(Exception):  # noqa: N818 - a state, and turned into our one error by the caller
    """No mirror gave the file; ``reasons`` has a line per mirror."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


def fetch_file(urls: Sequence[str], target: Path, is_right: Callable[[Path], bool]) -> None:
    """Download ``target`` from the first of several addresses whose content ``is_right``.

    An interrupted download stays as ``target.part`` and goes on from there the next time. Of several processes that
    want the same file one downloads it, and the others wait.

    Raises:
        DownloadFailed: if no address gives the right content.
    """
    with io_errors(f"create {target.parent}"):
        target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent):
        if not target.exists():  # it may have come while we waited
            _fetch_from_any(urls, target, is_right)


def _fetch_from_any(urls: Sequence[str], target: Path, is_right: Callable[[Path], bool]) -> None:
    part = target.with_name(f"{target.name}.part")
    reasons = []
    for url in urls:
        reason = _fetch_from(url, part, is_right)
        if reason is None:
            with io_errors(f"write {target}"):
                sync_file(part)
                os.replace(part, target)
                sync_file(target.parent)
            return
        reasons.append(f"{url}: {reason}")
    raise DownloadFailed(reasons)


def _fetch_from(url: str, part: Path, is_right: Callable[[Path], bool]) -> str | None:
    """Complete ``part`` from one address; None on success, else why not. A break is resumed while bytes arrive."""
    while True:
        size_before = _size(part)
        try:
            _append(url, part, size_before)
        except (OSError, HTTPException) as error:
            if _size(part) > size_before:
                continue
            return _plain(error)
        if is_right(part):
            return None
        part.unlink()
        if size_before == 0:
            return "the content is not the expected one (wrong hash)"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(url: str, part: Path, size: int) -> None:
    """Append what is missing after the first ``size`` bytes; start again if the server cannot resume."""
    headers = {"User-Agent": "resnetkit"} | ({"Range": f"bytes={size}-"} if size else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code == 416 and size:  # nothing is left to send
            return
        raise
    with response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {size}-")
        _copy(response, part, size if resumed else 0, url)


def _copy(response: Any, part: Path, start: int, url: str) -> None:
    remaining = response.headers.get("Content-Length")
    end = None if remaining is None else start + int(remaining)
    tell(f"downloading {url}")
    with progress_bar(part.stem, end, unit="bytes", done=start) as advance:
        with io_errors(f"write {part}"):
            file = part.open("r+b" if start else "wb")
        with file:
            file.seek(start)
            while block := response.read(BLOCK_BYTES):
                with io_errors(f"write {part}"):
                    file.write(block)
                advance(len(block))
            received = file.tell()
    if end is not None and received < end:
        raise ConnectionError(f"the connection closed after {received:,} of {end:,} bytes")


def _plain(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answered {error.code} {error.reason}"
    return str(error.reason) if isinstance(error, URLError) else str(error) or type(error).__name__
