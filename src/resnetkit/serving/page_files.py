"""The page at ``/`` and its files, which are read once; nothing else of the disk can be asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from resnetkit.serving.front import Front
from resnetkit.serving.refusals import refuse

FOLDER = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


class PageFile(NamedTuple):
    """A file of the page."""

    content: bytes
    media_type: str
    etag: str


@cache
def page_files() -> Mapping[str, PageFile]:
    """The files by name."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in TYPES:
            content = path.read_bytes()
            found[path.name] = PageFile(content, TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')
    return found


async def show_page(front: Front, request: Request) -> Response:
    """The page."""
    return _as_response(page_files()["index.html"], request)


async def send_file(front: Front, request: Request) -> Response:
    """A script or style of the page."""
    file = page_files().get(request.path_params["name"])
    if file is None:
        raise refuse(404, "the page has no such file")
    return _as_response(file, request)


def _as_response(file: PageFile, request: Request) -> Response:
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if file.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers={**headers, "Content-Type": file.media_type})
