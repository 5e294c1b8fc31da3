"""The choice of an engine: agreement first, then speed; with engines and a clock of the tests' own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from resnetkit.classifier.decision import Decision
from resnetkit.classifier.engine import Engine
from resnetkit.graphs.agreement import Agreement
from resnetkit.images.spec import Preprocessing
from resnetkit.images.synthetic import check_images
from resnetkit.inference.trials import (
    TOLERANCES,
    SameClasses,
    Trial,
    choose,
    compare,
    find_disagreement,
    find_loss,
    pick,
)

TOLERANCE = TOLERANCES["fp32"]
IMAGES = np.zeros((4, 1, 2, 2), np.uint8)
TRUTH = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.4, 0.35, 0.25]], np.float32)


def logits(probabilities: np.ndarray) -> np.ndarray:
    """Logits of one view that make these probabilities."""
    return np.log(np.clip(probabilities, 1e-30, None))[:, None]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Pretended:
    """An engine that takes as long as it says."""

    name: str
    clock: Clock
    seconds: tuple[float, ...] = (1.0,)
    answer: np.ndarray = field(default_factory=lambda: TRUTH)
    calls: int = 0

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        self.clock.now += self.seconds[self.calls % len(self.seconds)]
        self.calls += 1
        return logits(self.answer[: len(pixels)])


def run(clock: Clock, *engines: Engine, tolerance: float = TOLERANCE, **openers: Callable[[], Engine]) -> Any:
    reference = Pretended("network", clock, (0.0,))
    opened = {**{e.name: lambda e=e: e for e in engines}, **openers}
    return choose(opened, reference, IMAGES, 2, decision=Decision(), bar=tolerance, clock=clock)


def test_the_fastest_is_taken() -> None:
    clock = Clock()
    choice = run(clock, Pretended("a", clock, (0.3,)), Pretended("b", clock, (0.1,)), Pretended("c", clock, (0.2,)))
    assert choice.engine.name == "b"
    assert {trial.engine: trial.seconds for trial in choice.trials} == pytest.approx({"a": 0.15, "b": 0.05, "c": 0.1})


def test_among_equally_fast_ones_the_first_is_taken() -> None:
    assert pick((Trial("a", seconds=1.02), Trial("b", seconds=1.0))) == "a"
    assert pick((Trial("a", seconds=1.05), Trial("b", seconds=1.0))) == "b"


def test_one_slow_round_decides_nothing() -> None:
    clock = Clock()
    hiccup = Pretended("a", clock, (0.1, 0.1, 0.1, 1.0, 0.1, 0.1))
    choice = run(clock, hiccup, Pretended("b", clock, (0.2,)))
    assert choice.engine.name == "a"


def test_a_slow_network_is_not_timed_for_long() -> None:
    clock = Clock()
    engines = [Pretended(name, clock, (100.0,)) for name in "ab"]
    assert run(clock, *engines).engine.name == "a"
    assert [engine.calls for engine in engines] == [3, 3]  # check, first round, one timed


def test_one_engine_alone_is_checked_but_not_timed() -> None:
    clock = Clock()
    engine = Pretended("a", clock)
    choice = run(clock, engine)
    assert choice.engine is engine
    assert engine.calls == 2  # with the check images, and with as many as will be computed at once
    assert choice.trials == (Trial("a", Agreement(0.0, 0.0, num_turned=0, num_images=4)),)


def test_an_engine_that_disagrees_is_left_out_with_the_difference() -> None:
    clock = Clock()
    off = TRUTH + np.array([[0.01, -0.01, 0]], np.float32)
    choice = run(clock, Pretended("fast", clock, (0.1,), off), Pretended("slow", clock))
    assert choice.engine.name == "slow"
    assert choice.trials[0].agreement.max_difference == pytest.approx(0.01, rel=1e-3)
    assert "differs from the network by up to 1.0e-02" in choice.trials[0].problem


def test_an_engine_must_agree_on_as_many_images_as_it_will_be_given() -> None:
    class Divides(Pretended):
        def logits(self, pixels: np.ndarray) -> np.ndarray:
            if len(pixels) == 2:
                raise MemoryError("no room for two")
            return super().logits(pixels)

    clock = Clock()
    choice = run(clock, Divides("fast", clock, (0.1,)), Pretended("slow", clock))
    assert choice.engine.name == "slow"
    assert choice.trials[0].problem == "MemoryError: no room for two"
    odd = Pretended("odd", clock, (0.1,))
    odd.logits = lambda pixels: logits(TRUTH if len(pixels) == 4 else TRUTH[:2, ::-1])  # type: ignore[method-assign]
    assert run(clock, odd, Pretended("slow", clock)).engine.name == "slow"


def test_a_less_exact_precision_is_given_its_own_tolerance() -> None:
    clock = Clock()
    rounded = TRUTH + np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0], [-0.03, 0.03, 0]], np.float32)
    assert run(clock, Pretended("a", clock, answer=rounded)).engine is None
    choice = run(clock, Pretended("a", clock, answer=rounded), tolerance=TOLERANCES["bf16"])
    assert choice.engine.name == "a"
    assert choice.trials[0].agreement.max_difference == pytest.approx(0.03, rel=1e-3)
    assert choice.trials[0].agreement.num_turned == 1  # two classes that were 0.05 apart; counted, and allowed
    wrong = Pretended("a", clock, answer=TRUTH[:, ::-1])
    assert run(clock, wrong, tolerance=TOLERANCES["bf16"]).engine is None


def test_an_engine_that_does_not_open_is_left_out_with_the_reason() -> None:
    def broken() -> Engine:
        raise RuntimeError("no such instruction\nat 0x0")

    clock = Clock()
    choice = run(clock, broken=broken, fine=lambda: Pretended("fine", clock))
    assert choice.engine.name == "fine"
    assert choice.trials[0] == Trial("broken", problem="RuntimeError: no such instruction")


def test_where_none_can_be_used_there_is_none() -> None:
    clock = Clock()
    choice = run(clock, Pretended("a", clock, answer=np.full_like(TRUTH, np.nan)))
    assert choice.engine is None
    assert choice.trials[0].problem


@pytest.mark.parametrize(
    ("answer", "fine"),
    [
        (TRUTH, True),
        (TRUTH + np.float32(TOLERANCE / 2), True),
        (TRUTH + np.float32(TOLERANCE * 2), False),
        (np.full_like(TRUTH, np.nan), False),
    ],
)
def test_what_counts_as_agreement(answer: np.ndarray, fine: bool) -> None:
    assert (find_disagreement(answer, TRUTH, TOLERANCE) == "") is fine


@pytest.mark.parametrize("part", [np.s_[:, :, :2], np.s_[:3], np.s_[:, [0, 0]]], ids=["classes", "images", "views"])
def test_logits_of_another_shape_are_no_answer(part: object) -> None:
    odd = logits(TRUTH)[part]  # type: ignore[index]
    trial = compare("a", odd, logits(TRUTH), Decision(), TOLERANCE)
    assert trial == Trial("a", problem=f"gives {odd.shape} logits instead of (4, 1, 3)")


def test_answers_are_compared_as_the_classifier_decides() -> None:
    """A difference that is none in the answer of a cool classifier is one in that of a sure one."""
    truth = np.array([[[0.0, 1.0]]], np.float32)
    off = truth + np.array([[[0, 0.001]]], np.float32)
    problems = [compare("a", off, truth, Decision(temperature), TOLERANCE).problem for temperature in (1.0, 100.0)]
    assert problems[0].startswith("differs from the network by up to 2.0e-04")
    assert problems[1] == ""


def test_only_a_clear_answer_must_keep_its_class() -> None:
    tied = np.array([[0.5, 0.5 - TOLERANCE / 4]], np.float32)
    assert find_disagreement(tied[:, ::-1], tied, TOLERANCE) == ""
    # The most that the tolerance lets through: beyond it a turned answer is a difference already.
    clear = np.array([[0.5, 0.5 - 1.5 * TOLERANCE]], np.float32)
    turned = clear + np.array([[-0.8, 0.8]], np.float32) * np.float32(TOLERANCE)
    assert "another class" in find_disagreement(turned, clear, TOLERANCE)


def test_one_class_always_agrees() -> None:
    one = np.ones((2, 1, 1), np.float32)
    assert compare("a", one, one, Decision(), TOLERANCE) == Trial("a", Agreement(0.0, 0.0, 0, 2))


@pytest.mark.parametrize(("size", "channels"), [(32, 3), (28, 1), (1, 3)])
def test_images_to_check_on_are_varied_and_always_the_same(size: int, channels: int) -> None:
    preprocessing = Preprocessing(size, size, channels, (0.5,) * channels, (0.5,) * channels)
    images = check_images(preprocessing)
    assert images.shape == (8, channels, size, size)
    assert np.array_equal(images, check_images(preprocessing))
    if size > 1:
        assert len({image.tobytes() for image in images}) == 8
        assert images.min() < 5
        assert images.max() > 250


def sure_of(classes: np.ndarray, share: float = 0.9) -> np.ndarray:
    """Probabilities of three classes, of which the given ones have that share."""
    return np.where(np.arange(3) == classes[:, None], share, (1 - share) / 2).astype(np.float32)


CLASSES = np.arange(100) % 3


@pytest.mark.parametrize(("num_turned", "fine"), [(0, True), (5, True), (6, False), (100, False)])
def test_a_quantized_engine_may_turn_one_of_twenty_answers(num_turned: int, fine: bool) -> None:
    given = np.where(np.arange(100) < num_turned, (CLASSES + 1) % 3, CLASSES)
    problem = find_loss(sure_of(given), sure_of(CLASSES))
    assert (problem == "") is fine
    assert fine or problem == f"gives {num_turned} of 100 images another class (allowed: 5 %)"


@pytest.mark.parametrize(("num_lost", "fine"), [(1, True), (2, False)])
def test_a_quantized_engine_may_lose_one_right_answer_of_a_hundred(num_lost: int, fine: bool) -> None:
    given = np.where(np.arange(100) < num_lost, (CLASSES + 1) % 3, CLASSES)
    assert (find_loss(sure_of(given), sure_of(CLASSES), CLASSES) == "") is fine
    assert find_loss(sure_of(given), sure_of(CLASSES), given) == ""  # right where the network was wrong


def test_what_the_network_itself_cannot_tell_apart_may_turn() -> None:
    near, far = (np.tile(np.array([[0.45, 0.45 - gap, 0.1 + gap]], np.float32), (10, 1)) for gap in (0.05, 0.15))
    assert find_loss(near[:, [1, 0, 2]], near) == ""
    assert find_loss(far[:, [1, 0, 2]], far).startswith("gives 10 of 10 images another class")
    # Where it is sure of nothing, an engine that answers one class for all is none the less wrong.
    unsure = np.where(np.arange(1000) == np.arange(10)[:, None] + 1, 0.003, 0.997 / 999).astype(np.float32)
    assert find_loss(np.eye(1000, dtype=np.float32)[np.zeros(10, int)], unsure)
    assert "not finite" in find_loss(np.full((2, 3), np.nan, np.float32), sure_of(CLASSES[:2]))


def test_a_quantized_engine_is_held_to_classes_and_timed_beside_the_float32_one() -> None:
    clock = Clock()
    softer = Pretended("softer", clock, (0.2,), answer=0.7 * TRUTH + 0.1)
    wrong = Pretended("wrong", clock, (0.1,), answer=TRUTH[:, ::-1])
    slow = Pretended("plain", clock, (0.6,))
    openers = {engine.name: lambda engine=engine: engine for engine in (softer, wrong)}
    reference = Pretended("network", clock, (0.0,))
    for labels, taken in ((None, "softer"), (TRUTH.argmax(1), "softer")):
        choice = choose(
            openers,
            reference,
            IMAGES,
            2,
            decision=Decision(),
            bar=SameClasses(labels),
            beside={"plain": slow},
            clock=clock,
        )
        assert choice.engine.name == taken
        assert "another class" in choice.trials[1].problem
        assert choice.trials[0].seconds == pytest.approx(0.1)
        assert choice.beside == {"plain": pytest.approx(0.3)}
