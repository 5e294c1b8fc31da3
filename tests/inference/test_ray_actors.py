"""Parts given to a cluster, by a stand-in of Ray whose actors are lost, or find no room, as a test says."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from resnetkit.errors import Code, ResnetkitError
from resnetkit.inference import ray_actors
from resnetkit.inference.ray_actors import iter_answers

PARTS = [[f"{part}/{row}" for row in range(2)] for part in range(6)]


class RayError(Exception):
    """Base of all of Ray's."""


class ObjectLostError(RayError):
    """Raised for what an actor had answered, when its machine is gone; no error of an actor."""


class RayTaskError(RayError):
    """Raised for an error of our own code in an actor."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class FakeRay:
    """Two cores, and actors that do as ``behave`` says, given their number, from 0, and what is asked of them."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, behave: Callable[[int, Sequence[str] | None], Any]) -> None:
        self.behave, self.num_actors, self.asked = behave, 0, dict[int, list[list[str]]]()

    def is_initialized(self) -> bool:
        return True

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def available_resources(self) -> dict[str, float]:
        return {}

    def remote(self, **_: int) -> Callable[[type], Any]:
        return lambda _: SimpleNamespace(remote=self._start)

    def _start(self, work: object) -> Any:
        number = self.num_actors
        self.num_actors += 1
        self.asked[number] = []

        def ask(paths: Sequence[str] | None = None) -> Callable[[], Any]:
            if paths is not None:
                self.asked[number].append(list(paths))
            return lambda: self.behave(number, paths)

        return SimpleNamespace(begin=SimpleNamespace(remote=ask), answer=SimpleNamespace(remote=ask))

    def wait(self, promises: list[Any], *, num_returns: int, timeout: float | None) -> tuple[list[Any], list[Any]]:
        done = [promise for promise in promises if promise() is not Ellipsis]
        assert done or timeout is not None, "waits for ever"
        return done[:num_returns], []

    def get(self, promise: Callable[[], Any]) -> Any:
        value = promise()
        if isinstance(value, Exception):
            raise value
        return value

    def kill(self, actor: object) -> None:
        raise RayError("is dead already")


def answers_of(
    monkeypatch: pytest.MonkeyPatch, behave: Callable[[int, Sequence[str] | None], Any]
) -> tuple[FakeRay, list[Any]]:
    ray = FakeRay(behave)
    monkeypatch.setattr(ray_actors, "connect", lambda _: ray)
    return ray, list(iter_answers("local", None, PARTS))  # type: ignore[arg-type]


def test_a_part_that_is_lost_by_any_of_rays_errors_is_answered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def behave(number: int, paths: Sequence[str] | None) -> Any:
        return ObjectLostError("its machine is gone") if number == 1 and paths else paths

    ray, answers = answers_of(monkeypatch, behave)
    assert sorted(answers) == PARTS
    assert ray.num_actors == 3


def test_an_actor_without_room_is_given_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    ray, answers = answers_of(monkeypatch, lambda number, paths: ... if number == 1 else paths)
    assert sorted(answers) == PARTS
    assert ray.asked[1] == []


def test_a_cluster_without_room_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResnetkitError, match="has begun no worker in 120 s") as caught:
        answers_of(monkeypatch, lambda *_: ...)
    assert caught.value.code is Code.IO
    assert caught.value.why == "a worker needs 1 CPU, and 0 are free"


def test_what_ends_each_actor_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_the_third(number: int, paths: Sequence[str] | None) -> Any:
        return RayError("out of memory") if paths == PARTS[2] else paths

    with pytest.raises(ResnetkitError, match="3 workers of the cluster ended with the same 2 images") as caught:
        answers_of(monkeypatch, at_the_third)
    assert caught.value.fix.endswith("the first is 2/0")
    with pytest.raises(ResnetkitError, match="ended before they began"):
        answers_of(monkeypatch, lambda *_: RayError("no such package"))


def test_an_error_of_ours_is_raised_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ResnetkitError(Code.WEIGHTS, "the classifier is damaged")
    with pytest.raises(ResnetkitError, match="the classifier is damaged"):
        answers_of(monkeypatch, lambda _, paths: RayTaskError(ours) if paths else None)
