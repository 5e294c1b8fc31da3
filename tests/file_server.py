"""A server on loopback with files to download, which can break off, change, redirect, trickle or send a web page."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class FileServer:
    """Files by path and what was asked of the server.

    Attributes:
        tags: ETag by path.
        linked: by path, where it really is and its SHA-256, as the hub says.
        hang_up_after: bytes after which the next answer ends.
        trickle_seconds: between the blocks of 1,000 bytes of an answer.
        types: media type by path.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    linked: dict[str, tuple[str, str]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    hang_up_after: int | None = None
    trickle_seconds: float = 0.0
    requests: list[tuple[str, str | None]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    state: FileServer

    def log_message(self, *arguments: object) -> None: ...

    def do_GET(self) -> None:
        state, name, asked = self.state, self.path.lstrip("/"), self.headers.get("Range")
        state.requests.append((name, asked))
        if name in state.linked:
            place, digest = state.linked[name]
            self.send_response(302)
            self.send_header("Location", f"{state.address}{place}")
            self.send_header("X-Linked-ETag", f'"{digest}"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if name not in state.files:
            self.send_error(404)
            return
        content, start = state.files[name], int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Type", state.types.get(name, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content) - start))
        if name in state.tags:
            self.send_header("ETag", f'"{state.tags[name]}"')
        self.end_headers()
        stop, state.hang_up_after = state.hang_up_after, None
        body = content[start : len(content) if stop is None else start + stop]
        if not state.trickle_seconds:
            self.wfile.write(body)
            return
        for position in range(0, len(body), 1_000):
            self.wfile.write(body[position : position + 1_000])
            time.sleep(state.trickle_seconds)


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    state = FileServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    state.address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
