"""Answers from a Ray cluster: plain actors, each with an engine of its own, that are given one part after another.

Plain actors, and not Ray Data: what is done when a worker dies is then decided here. A part is answered again as a
whole and written once, by the process that all of it comes back to; so rows are there at most once and a folder of them
can be gone on with. Ray Data retries blocks and writes them where they were computed, under names of its own, and
begins from the start when it is killed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from resnetkit.errors import Code, ResnetkitError, summarize
from resnetkit.inference.answering import Answer, Predicting, Scoring
from resnetkit.machine.ray_cluster import connect

PARTS_AHEAD = 2  # of each actor: one that it computes, one that waits there
MOST_DEATHS = 3  # of actors with the same part, or of those that never began
ROOM_SECONDS = 120.0  # in which a cluster begins one actor, if it has room
START = -1  # in place of a part's number


class Answering:
    """An engine on one machine of the cluster."""

    def __init__(self, work: Predicting | Scoring) -> None:
        self._work = work

    def begin(self) -> None:
        """Tell that there is room for it, by returning."""

    def answer(self, paths: Sequence[str]) -> Any:
        """A table with a row for each path."""
        return self._answer(paths)

    @cached_property
    def _answer(self) -> Answer:
        return self._work.answer_with(self._work.opening.open())


def iter_answers(address: str, work: Predicting | Scoring, parts: Sequence[list[str]]) -> Iterator[Any]:
    """Yield a table for each part, in no order; one whose actor is lost is given to another.

    Where the cluster has GPUs, each actor has one of them; else a core. Only actors that the cluster has found room for
    are given parts.

    Raises:
        ResnetkitError: where no cluster answers or has room, where an actor cannot open the classifier, or where
            several are lost with the same part.
    """
    ray = connect(address)
    resources = ray.cluster_resources()
    num_gpus = int(resources.get("GPU", 0))
    num_actors = min(len(parts), num_gpus or max(1, int(resources.get("CPU", 1))))
    kind = ray.remote(num_cpus=0 if num_gpus else 1, num_gpus=1 if num_gpus else 0)(Answering)
    todo, losses = deque(range(len(parts))), Counter[int]()
    actors = [kind.remote(work) for _ in range(num_actors)]
    # By what is promised: the actor's and the part's number.
    running: dict[Any, tuple[int, int]] = {actor.begin.remote(): (n, START) for n, actor in enumerate(actors)}
    begun: set[int] = set()
    try:
        while todo or any(part != START for _, part in running.values()):
            for number in begun:
                while todo and sum(by == number for by, _ in running.values()) < PARTS_AHEAD:
                    part = todo.popleft()
                    running[actors[number].answer.remote(parts[part])] = (number, part)
            done, _ = ray.wait(list(running), num_returns=1, timeout=None if begun else ROOM_SECONDS)
            if not done:
                raise without_room(address, num_gpus, ray.available_resources())
            number, part = running[done[0]]
            try:
                answer = ray.get(done[0])
            except ray.exceptions.RayTaskError as error:  # raised by our own code there
                raise (error.cause if isinstance(error.cause, ResnetkitError) else error) from None
            except ray.exceptions.RayError as error:  # the actor is lost, or its machine, or what it had answered
                lost = [part for by, part in running.values() if by == number]
                losses[lost[0]] += 1  # the one that it was at
                if losses[lost[0]] >= MOST_DEATHS:
                    raise _given_up(error, parts[lost[0]] if lost[0] != START else []) from error
                running = {promise: place for promise, place in running.items() if place[0] != number}
                todo.extendleft(part for part in lost if part != START)
                _end(ray, actors[number])
                begun.discard(number)
                actors[number] = kind.remote(work)
                running[actors[number].begin.remote()] = (number, START)
                continue
            del running[done[0]]
            if part == START:
                begun.add(number)
                losses[START] = 0
            else:
                yield answer
    finally:
        for actor in actors:
            _end(ray, actor)


def _end(ray: Any, actor: Any) -> None:
    with suppress(ray.exceptions.RayError):
        ray.kill(actor)


def without_room(address: str, num_gpus: int, available: dict[str, float]) -> ResnetkitError:
    """The error of a cluster that begins no worker in :data:`ROOM_SECONDS`.

    Args:
        available: what is free there, by kind.
    """
    wanted = "GPU" if num_gpus else "CPU"
    return ResnetkitError(
        Code.IO,
        f"the Ray cluster at '{address}' has begun no worker in {ROOM_SECONDS:g} s",
        why=f"a worker needs 1 {wanted}, and {available.get(wanted, 0):g} are free",
        fix="run the same command when others have ended; or leave out --ray, and this machine answers",
    )


def _given_up(error: Exception, paths: Sequence[str]) -> ResnetkitError:
    if not paths:
        return ResnetkitError(
            Code.IO,
            f"{MOST_DEATHS} workers of the cluster ended before they began",
            why=summarize(error),
            fix="see that every machine has this package, in the version of this one",
        )
    return ResnetkitError(
        Code.IO,
        f"{MOST_DEATHS} workers of the cluster ended with the same {len(paths):,} images",
        why=summarize(error),
        fix=f"see that every machine has memory enough, the classifier and the images; the first is {paths[0]}",
    )
