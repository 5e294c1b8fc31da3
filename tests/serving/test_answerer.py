"""From requests to answers: each image has its own, whatever shares its batch; what nobody waits for is dropped."""

import random
import threading
import time

import numpy as np
import pytest
from tests.serving.known import BROKEN, KnownEngine, Told, grey, known_predictor, png, soon, value_of

from resnetkit.images.decoding import decode_for_use
from resnetkit.images.types import UnreadableImage
from resnetkit.serving import answerer as module
from resnetkit.serving.answerer import Answerer, Request
from resnetkit.serving.served import DeadlinePassed, NotAnswered, Overloaded
from resnetkit.serving.settings import ServerSettings


def ask(answerer: Answerer, files: list[bytes], deadline: float | None = None) -> tuple[Request, Told]:
    told = Told()
    request = Request(len(files), soon() if deadline is None else deadline, told)
    answerer.ask_files(request, files)
    return request, told


def ask_pixels(answerer: Answerer, *values: int) -> Told:
    told = Told()
    answerer.ask_pixels(Request(len(values), soon(), told), grey(*values))
    return told


def test_each_image_has_its_own_answer_in_order() -> None:
    """Thousands of requests of one to nine images, some unreadable, of files and of pixels, from four threads."""
    draw = random.Random(0)
    files = {value: png(value) for value in range(256)}
    answerer = Answerer(known_predictor(), ServerSettings(max_wait_ms=0.2))
    asked: list[tuple[list[int | None], Told]] = []

    def work(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(500):
            values = [draw.randrange(256) for _ in range(draw.randint(1, 9))]
            if draw.random() < 0.5:
                asked.append((list(values), ask_pixels(answerer, *values)))
            else:
                wanted = [None if draw.random() < 0.1 else value for value in values]
                sent = [BROKEN if value is None else files[value] for value in wanted]
                asked.append((wanted, ask(answerer, sent)[1]))

    threads = [threading.Thread(target=work, args=(draw.random(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answerer.close()
    assert len(asked) == 2000
    for values, told in asked:
        outcome = told.wait()
        assert isinstance(outcome, list)
        assert [value_of(answer) for answer in outcome] == values
        assert len(told.outcomes) == 1


def test_an_answer_is_what_predict_gives() -> None:
    predictor, files = known_predictor(), [png(7), BROKEN, png(200, 64)]
    answerer = Answerer(predictor, ServerSettings())
    outcome = ask(answerer, files)[1].wait()
    assert isinstance(outcome, list)
    for answer, row in zip(outcome, predictor.predict(files, top=3), strict=True):
        assert (answer.status, answer.reason, answer.note) == (row.status, row.reason, row.note)
        if answer.probabilities is not None:
            assert sorted(map(float, answer.probabilities), reverse=True) == [share for _, share in row.top]
    answerer.close()


def test_batches_grow_while_the_engine_is_busy() -> None:
    free, engine = threading.Event(), KnownEngine()
    engine.before = free.wait
    answerer = Answerer(known_predictor(engine), ServerSettings(max_batch_images=8))
    first = ask_pixels(answerer, 1)
    wait_until(lambda: engine.sizes == [1])
    others = [ask_pixels(answerer, value) for value in range(20)]
    free.set()
    assert [[value_of(answer) for answer in told.wait()] for told in [first, *others]] == [
        [1],
        *([v] for v in range(20)),
    ]
    assert engine.sizes == [1, 8, 8, 4]
    answerer.close()


def wait_until(holds) -> None:
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_what_has_no_time_left_or_was_given_up_is_neither_decoded_nor_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    free, engine, decoded = threading.Event(), KnownEngine(), []
    engine.before = free.wait
    prepare = module.prepare_image
    monkeypatch.setattr(module, "prepare_image", lambda *given: decoded.append(given[1]) or prepare(*given))
    answerer = Answerer(known_predictor(engine), ServerSettings())
    first = ask_pixels(answerer, 1)
    wait_until(lambda: engine.sizes == [1])
    # Prepared while the engine is busy, and then dropped.
    late, given_up = Told(), Told()
    request = Request(1, soon(), given_up)
    answerer.ask_pixels(Request(1, soon(0.05), late), grey(2))
    answerer.ask_pixels(request, grey(3))
    # Dropped before they are decoded.
    _, too_late = ask(answerer, [png(4)], deadline=soon(-1))
    request.end(NotAnswered("it was given up"))
    time.sleep(0.06)
    free.set()
    assert isinstance(first.wait(), list)
    assert isinstance(late.wait(), DeadlinePassed)
    assert isinstance(too_late.wait(), DeadlinePassed)
    assert isinstance(given_up.wait(), NotAnswered)
    answerer.close()
    assert engine.sizes == [1]
    assert decoded == []


def test_more_pixels_than_may_wait_are_refused_at_once_and_taken_when_there_is_room() -> None:
    free, engine = threading.Event(), KnownEngine()
    settings = ServerSettings(max_queued_pixels=10_000, max_decoding_pixels=100)
    answerer = Answerer(known_predictor(engine), settings)
    with answerer._gate.passed(100):  # nothing is decoded meanwhile
        _, taken = ask(answerer, [png(1, 90)])
        refused = ask(answerer, [png(2, 90)])[1].wait()
        assert isinstance(refused, Overloaded)
        _, small = ask(answerer, [png(3, 40)])
    assert [value_of(answer) for told in (taken, small) for answer in told.wait()] == [1, 3]
    wait_until(lambda: answerer._queued_pixels == 0)
    assert [value_of(answer) for answer in ask(answerer, [png(4, 200)])[1].wait()] == [4]  # where nothing else waits
    free.set()
    answerer.close()


def test_large_images_are_decoded_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most = [], []

    def decode(*given):
        at_once.append(1)
        most.append(len(at_once))
        time.sleep(0.005)
        at_once.pop()
        return prepare(*given)

    prepare = module.prepare_image
    monkeypatch.setattr(module, "prepare_image", decode)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 8)
    answerer = Answerer(known_predictor(), ServerSettings(max_decoding_pixels=5_000))
    tolds = [ask(answerer, [png(value, 100)])[1] for value in range(12)]
    assert [value_of(answer) for told in tolds for answer in told.wait()] == list(range(12))
    assert max(most) == 1
    answerer.close()


def test_an_engine_that_fails_fails_its_requests_alone() -> None:
    engine = KnownEngine()
    answerer = Answerer(known_predictor(engine), ServerSettings())
    engine.before = lambda: 1 / 0
    outcome = ask_pixels(answerer, 1).wait()
    assert isinstance(outcome, NotAnswered)
    assert "ZeroDivisionError" in str(outcome)
    engine.before = lambda: None
    assert isinstance(ask_pixels(answerer, 1).wait(), list)
    answerer.close()


class Doubtful(KnownEngine):
    """Of an image of the value 1 it computes no number."""

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        return np.where(pixels[:, :1, 0, :1] == 1, np.float32(np.nan), super().logits(pixels))


def test_an_answer_that_is_no_number_fails_its_request_alone() -> None:
    free, engine = threading.Event(), Doubtful()
    engine.before = free.wait
    answerer = Answerer(known_predictor(engine), ServerSettings())
    tolds = [ask_pixels(answerer, *values) for values in ((5,), (1, 2), (3,))]  # the last two share a batch
    free.set()
    first, doubtful, other = (told.wait() for told in tolds)
    assert isinstance(doubtful, NotAnswered)
    assert "has an answer that is not a number" in str(doubtful)
    assert isinstance(first, list)
    assert isinstance(other, list)
    assert [value_of(answer) for answer in other] == [3]
    answerer.close()


def test_a_decoder_that_raises_anything_fails_its_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    answerer = Answerer(known_predictor(), ServerSettings())
    with monkeypatch.context() as patch:
        patch.setattr(module, "prepare_image", lambda *given: [].pop())
        assert isinstance(ask(answerer, [png(1), png(2)])[1].wait(), NotAnswered)
    assert isinstance(ask(answerer, [png(1)])[1].wait(), list)
    answerer.close()


def test_it_tells_for_how_long_something_has_been_at_work() -> None:
    free, engine = threading.Event(), KnownEngine()
    engine.before = free.wait
    answerer = Answerer(known_predictor(engine), ServerSettings())
    assert answerer.busy_seconds == 0
    told = ask_pixels(answerer, 1)
    wait_until(lambda: answerer.busy_seconds > 0.02)
    free.set()
    told.wait()
    wait_until(lambda: answerer.busy_seconds == 0)
    answerer.close()


def test_an_unreadable_image_has_the_reason_of_the_decoder() -> None:
    predictor = known_predictor()
    answerer = Answerer(predictor, ServerSettings())
    cut = png(9, 50)[:-20]
    for file in (BROKEN, cut, b""):
        with pytest.raises(UnreadableImage) as raised:
            decode_for_use(file, predictor.limits, predictor.preprocessing)
        outcome = ask(answerer, [file])[1].wait()
        assert isinstance(outcome, list)
        assert (outcome[0].status, outcome[0].reason) == ("error", str(raised.value))
    answerer.close()
