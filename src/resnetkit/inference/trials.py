"""Choose an engine: each is checked against the network itself, then timed in turns, and the fastest is taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

import numpy as np

from resnetkit.classifier.decision import Decision, Logits, Probabilities
from resnetkit.classifier.engine import Engine
from resnetkit.config import frozen
from resnetkit.errors import summarize
from resnetkit.graphs.agreement import Agreement, measure_agreement
from resnetkit.images.types import Indices, UInt8Images
from resnetkit.machine.precision import Precision
from resnetkit.pages.formatting import set_percent

# Largest difference of a probability from the float32 network's. In float32 only the order of rounding differs (3e-8 to
# 7e-6 seen). In bfloat16, torch's and OpenVINO's alike, the check images gave 8e-4 to 1.3e-2 with random weights and
# 3.5e-3 to 2.9e-2 with trained ones; of CIFAR-10's 10,000 test images one in a hundred differed by more than 0.04, none
# by 0.1, and 17 changed their class (top-1 of that ResNet-20: 91.76 % instead of 91.73 %). Where a network is sure of
# nothing, half of its highest probability is the limit, or an engine that answers zeros would pass.
TOLERANCES: Mapping[Precision, float] = {"fp32": 1e-4, "bf16": 0.1}
# In int8, of the images that it was calibrated on: the share that may be given another class, beside those of which the
# float32 network itself holds both classes about equal, and the share of right answers that may be lost. ResNet-50 v1
# turned 13 of 200 photographs, mostly of what it has no class for; in all 13 the float32 network's probabilities of the
# two were less than 0.08 apart. (NNCF's quantization turned 17.)
MAX_TURNED, MAX_LOST = 0.05, 0.01
ROUNDS = 10
MAX_SECONDS = 4.0  # of timing; one round is always done
EQUALLY_FAST = 1.03  # a difference that the next measurement may turn round


@frozen
class Trial:
    """Outcome of one engine's trial.

    Attributes:
        agreement: with the network itself on the check images; None where it gave no answer to compare.
        seconds: for one image, in the round that was disturbed least; None where it was not timed.
        problem: why it is left out; empty where it is not.
    """

    engine: str
    agreement: Agreement | None = None
    seconds: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class SameClasses:
    """Bar for quantized engines: nearly all images keep their class, whatever becomes of probabilities.

    Attributes:
        labels: int64 ``(N,)``, the images' true classes; None where they are not known.
    """

    labels: Indices | None = None


# What an engine is held to; a number is the largest difference of a probability.
Bar = float | SameClasses


@dataclass(frozen=True)
class Choice:
    """The engine taken, opened, and how all of them did; no engine where none can be used.

    Attributes:
        beside: seconds for one image of what was timed along with them, by name.
    """

    engine: Engine | None
    trials: tuple[Trial, ...]
    beside: Mapping[str, float] = field(default_factory=dict)


def choose(
    openers: Mapping[str, Callable[[], Engine]],
    reference: Engine,
    images: UInt8Images,
    batch_size: int,
    *,
    decision: Decision,
    bar: Bar = TOLERANCES["fp32"],
    beside: Mapping[str, Engine] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Choice:
    """Open, check and time engines for one classifier.

    Args:
        openers: in order of preference among those that are equally fast.
        reference: what they must agree with on ``images``, uint8 ``(N, C, S, S)``.
        batch_size: how many images are computed at once when it matters.
        decision: how their logits become probabilities, which are compared.
        bar: what their answers are held to.
        beside: engines that are only timed, so that it can be said what is gained.
    """
    expected = reference.logits(images)
    # As many as will be computed at once, for that decides how an engine divides its work.
    repeated = np.arange(batch_size) % len(images)
    batch = images[repeated]
    trials: dict[str, Trial] = {}
    usable: dict[str, Engine] = {}
    for name, opener in openers.items():
        try:
            engine = opener()
            alone = compare(name, engine.logits(images), expected, decision, bar)
            of_batch = SameClasses() if isinstance(bar, SameClasses) else bar  # few images show no share that is lost
            together = compare(name, engine.logits(batch), expected[repeated], decision, of_batch)
            trials[name] = together if together.problem and not alone.problem else alone
        except Exception as error:  # whatever another project's code raises: it is left out, and that is said
            trials[name] = Trial(name, problem=summarize(error))
        if not trials[name].problem:
            usable[name] = engine
    seconds: dict[str, float] = {}
    if len(usable) > 1 or (usable and beside):
        seconds = time_engines({**usable, **(beside or {})}, batch, clock)
    tried = tuple(replace(trial, seconds=seconds.get(name)) for name, trial in trials.items())
    best = pick(tried)
    only_timed = {name: seconds[name] for name in beside or {} if name in seconds}
    return Choice(None if best is None else usable[best], tried, only_timed)


def compare(engine: str, logits: Logits, expected: Logits, decision: Decision, bar: Bar) -> Trial:
    """Measure how an engine's logits ``(N, V, K)`` agree with those expected, by the probabilities that they make."""
    if logits.shape != expected.shape:
        return Trial(engine, problem=f"gives {logits.shape} logits instead of {expected.shape}")
    agreement = measure_agreement(logits, expected, decision)
    answers = decision.probabilities(logits), decision.probabilities(expected)
    match bar:
        case SameClasses():
            problem = find_loss(*answers, bar.labels)
        case float():
            problem = find_disagreement(*answers, bar)
        case _:
            assert_never(bar)
    return Trial(engine, agreement, problem=problem)


def find_loss(answer: Probabilities, expected: Probabilities, labels: Indices | None = None) -> str:
    """Say what is wrong with the classes that probabilities ``(N, K)`` give, in words; empty where nothing is.

    Another class than expected is nothing wrong where the expected probability of it is less than the tolerance of
    bfloat16 below the highest, and more than half of that.

    Args:
        labels: the true classes ``(N,)``, where they are known.
    """
    if not np.isfinite(answer).all():
        return "gives numbers that are not finite"
    rows, given, best = np.arange(len(answer)), answer.argmax(1), expected.max(1)
    turned = best - expected[rows, given] > np.minimum(TOLERANCES["bf16"], best / 2)
    if turned.sum() > MAX_TURNED * len(answer):
        return f"gives {turned.sum()} of {len(answer)} images another class (allowed: {set_percent(MAX_TURNED)})"
    if labels is None:
        return ""
    num_lost = int((expected.argmax(1) == labels).sum() - (given == labels).sum())
    if num_lost > MAX_LOST * len(labels):
        return f"is right on {num_lost} of {len(labels)} images fewer (allowed: {set_percent(MAX_LOST)})"
    return ""


def find_disagreement(answer: Probabilities, expected: Probabilities, tolerance: float) -> str:
    """Say what is wrong with probabilities ``(N, K)``, in words; empty where nothing is.

    A class may turn only where two are closer than the tolerance, which for an image is never more than half of its
    highest probability.
    """
    differences = np.abs(answer.astype(np.float64) - expected).max(1)
    allowed = np.minimum(tolerance, expected.max(1) / 2)
    if not (differences <= allowed).all():  # written so that a NaN fails too
        worst = int(np.argmax(differences - allowed))
        return f"differs from the network by up to {differences[worst]:.1e} (allowed: {allowed[worst]:.0e})"
    best_two = np.sort(expected, axis=1)[:, -2:]
    clear = best_two[:, -1] - best_two[:, 0] > allowed if expected.shape[1] > 1 else np.ones(len(expected), bool)
    num_wrong = int((answer.argmax(1) != expected.argmax(1))[clear].sum())
    return f"gives {num_wrong} of {len(expected)} images another class" if num_wrong else ""


def time_engines(engines: Mapping[str, Engine], batch: UInt8Images, clock: Callable[[], float]) -> dict[str, float]:
    """Seconds an image takes, with the engines in turns, so that a busy moment hits all of them.

    The shortest of some rounds: whatever else the machine does can only make one longer. They have answered for such a
    batch before, which fills caches and makes plans.
    """
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    started = clock()
    for _ in range(ROUNDS):
        for name, engine in engines.items():
            before = clock()
            engine.logits(batch)
            seconds[name].append((clock() - before) / len(batch))
        if clock() - started > MAX_SECONDS:
            break
    return {name: min(values) for name, values in seconds.items()}


def pick(trials: tuple[Trial, ...]) -> str | None:
    """The first trial without a problem that is as fast as any; None where all have one."""
    usable = [trial for trial in trials if not trial.problem]
    if not usable:
        return None
    fastest = min((trial.seconds for trial in usable if trial.seconds is not None), default=0.0)
    return next(t.engine for t in usable if t.seconds is None or t.seconds <= fastest * EQUALLY_FAST)
