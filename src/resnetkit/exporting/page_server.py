"""Serve this folder on this machine: python serve.py [PORT]."""

import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}


class FolderHandler(SimpleHTTPRequestHandler):
    """Files, with the two headers without which a browser lets a page have one thread."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **KINDS}  # noqa: RUF012 - as its base has it

    def end_headers(self) -> None:
        """Send them with whatever is answered."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with ThreadingHTTPServer(("127.0.0.1", port), partial(FolderHandler, directory=Path(__file__).parent)) as server:
        print(f"http://localhost:{server.server_port}", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
