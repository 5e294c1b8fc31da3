"""The server as users run it, with its workers: rows of `predict`, a foreign client, signals, deaths."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.fake_served import in_base64
from tests.serving.conftest import ENGINE, Known, is_running, small_files
from tests.serving.running_server import RunningServer, environment, serving

pytestmark = pytest.mark.slow
FILES = small_files(40)
READABLE = [content for number, content in enumerate(FILES) if number % 10 != 9]


@pytest.fixture(scope="module")
def server(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("server"), f"small={file}") as running:
        yield running


def post(server: RunningServer, content: bytes, **arguments: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/predict", content=content, headers={"Content-Type": "image/png"}, **arguments)


def test_rows_are_those_of_predict_byte_for_byte(server: RunningServer, file: Path, tmp_path: Path) -> None:
    names = [f"{number:02} é.png" for number in range(len(FILES))]
    for name, content in zip(names, FILES, strict=True):
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-m", "resnetkit", "predict", str(file), *names, "--format", "jsonl", "--engine", ENGINE]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, check=False)
    assert done.returncode == 1, done.stderr  # some cannot be read
    items = [{"name": name, "data": in_base64(content)} for name, content in zip(names, FILES, strict=True)]
    form = [("file", (name, content, "image/png")) for name, content in zip(names, FILES, strict=True)]
    lines = {"Accept": "application/x-ndjson"}
    in_json = httpx.post(f"{server.url}/predict", json={"images": items}, headers=lines)
    in_form = httpx.post(f"{server.url}/predict", files=form, headers=lines)
    assert in_json.content == done.stdout
    assert in_form.content == done.stdout
    one_by_one = [post(server, content).json() for content in READABLE]
    rows = [line for line in in_json.text.splitlines() if '"ok"' in line]
    assert [row["top"] for row in one_by_one] == [httpx.Response(200, text=row).json()["top"] for row in rows]


def test_a_page_under_a_name_of_its_own_reads_nothing(server: RunningServer) -> None:
    assert httpx.get(f"{server.url}/models", headers={"Host": "evil.example"}).status_code == 421


def test_a_client_that_we_did_not_write_speaks_with_it(server: RunningServer, known: Known) -> None:
    triton = pytest.importorskip("tritonclient.http")
    files = np.array(READABLE[:5], object)
    expected = np.stack([known.expected[i] for i in range(5)])
    client = triton.InferenceServerClient(server.url.removeprefix("http://"))
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("small")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = client.get_model_metadata("small")
    (version,) = metadata["versions"]
    assert client.is_model_ready("small", version)
    assert not client.is_model_ready("small", "1")
    assert [tensor["name"] for tensor in metadata["inputs"]] == ["image", "pixels"]

    def image(binary: bool) -> Any:
        tensor = triton.InferInput("image", [5], "BYTES")
        content = files if binary else np.array([in_base64(one).encode() for one in files], object)
        tensor.set_data_from_numpy(content, binary_data=binary)
        return tensor

    for binary in (True, False):
        answer = client.infer("small", [image(binary)], request_id="17", model_version=version if binary else "")
        np.testing.assert_array_equal(answer.as_numpy("probabilities"), expected)
        assert answer.as_numpy("logits").shape == (5, 1, 3)
        assert [name.decode() for name in answer.as_numpy("class")] == [f"1 {i}" for i in expected.argmax(1)]
        assert answer.get_response()["id"] == "17"
        assert answer.get_response()["model_version"] == version
        outputs = [triton.InferRequestedOutput("probabilities", binary_data=binary)]
        answer = client.infer("small", [image(binary)], outputs=outputs, timeout=20_000_000)
        np.testing.assert_array_equal(answer.as_numpy("probabilities"), expected)
        assert answer.as_numpy("logits") is None
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), dtype=np.uint8)
    shares = []
    for binary in (True, False):
        tensor = triton.InferInput("pixels", [2, 3, 16, 16], "UINT8")
        tensor.set_data_from_numpy(pixels, binary_data=binary)
        shares.append(client.infer("small", [tensor]).as_numpy("probabilities"))
    np.testing.assert_array_equal(*shares)
    np.testing.assert_allclose(shares[0].sum(1), 1, rtol=1e-6)
    refused = {
        "404": lambda: client.infer("smal", [image(True)]),
        "422": lambda: client.infer("small", [broken(triton)]),
        "400": lambda: client.infer("small", [image(True)], outputs=[triton.InferRequestedOutput("probs")]),
        "415": lambda: client.infer("small", [image(True)], request_compression_algorithm="gzip"),
    }
    for status, ask in refused.items():
        with pytest.raises(Exception, match=r"\w+") as raised:
            ask()
        assert raised.value.status() == status  # type: ignore[attr-defined]
        assert len(raised.value.message()) > 10  # type: ignore[attr-defined]
    client.close()


def broken(triton: Any) -> Any:
    tensor = triton.InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([b"no image"], object))
    return tensor


def test_a_worker_that_dies_is_told_of_and_replaced(server: RunningServer) -> None:
    assert server.workers
    for pid in server.workers:
        os.kill(pid, signal.SIGKILL)
    statuses, ends = Counter[int](), time.monotonic() + 90
    while not statuses[200] and time.monotonic() < ends:
        answer = post(server, READABLE[0])
        statuses[answer.status_code] += 1
        if answer.status_code == 503:
            assert httpx.get(f"{server.url}/v2/health/ready").status_code in (200, 503)
            assert int(answer.headers["retry-after"]) >= 1
        time.sleep(0.05)
    assert set(statuses) <= {200, 500, 503}
    assert statuses[200] == 1
    assert httpx.get(f"{server.url}/v2/health/live").status_code == 200


class HalfSent:
    """A request of which the server has the head and a part of the body."""

    def __init__(self, server: RunningServer) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=20)
        head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/png\r\n"
        self._socket.sendall(f"{head}Content-Length: {len(READABLE[0])}\r\n\r\n".encode() + READABLE[0][:100])

    def finish(self) -> bytes:
        """Send the rest; all that comes until the server closes."""
        came = b""
        with suppress(ConnectionError), self._socket:
            self._socket.sendall(READABLE[0][100:])
            while chunk := self._socket.recv(1 << 16):
                came += chunk
        return came


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_accepted_request_is_lost_when_it_is_stopped(file: Path, tmp_path: Path, number: int) -> None:
    with serving(tmp_path, f"small={file}") as server:
        accepted = [HalfSent(server) for _ in range(20)]
        time.sleep(0.3)
        server.process.send_signal(number)
        time.sleep(0.3)
        assert httpx.get(f"{server.url}/v2/health/ready").status_code == 503
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        for _ in range(5):
            refused = post(server, READABLE[0])
            assert (refused.status_code, refused.headers["connection"]) == (503, "close")
            assert int(refused.headers["retry-after"]) >= 1
        assert server.process.poll() is None
        answers = [request.finish() for request in accepted]
        assert [answer.split(b" ", 2)[1] for answer in answers] == [b"200"] * 20
        assert all(b"connection: close" in answer for answer in answers)
        assert server.process.wait(20) == 0
        assert Counter(line["status"] for line in server.lines() if line["path"] == "/predict") == {200: 20, 503: 5}
        assert "Traceback" not in server.log.read_text()


def test_a_second_signal_ends_it_and_its_workers_at_once(file: Path, tmp_path: Path) -> None:
    with serving(tmp_path, f"small={file}") as server:
        workers, request = server.workers, HalfSent(server)
        time.sleep(0.3)
        began = time.monotonic()
        assert server.end(signal.SIGTERM, signal.SIGTERM) == 143
        assert time.monotonic() - began < 3
        assert request.finish() == b""
        ends = time.monotonic() + 10
        while any(map(is_running, workers)) and time.monotonic() < ends:
            time.sleep(0.05)
        assert not any(map(is_running, workers))


def test_several_are_served_with_a_token_by_their_names(file: Path, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("abc\n")
    with serving(tmp_path, f"one={file}", str(file), "--token-file", str(tmp_path / "tokens")) as server:
        assert [model["name"] for model in server.told["models"]] == ["one", "small"]
        headers = {"Authorization": "Bearer abc"}
        assert httpx.get(f"{server.url}/models").status_code == 401
        listed = httpx.get(f"{server.url}/models", headers=headers).json()["models"]
        assert [model["name"] for model in listed] == ["one", "small"]
        assert len(server.workers) == 2
        assert server.end(signal.SIGTERM) == 0
        assert "abc" not in server.log.read_text()


def test_the_process_that_speaks_http_loads_no_torch(file: Path) -> None:
    code = "import sys, resnetkit.serving.server; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
