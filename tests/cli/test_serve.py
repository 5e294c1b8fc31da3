"""What `serve` refuses before it opens anything, and what it warns of."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resnetkit.cli.serve import named
from resnetkit.serving import ray_server, server
from resnetkit.serving.ray_deployment import Order
from resnetkit.serving.ray_server import Cluster


def test_a_port_that_is_taken_is_told(cli: Callable[..., Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        outcome = cli("serve", "nothing", "--port", port)
    assert outcome.code == 7
    assert f"cannot listen on 127.0.0.1 port {port}" in outcome.err
    assert "Address already in use" in outcome.err


WRONG: dict[str, tuple[list[str], str]] = {
    "port": (["a", "--port", "70000"], "--port must be from 0 to 65,535"),
    "batch": (["a", "--max-batch", "0"], "max_batch_images must be at least 1"),
    "deadline": (["a", "--deadline", "0"], "deadline_seconds must be above 0"),
    "replicas": (["a", "--ray", "local", "--replicas", "0"], "--replicas must be at least 1"),
    "replicas alone": (["a", "--replicas", "2"], "--replicas are those of a cluster"),
    "tokens": (["a", "--token-file", "missing"], "missing"),
    "reading": (["a", "b", "--model", "resnet18"], "several classifiers cannot be read by the same options"),
    "host": (["a", "--host", "no.such.host.invalid", "--port", "0"], "cannot listen on no.such.host.invalid"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_before_anything_is_opened(
    name: str, cli: Callable[..., Any], empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "run_server", lambda *_: pytest.fail("it was started"))
    arguments, words = WRONG[name]
    outcome = cli("serve", *arguments)
    assert outcome.code in (2, 7)
    assert words in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("arguments", "is_told"),
    [([], False), (["--host", "127.0.0.2"], False), (["--host", "0.0.0.0"], True), (["--host", "::"], True)],
)
@pytest.mark.parametrize("has_token", [False, True])
def test_open_doors_are_told_of(
    arguments: list[str],
    is_told: bool,
    has_token: bool,
    cli: Callable[..., Any],
    empty_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(server, "run_server", lambda *given: asked.append(given) or 0)
    Path("tokens").write_text("t")
    outcome = cli("serve", "x=a", "b", "--port", "0", *arguments, *(["--token-file", "tokens"] if has_token else []))
    assert outcome.code == 0, outcome.err
    assert ("--token-file lets only some" in outcome.err) == (is_told and not has_token)
    ((to_serve, settings, bound, tokens, _),) = asked
    assert [(one.name, one.source) for one in to_serve] == [("x", "a"), ("b", "b")]
    assert (tokens is not None) == has_token
    assert settings.max_requests == 256
    bound.close()


def test_a_cluster_is_told_all_that_it_is_to_serve(
    cli: Callable[..., Any], empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_on_ray(cluster: Cluster, order: Order, tell_ready: Callable[[dict[str, str]], None]) -> int:
        asked.append((cluster, order))
        tell_ready({"x": "0123456789ab"})
        return 1

    asked: list[Any] = []
    monkeypatch.setattr(ray_server, "run_on_ray", run_on_ray)
    Path("tokens").write_text("t")
    options = ["--port", "0", "--ray", "auto", "--replicas", "3", "--token-file", "tokens", "--max-requests", "9"]
    outcome = cli("serve", "x=a", *options, "--json")
    assert outcome.code == 1
    ((cluster, order),) = asked
    told = json.loads(outcome.out)
    assert told["models"] == [{"name": "x", "version": "0123456789ab"}]
    assert (cluster.address, cluster.num_replicas, cluster.host) == ("auto", 3, "127.0.0.1")
    assert told["url"] == f"http://127.0.0.1:{cluster.port}"
    assert [(one.name, one.source) for one in order.to_serve] == [("x", "a")]
    assert order.settings.max_requests == 9
    assert order.token_file == str(empty_folder / "tokens")
    assert not order.is_local
    cli("serve", "x=a", "--port", "0", "--ray", "auto")
    assert asked[1][1].is_local


@pytest.mark.slow
def test_nothing_of_that_name_is_told_with_its_code(cli: Callable[..., Any], empty_folder: Path) -> None:
    outcome = cli("serve", "runs/none", "--port", "0")
    assert outcome.code == 4
    assert "runs/none" in outcome.err


def test_names_are_given_or_those_of_files(empty_folder: Path) -> None:
    Path("a=b").mkdir()
    Path("small.safetensors").touch()
    assert named("a=b") == ("a=b", "a=b")
    assert named("x=a=b") == ("x", "a=b")
    assert named("small.safetensors") == ("small", "small.safetensors")
    assert named(".") == (empty_folder.name, ".")
    assert named("a b=c")[1] == "a b=c"
