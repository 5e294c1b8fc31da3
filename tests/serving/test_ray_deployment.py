"""A replica without a cluster: its lifespan, its health, and how it is drained."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fake_served import FakeServed, picture
from tests.serving.conftest import run, until

from resnetkit.config import to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.serving import ray_deployment
from resnetkit.serving.opening import ToServe
from resnetkit.serving.ray_deployment import Lifetime, Opener, Order, Replica
from resnetkit.serving.settings import ServerSettings

SETTINGS = ServerSettings(max_requests=7, drain_seconds=0.3)
ORDER = Order((ToServe("shapes", "/nowhere/run", {"class_names": "a"}, "torch", "bf16", "cpu", 9, 8),), SETTINGS)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What has been opened, and ``closed`` when it has been; a stand-in for worker processes."""
    happened: list[Any] = []

    @asynccontextmanager
    async def open_served(
        to_serve: Sequence[ToServe], settings: ServerSettings
    ) -> AsyncIterator[Mapping[str, FakeServed]]:
        served = {one.name: FakeServed(one.name, one.source) for one in to_serve}
        happened.append((tuple(to_serve), settings, served))
        yield served
        happened.append("closed")

    monkeypatch.setattr(ray_deployment, "open_served", open_served)
    return happened


@asynccontextmanager
async def living(replica: Replica) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a replica that a stand-in of Ray has started, and ends."""
    app = replica.__serve_build_asgi_app__()
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: list[str] = []

    async def note(message: Any) -> None:
        sent.append(message["type"])

    life = asyncio.create_task(app({"type": "lifespan"}, to_app.get, note))
    to_app.put_nowait({"type": "lifespan.startup"})
    await until(lambda: bool(sent) or life.done())
    assert sent == ["lifespan.startup.complete"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://replica") as client:
        yield client
    to_app.put_nowait({"type": "lifespan.shutdown"})
    await life
    assert sent[1:] == ["lifespan.shutdown.complete"]


def test_what_is_ordered_travels_as_plain_values(opened: list[Any]) -> None:
    values = json.loads(json.dumps(to_dict(ORDER)))

    async def work() -> None:
        async with living(Replica(values)):
            assert opened[0][:2] == (ORDER.to_serve, SETTINGS)
        assert opened[1:] == ["closed"]

    run(work)


def test_it_is_the_servers_own_application(opened: list[Any], tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("secret")

    async def work() -> None:
        async with living(Replica(to_dict(Order(ORDER.to_serve, SETTINGS, str(tokens))))) as client:
            assert (await client.get("/v2/health/ready")).status_code == 200
            asked = await client.post("/predict", content=picture(), headers={"Content-Type": "image/png"})
            assert asked.status_code == 401
            allowed = {"Content-Type": "image/png", "Authorization": "Bearer secret"}
            assert (await client.post("/predict", content=picture(), headers=allowed)).json()["status"] == "ok"

    run(work)


def test_one_for_this_machine_alone_is_asked_by_its_names(opened: list[Any]) -> None:
    async def work() -> None:
        async with living(Replica(to_dict(Order(ORDER.to_serve, SETTINGS, is_local=True)))) as client:
            statuses = [
                (await client.get("/models", headers={"Host": host})).status_code for host in ("localhost", "x.com")
            ]
            assert statuses == [200, 421]

    run(work)


def test_ray_is_to_replace_only_what_has_given_up(opened: list[Any]) -> None:
    async def work() -> None:
        replica = Replica(to_dict(ORDER))
        async with living(replica):
            served = opened[0][2]["shapes"]
            for state in ("starting", "ready", "restarting"):
                served.state = state
                replica.check_health()
            served.state, served.problem = "failed", "its file is gone"
            with pytest.raises(ResnetkitError, match="shapes has failed") as caught:
                replica.check_health()
            assert caught.value.why == "its file is gone"

    run(work)


@pytest.mark.parametrize("is_in_time", [True, False])
def test_a_drained_replica_answers_what_it_has_accepted_and_refuses_the_rest(
    is_in_time: bool, opened: list[Any]
) -> None:
    async def work() -> None:
        replica, headers = Replica(to_dict(ORDER)), {"Content-Type": "image/png"}
        async with living(replica) as client:
            served = opened[0][2]["shapes"]
            served.gate = asyncio.Event()
            accepted = asyncio.create_task(client.post("/predict", content=picture(), headers=headers))
            await until(lambda: served.num_waiting == 1)
            draining = asyncio.create_task(replica.drain())
            await asyncio.sleep(0)
            refused = await client.post("/predict", content=picture(), headers=headers)
            assert refused.status_code == 503
            assert "the server is being stopped" in refused.text
            assert int(refused.headers["Retry-After"]) >= 1
            assert (await client.get("/v2/health/ready")).status_code == 503
            assert not draining.done()
            if is_in_time:
                served.gate.set()
            assert await draining == int(not is_in_time)
            served.gate.set()
            assert (await accepted).status_code == 200

    run(work)


def test_what_cannot_be_opened_is_told_by_an_error_of_ours(tmp_path: Path) -> None:
    order = Order((ToServe("gone", str(tmp_path / "gone")),), SETTINGS)
    with pytest.raises(ResnetkitError, match="two classifiers are to be served as 'gone'"):
        run(lambda: Opener().open(to_dict(Order(order.to_serve * 2, SETTINGS))))


def test_the_opener_tells_versions(opened: list[Any]) -> None:
    assert run(lambda: Opener().open(to_dict(ORDER))) == {"shapes": "0123456789ab"}
    assert opened[1:] == ["closed"]


def test_nothing_is_asked_of_a_replica_before_it_lives() -> None:
    with pytest.raises(AssertionError, match="starts the lifespan"):
        Replica(to_dict(ORDER)).check_health()
    assert isinstance(Replica(to_dict(ORDER)).__serve_build_asgi_app__(), Lifetime)
