"""Batches hold what has come, and nobody waits for what does not."""

import threading
import time

from resnetkit.serving.batching import Batches


def test_a_lone_item_does_not_wait() -> None:
    batches: Batches[int] = Batches(8, max_wait_seconds=60)
    batches.announce(1)
    batches.add(1)
    assert batches.take() == [1]


def test_it_waits_for_those_that_are_coming_and_no_longer_than_it_may() -> None:
    batches: Batches[int] = Batches(8, max_wait_seconds=0.1)
    batches.announce(3)
    batches.add(1)
    threading.Timer(0.02, batches.add, (2,)).start()
    began = time.monotonic()
    assert batches.take() == [1, 2]  # the third does not come
    assert 0.09 <= time.monotonic() - began < 5


def test_one_that_is_forgone_is_not_waited_for() -> None:
    batches: Batches[int] = Batches(8, max_wait_seconds=60)
    batches.announce(2)
    batches.add(1)
    threading.Timer(0.02, batches.forgo).start()
    assert batches.take() == [1]


def test_no_batch_is_larger_than_it_may_be_and_the_order_is_kept() -> None:
    batches: Batches[int] = Batches(4, max_wait_seconds=0)
    batches.announce(10)
    for item in range(10):
        batches.add(item)
    assert [batches.take() for _ in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_when_it_is_closed_what_is_left_is_given_and_then_nothing() -> None:
    batches: Batches[int] = Batches(4, max_wait_seconds=60)
    batches.announce(5)
    batches.add(1)
    batches.close()
    assert [batches.take(), batches.take()] == [[1], []]
