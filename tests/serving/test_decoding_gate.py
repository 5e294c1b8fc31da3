"""No more pixels are decoded at a time than may be, a larger image alone, and all in turn."""

import threading
import time

from resnetkit.serving.decoding_gate import DecodingGate


def test_what_is_inside_never_exceeds_the_limit_and_all_get_in() -> None:
    gate, lock, inside, worst, alone = DecodingGate(100), threading.Lock(), [], [], []

    def decode(size: int) -> None:
        with gate.passed(size):
            with lock:
                inside.append(size)
                worst.append(sum(inside))
                alone.append(len(inside) == 1 or size <= 100)
            time.sleep(0.001)
            with lock:
                inside.remove(size)

    threads = [threading.Thread(target=decode, args=(size,)) for size in [30, 60, 250, 10, 90, 40, 300, 5] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(worst) == 32
    assert all(alone)
    assert max(total for total in worst if total not in (250, 300)) <= 100


def test_small_images_do_not_keep_a_large_one_waiting() -> None:
    gate, order = DecodingGate(100), []

    def decode(size: int) -> None:
        with gate.passed(size):
            order.append(size)

    with gate.passed(10):
        large = threading.Thread(target=decode, args=(100,))
        large.start()
        time.sleep(0.05)
        small = threading.Thread(target=decode, args=(1,))
        small.start()
        time.sleep(0.05)
        assert order == []
    large.join(5)
    small.join(5)
    assert order == [100, 1]


def test_an_error_inside_makes_room_again() -> None:
    gate = DecodingGate(10)
    for _ in range(3):
        try:
            with gate.passed(10):
                raise MemoryError
        except MemoryError:
            pass
    with gate.passed(10):
        pass
