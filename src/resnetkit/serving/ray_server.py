"""A server on a Ray cluster: replicas behind the ports that Ray Serve opens, from their start to their end.

Ray hands each request to one replica. What is over a replica's limits it refuses itself, in its own words and at once;
so Ray may hand it more than that.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from resnetkit.config import to_dict
from resnetkit.errors import Code, ResnetkitError, require, summarize
from resnetkit.extras import import_extra
from resnetkit.inference.ray_actors import ROOM_SECONDS, without_room
from resnetkit.machine.ray_cluster import connect
from resnetkit.serving.ray_deployment import Opener, Order, Replica
from resnetkit.serving.worker_process import OPEN_SECONDS
from resnetkit.sources.locate import locate_weights
from resnetkit.terminal import warn

APP = "resnetkit"
MAX_STARTS = 3  # of replicas that do not come to answer, before that is an error
WATCH_SECONDS = 1.0
OUT_OF_REACH_SECONDS = 60.0


@dataclass(frozen=True)
class Cluster:
    """The place that replicas are to run at.

    Attributes:
        address: ``local``, ``auto`` or ``HOST:PORT``, as :func:`~resnetkit.machine.ray_cluster.connect` takes it.
        num_replicas: None for one on each GPU that is free, or where the cluster has none, on each core.
        host, port: that each machine with a replica listens on.
    """

    address: str
    num_replicas: int | None
    host: str
    port: int


def run_on_ray(cluster: Cluster, order: Order, tell_ready: Callable[[Mapping[str, str]], None]) -> int:
    """Serve on a cluster until a signal comes; the exit code.

    Args:
        tell_ready: called once, when all replicas take requests, with the versions of what is served, by name.

    Raises:
        ResnetkitError: where no cluster answers or has room, or something else is served there; for a classifier that
            cannot be opened.
    """
    whole = tuple(replace(one, source=locate_weights(one.source).whole_name) for one in order.to_serve)
    order = replace(order, to_serve=whole)  # found from any folder
    ray = connect(cluster.address)
    serve: Any = import_extra("ray.serve", extra="ray", what="--ray needs Ray Serve, which is not installed")
    logging.getLogger("ray.serve").setLevel(logging.CRITICAL)  # what is of use to people is told here
    others = ", ".join(serve.status().applications)
    require(
        not others,
        f"the Ray cluster at '{cluster.address}' serves something already: {others}",
        fix="end that first: its own command, or `serve shutdown`, does it",
    )
    serve.shutdown()  # what another has left behind without an application, and with a port of its own
    resources = {"num_gpus": 1, "num_cpus": 0} if ray.cluster_resources().get("GPU") else {"num_cpus": 1}
    versions = _open_once(ray, cluster.address, order, resources)
    with _signals() as came:
        try:
            _start(ray, serve, cluster, order, resources)
            if _is_running(serve, came):
                tell_ready(versions)
                with redirect_stdout(sys.stderr):  # Ray prints what it tells of its actors
                    _watch(serve, came)
            return int(bool(_drain(serve, order)))
        finally:
            _end(ray, serve)


def _open_once(ray: Any, address: str, order: Order, resources: dict[str, int]) -> dict[str, str]:
    opener = ray.remote(**resources)(Opener).remote()
    try:
        begun, _ = ray.wait([opener.begin.remote()], timeout=ROOM_SECONDS)
        if not begun:
            raise without_room(address, resources.get("num_gpus", 0), ray.available_resources())
        versions: dict[str, str] = ray.get(opener.open.remote(to_dict(order)))
    except ray.exceptions.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, ResnetkitError) else error) from None
    except ray.exceptions.RayError as error:
        raise _not_started(summarize(error)) from error
    finally:
        with suppress(ray.exceptions.RayError):
            ray.kill(opener)
    return versions


def _start(ray: Any, serve: Any, cluster: Cluster, order: Order, resources: dict[str, int]) -> None:
    settings = order.settings
    seconds = settings.deadline_seconds + settings.receive_seconds
    serve.start(
        proxy_location="EveryNode",
        http_options={
            "host": cluster.host,
            "port": cluster.port,
            "request_timeout_s": seconds,
            "keep_alive_timeout_s": int(settings.keep_alive_seconds),
        },
    )
    free = int(ray.available_resources().get("GPU" if resources.get("num_gpus") else "CPU", 0))
    most = settings.max_requests * len(order.to_serve)
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name=APP,
        num_replicas=cluster.num_replicas or max(1, free),
        ray_actor_options=resources,
        max_ongoing_requests=most + settings.max_connections,
        max_queued_requests=settings.max_connections,
        backpressure_config={"retry_after_s": 1},
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=settings.drain_seconds,
        health_check_period_s=5,
        max_constructor_retry_count=MAX_STARTS,
    )
    target = serve.RunTarget(deployment.bind(to_dict(order)), name=APP, route_prefix="/")
    serve.run_many([target], wait_for_applications_running=False)


def _is_running(serve: Any, came: list[int]) -> bool:
    """Wait until all replicas take requests; False where a signal came first."""
    until = time.monotonic() + OPEN_SECONDS
    while not came:
        told = serve.status().applications[APP]
        if told.status == "RUNNING":
            return True
        if told.status == "DEPLOY_FAILED" or time.monotonic() > until:
            raise _not_started(_cause(told))
        time.sleep(WATCH_SECONDS / 5)
    return False


def _watch(serve: Any, came: list[int]) -> None:
    """Tell of what becomes of the replicas, until a signal comes."""
    said, reached = "RUNNING", time.monotonic()
    while not came:
        time.sleep(WATCH_SECONDS / 5)
        try:
            told = serve.status().applications.get(APP)
        except Exception as error:  # Ray starts its controller again where it is lost
            if time.monotonic() - reached > OUT_OF_REACH_SECONDS:
                raise ResnetkitError(Code.IO, "the Ray cluster is out of reach", why=summarize(error)) from error
            continue
        reached = time.monotonic()
        if told is None:
            raise ResnetkitError(Code.IO, "somebody else has taken the replicas down", fix="start the command again")
        if told.status != said:
            said = told.status
            warn(f"replicas: {said.lower()}{f', {_cause(told)}' if said != 'RUNNING' else ''}")


def _cause(told: Any) -> str:
    """The last line of what Ray says of an application, or of its deployment."""
    texts = [told.message, *(one.message for one in told.deployments.values())]
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else str(told.status).lower()


def _drain(serve: Any, order: Order) -> int:
    """Let every replica answer what it has accepted; the number of requests that were not answered in time."""
    try:
        told = serve.get_app_handle(APP).broadcast("drain")
        return sum(told.results(timeout_s=order.settings.drain_seconds + WATCH_SECONDS))
    except Exception as error:  # a replica that is being replaced, or was not there yet
        warn(f"not every replica could be drained: {summarize(error)}")
        return 0


def _end(ray: Any, serve: Any) -> None:
    """Take everything down; Ray calls each actor that it ends itself a failure, on stdout."""
    with redirect_stdout(io.StringIO()), suppress(ray.exceptions.RayError, TimeoutError):
        serve.shutdown()
        ray.shutdown()


def _not_started(why: str) -> ResnetkitError:
    return ResnetkitError(
        Code.IO,
        "the cluster could not start all replicas",
        why=why,
        fix="see that there is a core, or a GPU, for each, and that every machine has this package and sees the files",
    )


@contextmanager
def _signals() -> Iterator[list[int]]:
    """A list of the signals that ask for an end; a second one ends the process at once."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if came:
            os._exit(128 + number)
        came.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
