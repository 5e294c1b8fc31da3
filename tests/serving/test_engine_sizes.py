"""Each number of images is computed in the way that takes less time, with the same answers."""

import numpy as np
from tests.serving.known import SIZE, KnownEngine, grey

from resnetkit.serving.engine_sizes import EngineOfSizes, join_sizes


class Clock:
    """Time that engines take, as they say."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def joined(alone_seconds: float, together_seconds: dict[int, float]) -> tuple[object, KnownEngine, KnownEngine]:
    clock, alone, together = Clock(), KnownEngine("alone"), KnownEngine("together")

    def pass_time(engine: KnownEngine, seconds) -> None:
        engine.before = lambda: setattr(clock, "now", clock.now + seconds(engine.sizes[-1]))

    pass_time(alone, lambda number: alone_seconds)
    pass_time(together, lambda number: together_seconds[number])
    engine = join_sizes(alone, together, image_shape=(1, SIZE, SIZE), max_images=8, clock=clock)
    alone.sizes.clear()
    together.sizes.clear()
    alone.before = together.before = lambda: None
    return engine, alone, together


def test_few_images_go_one_by_one_where_a_batch_is_always_filled() -> None:
    engine, alone, together = joined(0.015, {1: 0.05, 2: 0.05, 4: 0.05, 8: 0.09})
    for number in range(1, 9):
        values = list(range(number))
        assert np.array_equal(engine.logits(grey(*values))[:, 0, 0], values)
    # 4 cost 0.06 one by one; 5 no more than 8 together, which is as much as 6 one by one.
    assert alone.sizes == [1] * (1 + 2 + 3 + 5)
    assert together.sizes == [4, 6, 7, 8]


def test_one_engine_is_enough_where_the_other_gains_little() -> None:
    engine, _, together = joined(0.015, {1: 0.02, 2: 0.04, 4: 0.08, 8: 0.16})
    assert engine is together


def test_it_has_the_engines_name() -> None:
    assert EngineOfSizes(KnownEngine("a"), KnownEngine("b"), frozenset()).name == "b"
