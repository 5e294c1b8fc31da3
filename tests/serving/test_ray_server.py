"""A server on a cluster: what is told of each failure, by a stand-in of Ray; and all of it, on one of this machine."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.serving.conftest import ENGINE, is_running, small_files
from tests.serving.running_server import RunningServer, environment, serving

from resnetkit.config import from_dict
from resnetkit.errors import Code, ResnetkitError
from resnetkit.serving import ray_server
from resnetkit.serving.opening import ToServe
from resnetkit.serving.ray_deployment import Order, Replica
from resnetkit.serving.ray_server import Cluster, run_on_ray
from resnetkit.serving.settings import ServerSettings

SETTINGS = ServerSettings(max_requests=7, drain_seconds=5)


class RayError(Exception):
    """Base of all of Ray's."""


class RayTaskError(RayError):
    """Raised for an error of our own code."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def told(status: str, message: str = "") -> Any:
    return SimpleNamespace(status=status, message=message, deployments={})


class FakeRay:
    """A cluster of three free cores, whose application has one state after another.

    Attributes:
        states: of the application, once it is deployed; at the end of them a signal comes.
        happened: what was asked of the cluster, in order.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, states: list[Any], *, gpus: int = 0, opens: Any = None, others: dict[str, Any] | None = None):
        self.states, self.gpus, self.others = states, gpus, others or {}
        self.opens = {"small": "0123456789ab"} if opens is None else opens
        self.happened: list[str] = []
        self.options: dict[str, Any] = {}
        self.order: Any = None
        self.not_drained: Any = [0]
        self.RunTarget = lambda bound, **named: (bound, named)

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 4.0, "GPU": float(self.gpus)} if self.gpus else {"CPU": 4.0}

    def available_resources(self) -> dict[str, float]:
        return {"CPU": 3.0, "GPU": float(self.gpus)}

    def remote(self, **resources: int) -> Any:
        self.resources = resources
        ask = SimpleNamespace(remote=lambda *_: "promise")
        return lambda _: SimpleNamespace(remote=lambda: SimpleNamespace(begin=ask, open=ask))

    def wait(self, promises: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        return ([], promises) if self.opens is ... else (promises, [])

    def get(self, _: Any) -> Any:
        if isinstance(self.opens, Exception):
            raise self.opens
        return self.opens

    def kill(self, _: Any) -> None:
        self.happened.append("opener ends")

    # of ray.serve
    def status(self) -> Any:
        if "deployed" not in self.happened:
            return SimpleNamespace(applications=self.others)
        if len(self.states) == 1:
            signal.raise_signal(signal.SIGTERM)
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return SimpleNamespace(applications={"resnetkit": state} if state else {})

    def shutdown(self) -> None:
        self.happened.append("shut down")

    def start(self, **options: Any) -> None:
        self.http = options["http_options"]

    def ingress(self) -> Callable[[type], type]:
        return lambda kind: kind

    def deployment(self, kind: type, **options: Any) -> Any:
        assert kind is Replica
        self.options = options
        return SimpleNamespace(bind=lambda order: order)

    def run_many(self, targets: list[Any], **_: Any) -> None:
        ((self.order, self.named),) = targets
        self.happened.append("deployed")

    def get_app_handle(self, name: str) -> Any:
        return SimpleNamespace(broadcast=self._broadcast)

    def _broadcast(self, method: str) -> Any:
        assert method == "drain"
        self.happened.append("drained")
        if isinstance(self.not_drained, Exception):
            raise self.not_drained
        return SimpleNamespace(results=lambda timeout_s: self.not_drained)


@pytest.fixture
def run(file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Serve on a stand-in; the exit code, and what was told when it was ready."""
    monkeypatch.setattr(ray_server, "WATCH_SECONDS", 0.0)

    def run(ray: FakeRay, num_replicas: int | None = None) -> tuple[int, list[Any]]:
        monkeypatch.setattr(ray_server, "connect", lambda _: ray)
        monkeypatch.setattr(ray_server, "import_extra", lambda *_, **__: ray)
        monkeypatch.chdir(file.parent)
        ready: list[Any] = []
        order = Order((ToServe("small", file.name),), SETTINGS)
        code = run_on_ray(Cluster("auto", num_replicas, "127.0.0.1", 8765), order, ready.append)
        return code, ready

    return run


def test_replicas_are_started_watched_and_drained(
    run: Callable[..., Any], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = told("UNHEALTHY", "a trace\n  The replica has failed\n")
    ray = FakeRay([told("DEPLOYING"), told("RUNNING"), RayError("no controller"), lost, told("RUNNING")])
    code, ready = run(ray)
    assert code == 0
    assert ready == [{"small": "0123456789ab"}]
    assert ray.happened == ["shut down", "opener ends", "deployed", "drained", "shut down", "shut down"]
    assert from_dict(Order, ray.order).to_serve[0].source == str(file)
    assert ray.options["num_replicas"] == 3
    assert ray.options["ray_actor_options"] == {"num_cpus": 1}
    # Ray itself refuses only what comes beyond what replicas refuse in their own words.
    assert ray.options["max_ongoing_requests"] > SETTINGS.max_requests
    assert (ray.http["host"], ray.http["port"]) == ("127.0.0.1", 8765)
    errors = capsys.readouterr().err
    assert "replicas: unhealthy, The replica has failed" in errors
    assert "replicas: running" in errors
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_gpu_each_where_there_are_some_and_as_many_replicas_as_told(run: Callable[..., Any]) -> None:
    ray = FakeRay([told("RUNNING"), told("RUNNING")], gpus=2)
    run(ray)
    assert ray.options["num_replicas"] == 2
    assert ray.options["ray_actor_options"]["num_gpus"] == 1
    run(ray := FakeRay([told("RUNNING"), told("RUNNING")]), 5)
    assert ray.options["num_replicas"] == 5


def test_what_was_lost_at_the_end_is_an_exit_code(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    ray = FakeRay([told("RUNNING"), told("RUNNING")])
    ray.not_drained = [0, 2]
    assert run(ray)[0] == 1
    ray = FakeRay([told("RUNNING"), told("RUNNING")])
    ray.not_drained = RayError("one has just died")
    assert run(ray)[0] == 0
    assert "not every replica could be drained: RayError: one has just died" in capsys.readouterr().err
    assert ray.happened[-1] == "shut down"


def test_a_signal_before_it_is_ready_ends_it(run: Callable[..., Any]) -> None:
    ray = FakeRay([told("DEPLOYING")])
    assert run(ray) == (0, [])
    assert ray.happened[-1] == "shut down"


OURS = ResnetkitError(Code.WEIGHTS, "the classifier is damaged")
FAILURES: dict[str, tuple[FakeRay, str, str]] = {
    "another": (FakeRay([], others={"shop": told("RUNNING")}), "serves something already: shop", ""),
    "room": (FakeRay([], opens=...), "the Ray cluster at 'auto' has begun no worker in 120 s", "1 CPU, and 3 are free"),
    "ours": (FakeRay([], opens=RayTaskError(OURS)), "the classifier is damaged", ""),
    "lost": (FakeRay([], opens=RayError("its machine is gone")), "could not start all replicas", "machine is gone"),
    "failed": (FakeRay([told("DEPLOY_FAILED", "x\nno memory\n")]), "could not start all replicas", "no memory"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_told(name: str, run: Callable[..., Any]) -> None:
    ray, what, why = FAILURES[name]
    with pytest.raises(ResnetkitError, match=what) as caught:
        run(ray)
    assert why in caught.value.why
    assert "deployed" not in ray.happened or ray.happened[-1] == "shut down"


def test_what_others_take_down_is_told(run: Callable[..., Any]) -> None:
    with pytest.raises(ResnetkitError, match="somebody else has taken the replicas down"):
        run(FakeRay([told("RUNNING"), None, told("RUNNING")]))


@pytest.mark.parametrize(("module", "what"), [("ray", "needs Ray, which"), ("ray.serve", "needs Ray Serve, which")])
def test_without_ray_the_extra_is_named(module: str, what: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if module == "ray.serve":
        monkeypatch.setattr(ray_server, "connect", lambda _: FakeRay([]))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ResnetkitError, match=what) as caught:
        run_on_ray(Cluster("local", 1, "127.0.0.1", 1), Order((ToServe("a", str(file)),), SETTINGS), print)
    assert caught.value.fix == "pip install 'resnetkit[ray]'"


def test_nothing_there_is_told_before_a_cluster_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ray_server, "connect", lambda _: pytest.fail("it was connected to"))
    order = Order((ToServe("a", str(tmp_path / "none")),), SETTINGS)
    with pytest.raises(ResnetkitError, match="none"):
        run_on_ray(Cluster("local", 1, "127.0.0.1", 1), order, print)


FILES = small_files(40)


def rows_of_predict(file: Path, folder: Path) -> list[bytes]:
    names = [f"{number:02}.png" for number in range(len(FILES))]
    for name, content in zip(names, FILES, strict=True):
        (folder / name).write_bytes(content)
    command = [sys.executable, "-m", "resnetkit", "predict", str(file), *names, "--format", "jsonl", "--engine", ENGINE]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, check=False)
    assert done.returncode == 1, done.stderr  # some cannot be read
    return done.stdout.splitlines(keepends=True)


async def ask(url: str, rows: list[bytes], number: int, *, may_fail: bool = False) -> Counter[int]:
    """Ask so often, 16 at a time, and check each row; how often there was which status."""
    gate, statuses = asyncio.Semaphore(16), Counter[int]()
    limits = httpx.Limits(max_connections=16)

    async def one(client: httpx.AsyncClient, place: int) -> None:
        async with gate:
            form = {"file": (f"{place:02}.png", FILES[place], "image/png")}
            answer = await client.post(f"{url}/predict", files=form, headers={"Accept": "application/x-ndjson"})
        statuses[answer.status_code] += 1
        if answer.status_code == 200:
            assert answer.content == rows[place]
        else:
            assert may_fail, answer.text

    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        await asyncio.gather(*(one(client, n % len(FILES)) for n in range(number)))
    return statuses


async def ask_and_end(server: RunningServer, rows: list[bytes]) -> int:
    """Ask for many images at once and end the server meanwhile; each request is answered whole, or refused."""
    form = [("file", (f"{place:02}.png", content, "image/png")) for place, content in enumerate(FILES)]
    async with httpx.AsyncClient(timeout=60) as client:
        lines = {"Accept": "application/x-ndjson"}
        asked = [
            asyncio.create_task(client.post(f"{server.url}/predict", files=form, headers=lines)) for _ in range(12)
        ]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        ended = asyncio.create_task(asyncio.to_thread(server.end, signal.SIGTERM, seconds=60))
        answers = await asyncio.gather(*asked)
    for answer in answers:
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200:
            assert answer.content == b"".join(rows)
    assert any(answer.status_code == 200 for answer in answers)
    return await ended


def replicas_of(server: RunningServer) -> dict[int, list[int]]:
    """The replicas' processes of a cluster of this machine, with their workers."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        try:
            if (entry / "cmdline").read_bytes().startswith(b"ray::ServeReplica:resnetkit"):
                told = (entry / "environ").read_bytes()
                children = [int(pid) for task in entry.glob("task/*/children") for pid in task.read_text().split()]
                if str(server.log.parent).encode() in told:
                    found[int(entry.name)] = children
        except (OSError, ValueError):
            continue
    return found


@pytest.mark.slow
def test_a_cluster_answers_as_predict_does_and_loses_nothing_but_what_a_killed_replica_had(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray.serve", reason="needs Ray Serve: pip install 'resnetkit[ray]'")
    monkeypatch.setenv("RESNETKIT_TEST_FOLDER", str(tmp_path))  # by which its processes are known
    (images := tmp_path / "images").mkdir()
    rows = rows_of_predict(file, images)
    with serving(tmp_path, f"small={file}", "--ray", "local", "--replicas", "2") as server:
        assert asyncio.run(ask(server.url, rows, 200)) == {200: 200}
        replicas = replicas_of(server)
        assert len(replicas) == 2
        assert all(replicas.values())
        killed = next(iter(replicas))
        os.kill(killed, signal.SIGKILL)
        statuses = asyncio.run(ask(server.url, rows, 100, may_fail=True))
        assert statuses[200] >= 100 - 16
        until = time.monotonic() + 60
        while not (len(now := replicas_of(server)) == 2 and killed not in now and all(now.values())):
            assert time.monotonic() < until, "no other replica has taken its place"
            time.sleep(0.2)
        assert asyncio.run(ask(server.url, rows, 100)) == {200: 100}
        assert not any(is_running(worker) for worker in replicas[killed])
        assert asyncio.run(ask_and_end(server, rows)) == 0
        assert not any(is_running(pid) for pair in replicas_of(server).items() for pid in (pair[0], *pair[1]))
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{server.url}/healthz")
    assert json.dumps(server.told["models"]).count("small") == 1
