"""One kind of engine opened for single images and for batches, because a server is given any number at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from resnetkit.classifier.decision import Logits
from resnetkit.classifier.engine import Engine
from resnetkit.images.types import UInt8Images

# Of the time that a single image takes: less than so much of it must be left to be worth another engine's memory.
WORTH = 0.6
MAX_SECONDS = 1.0  # for timing, after which no further round begins
ROUNDS = 3


@dataclass(frozen=True)
class EngineOfSizes:
    """An engine that computes each batch in the way that takes less time here.

    An engine that was opened for a batch may compute a single image as slowly as a whole one, or with one thread of
    many; one that was opened for single images may be slower on many. Both are of one kind, on one graph.

    Attributes:
        alone: opened for one image at a time.
        together: opened for batches.
        one_by_one: the numbers of images that are given to ``alone``, one after another.
    """

    alone: Engine
    together: Engine
    one_by_one: frozenset[int]

    @property
    def name(self) -> str:
        """Name of the engine."""
        return self.together.name

    def logits(self, pixels: UInt8Images) -> Logits:
        """Return the logits ``(N, V, K)`` of V views of preprocessed images, uint8 ``(N, C, S, S)``."""
        if len(pixels) not in self.one_by_one:
            return self.together.logits(pixels)
        return np.concatenate([self.alone.logits(pixels[place : place + 1]) for place in range(len(pixels))])


def join_sizes(
    alone: Engine,
    together: Engine,
    *,
    image_shape: Sequence[int],
    max_images: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Engine:
    """Time both for some numbers of images, and give each number to the faster one.

    Where that gains little, ``together`` computes all: another engine takes as much memory again.
    """
    sizes = sorted({min(2**power, max_images) for power in range(max_images.bit_length() + 1)})
    black = np.zeros((max_images, *image_shape), np.uint8)
    lone, joint = [float("inf")], {size: float("inf") for size in sizes}
    began = clock()
    for _ in range(ROUNDS):
        lone.append(_seconds(alone, black[:1], clock))
        for size in sizes:
            joint[size] = min(joint[size], _seconds(together, black[:size], clock))
        if clock() - began > MAX_SECONDS:
            break
    if min(lone) > WORTH * joint[1]:
        return together
    # One of a size between two takes no longer than the larger of them.
    ceiling = {number: next(size for size in sizes if size >= number) for number in range(1, max_images + 1)}
    faster = (number for number, size in ceiling.items() if number * min(lone) < joint[size])
    return EngineOfSizes(alone, together, frozenset(faster))


def _seconds(engine: Engine, pixels: UInt8Images, clock: Callable[[], float]) -> float:
    before = clock()
    engine.logits(pixels)
    return clock() - before
