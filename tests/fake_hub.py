"""A hub on loopback that speaks as much of the Hugging Face protocol as its client asks for."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

REVISION = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_ThisIsTheTokenOfATest"
Answer = tuple[int, dict[str, str], bytes]


class FakeHub:
    """Repositories as dicts of file contents, and the paths that were asked for.

    Who writes must have the token; safetensors are large files, sent on their own before the commit names them.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.commits: list[dict[str, Any]] = []
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self.do_GET(with_body=False)

            def do_GET(self, *, with_body: bool = True) -> None:
                hub.requests.append(self.path)
                self.reply(hub.answer(*self.path.partition("?")[::2]), with_body=with_body)

            def do_POST(self) -> None:
                hub.requests.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Authorization"] != f"Bearer {TOKEN}":
                    self.reply((401, {}, b"Invalid username or password."))
                else:
                    self.reply(hub.take(self.path.partition("?")[0], body))

            def do_PUT(self) -> None:
                hub.large[self.path.rpartition("/")[2]] = self.rfile.read(int(self.headers["Content-Length"]))
                self.reply((200, {}, b""))

            def reply(self, answer: Answer, *, with_body: bool = True) -> None:
                status, headers, body = answer
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

    def revision(self, repo: str) -> str:
        """The commit that a repository is at."""
        count = sum(commit["repo"] == repo for commit in self.commits)
        return f"{count:040x}" if count else REVISION

    def answer(self, path: str, query: str) -> Answer:
        for repo, files in self.repositories.items():
            revision = self.revision(repo)
            if path in (f"/api/models/{repo}", f"/api/models/{repo}/revision/main", f"/api/models/{repo}/revision/v1"):
                info = {"id": repo, "modelId": repo, "sha": revision, "tags": [], "downloads": 0}
                siblings = [_sibling(name, content, with_blobs="blobs" in query) for name, content in files.items()]
                return _json({**info, "private": repo in self.private, "siblings": siblings})
            for name, content in files.items():
                if path in (f"/{repo}/resolve/{revision}/{name}", f"/{repo}/resolve/main/{name}"):
                    etag = hashlib.sha256(content).hexdigest()
                    return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": revision}, content
        return 404, {"X-Error-Code": "RepoNotFound"}, b"Repository Not Found"

    def take(self, path: str, body: bytes) -> Answer:
        """What the hub answers to someone who may write."""
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}"
            self.repositories[repo] = {".gitattributes": b"*.safetensors filter=lfs\n"}
            self.private |= {repo} if asked.get("visibility") == "private" or asked.get("private") else set()
            return _json({"url": f"{self.address}/{repo}"})
        if path == "/api/validate-yaml":
            return _json({"errors": [], "warnings": []})
        if path.endswith("/preupload/main"):
            modes = [
                {"path": f["path"], "uploadMode": "lfs" if _is_large(f["path"]) else "regular", "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            return _json({"files": modes})
        if path.endswith(".git/info/lfs/objects/batch"):
            where = {"upload": {"href": f"{self.address}/large/"}}
            objects = [
                {**one, "actions": {"upload": {"href": where["upload"]["href"] + one["oid"]}}}
                for one in json.loads(body)["objects"]
            ]
            return _json({"transfer": "basic", "objects": objects})
        repo = path.removeprefix("/api/models/").removesuffix("/commit/main")
        return self.commit(repo, [json.loads(line) for line in body.splitlines()])

    def commit(self, repo: str, lines: list[dict[str, Any]]) -> Answer:
        files = self.repositories[repo]
        if lines[0]["value"].get("parentCommit") not in (None, self.revision(repo)):
            return 412, {}, b"A commit has happened since."
        for line in lines[1:]:
            value, kind = line["value"], line["key"]
            if kind == "deletedFile":
                del files[value["path"]]
            else:
                content = self.large[value["oid"]] if kind == "lfsFile" else base64.b64decode(value["content"])
                files[value["path"]] = content
        self.commits.append({"repo": repo, "message": lines[0]["value"]["summary"], "lines": lines[1:]})
        oid = self.revision(repo)
        return _json({"commitOid": oid, "commitUrl": f"{self.address}/{repo}/commit/{oid}", "success": True})


def _sibling(name: str, content: bytes, *, with_blobs: bool) -> dict[str, Any]:
    if not with_blobs:
        return {"rfilename": name}
    digest = hashlib.sha256(content).hexdigest()
    lfs = {"lfs": {"sha256": digest, "size": len(content), "pointerSize": 130}} if _is_large(name) else {}
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return {"rfilename": name, "size": len(content), "blobId": "0" * 40 if lfs else blob, **lfs}


def _is_large(name: str) -> bool:
    return name.endswith(".safetensors")


def _json(content: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()


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
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()
