"""Answers from a Ray cluster: plain actors, each with an engine of its own, that are given one part after another.

Plain actors, and not Ray Data: what is done when a worker dies is then decided here. A part is answered again as a
whole and written once, by the process that all of it comes back to; so rows are there at most once, a folder of them
can be gone on with, and images are the only files that other machines have to see. Ray Data retries blocks and writes
them where they were computed, under names of its own, and begins from the start when it is killed.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

from resnetkit.errors import Code, ResnetkitError, summarize
from resnetkit.inference.answering import Predicting, Scoring
from resnetkit.machine.ray_cluster import connect

PARTS_AHEAD = 2  # of each actor: one that it computes, one that waits there
MOST_DEATHS = 3  # of actors with the same part


class Answering:
    """An engine on one machine of the cluster."""

    def __init__(self, work: Predicting | Scoring, folder: str) -> None:
        os.chdir(folder)  # paths may start there
        self._answer = work.open()

    def answer(self, paths: Sequence[str]) -> Any:
        """A table with a row for each path."""
        return self._answer(paths)


def iter_answers(address: str, work: Predicting | Scoring, parts: Sequence[list[str]]) -> Iterator[Any]:
    """Yield a table for each part, in no order; one whose actor dies is given to another.

    Where the cluster has GPUs, each actor has one of them; else a core.

    Raises:
        ResnetkitError: where no cluster answers, where an actor cannot open the classifier, or where several die with
            the same part.
    """
    ray = connect(address)
    resources = ray.cluster_resources()
    num_gpus = int(resources.get("GPU", 0))
    num_actors = min(len(parts), num_gpus or max(1, int(resources.get("CPU", 1))))
    kind = ray.remote(num_cpus=0 if num_gpus else 1, num_gpus=1 if num_gpus else 0)(Answering)

    def start() -> Any:
        return kind.remote(work, os.getcwd())

    todo, deaths = deque(range(len(parts))), Counter[int]()
    actors = [start() for _ in range(num_actors)]
    running: dict[Any, tuple[int, int]] = {}  # by what is promised: the actor's and the part's number
    try:
        while todo or running:
            for number, actor in enumerate(actors):
                while todo and sum(by == number for by, _ in running.values()) < PARTS_AHEAD:
                    part = todo.popleft()
                    running[actor.answer.remote(parts[part])] = (number, part)
            (done,), _ = ray.wait(list(running), num_returns=1)
            number, part = running.pop(done)
            try:
                yield ray.get(done)
            except ray.exceptions.RayActorError as error:
                lost = [part, *(other for by, other in running.values() if by == number)]
                running = {promise: place for promise, place in running.items() if place[0] != number}
                deaths.update(lost[:1])
                if deaths[part] >= MOST_DEATHS:
                    raise _given_up(error, parts[part]) from error
                todo.extendleft(lost)
                actors[number] = start()
            except ray.exceptions.RayTaskError as error:
                raise (error.cause if isinstance(error.cause, ResnetkitError) else error) from None
    finally:
        for actor in actors:
            ray.kill(actor)


def _given_up(error: Exception, paths: Sequence[str]) -> ResnetkitError:
    return ResnetkitError(
        Code.IO,
        f"{MOST_DEATHS} workers of the cluster ended with the same {len(paths):,} images",
        why=summarize(error),
        fix=f"see that every machine has the classifier and the images; the first is {paths[0]}",
    )
