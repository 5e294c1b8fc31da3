"""A hub on loopback that speaks as much of the Hugging Face protocol as its client asks for."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REVISION = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Repositories as dicts of file contents, and the paths that were asked for."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.requests: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self.do_GET(with_body=False)

            def do_GET(self, *, with_body: bool = True) -> None:
                hub.requests.append(self.path)
                status, headers, body = hub.answer(self.path.partition("?")[0])
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        for repo, files in self.repositories.items():
            if path in (f"/api/models/{repo}", f"/api/models/{repo}/revision/main", f"/api/models/{repo}/revision/v1"):
                info = {"id": repo, "modelId": repo, "sha": REVISION, "tags": [], "private": False, "downloads": 0}
                info["siblings"] = [{"rfilename": name} for name in files]  # type: ignore[assignment]
                return 200, {"Content-Type": "application/json"}, json.dumps(info).encode()
            for name, content in files.items():
                if path == f"/{repo}/resolve/{REVISION}/{name}":
                    etag = hashlib.sha256(content).hexdigest()
                    return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION}, content
        return 404, {"X-Error-Code": "RepoNotFound"}, b"Repository Not Found"


@pytest.fixture
def fake_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    constants = pytest.importorskip("huggingface_hub.constants")
    hub = FakeHub()
    # The client reads its environment once, when it is imported.
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()
