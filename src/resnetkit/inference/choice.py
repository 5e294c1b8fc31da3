"""Which engine: each is checked against the network itself, then timed in turns, and the fastest is taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from resnetkit.config import frozen
from resnetkit.data.source import UInt8Images
from resnetkit.data.spec import Preprocessing
from resnetkit.prediction import Engine, Probabilities

# Largest difference of a probability: rounding in another order stays below (3e-8 to 7e-6 seen), bfloat16 does not
# (4e-4 to 9e-4 seen where no class had more than 0.16).
TOLERANCE = 1e-4
ROUNDS = 9
MAX_SECONDS = 4.0  # of timing, after the first round
EQUALLY_FAST = 1.03  # a difference that the next measurement may turn round


@frozen
class Trial:
    """How one engine did.

    Attributes:
        max_difference: largest difference of a probability from the network's own.
        seconds: for one image, in the round that was disturbed least; None where it was not timed.
        problem: why it is left out; empty where it is not.
    """

    engine: str
    max_difference: float | None = None
    seconds: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Choice:
    """The engine taken, opened, and how all of them did; no engine where none can be used."""

    engine: Engine | None
    trials: tuple[Trial, ...]


def choose(
    openers: Mapping[str, Callable[[], Engine]],
    reference: Engine,
    images: UInt8Images,
    batch_size: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Choice:
    """Open, check and time engines for one classifier.

    Args:
        openers: in order of preference among those that are equally fast.
        reference: what they must agree with on ``images``, uint8 ``(N, C, S, S)``.
        batch_size: how many images are computed at once when it matters.
    """
    expected = reference.probabilities(images)
    trials: dict[str, Trial] = {}
    usable: dict[str, Engine] = {}
    for name, opener in openers.items():
        try:
            engine = opener()
            difference, problem = compare(engine.probabilities(images), expected)
        except Exception as error:  # whatever another project's code raises: it is left out, and that is said
            text = str(error).strip().splitlines()
            difference, problem = None, f"{type(error).__name__}: {text[0] if text else 'no reason given'}"
        trials[name] = Trial(name, difference, problem=problem)
        if not problem:
            usable[name] = engine
    if len(usable) > 1:
        batch = images[np.arange(batch_size) % len(images)]
        for name, seconds in time_engines(usable, batch, clock).items():
            trials[name] = Trial(name, trials[name].max_difference, seconds)
    best = pick(tuple(trials.values()))
    return Choice(None if best is None else usable[best], tuple(trials.values()))


def compare(answer: Probabilities, expected: Probabilities) -> tuple[float, str]:
    """The largest difference of a probability, and what is wrong with an answer; empty for nothing."""
    if answer.shape != expected.shape:
        return float("inf"), f"gives {answer.shape} probabilities instead of {expected.shape}"
    difference = float(np.abs(answer.astype(np.float64) - expected).max())
    if not difference <= TOLERANCE:  # written so that a NaN fails too
        return difference, f"differs from the network by up to {difference:.1e} (allowed: {TOLERANCE:.0e})"
    best_two = np.sort(expected, axis=1)[:, -2:]
    clear = best_two[:, -1] - best_two[:, 0] > TOLERANCE if expected.shape[1] > 1 else np.ones(len(expected), bool)
    turned = int((answer.argmax(1) != expected.argmax(1))[clear].sum())
    return difference, f"gives {turned} of {len(expected)} images another class" if turned else ""


def time_engines(engines: Mapping[str, Engine], batch: UInt8Images, clock: Callable[[], float]) -> dict[str, float]:
    """Seconds an image takes, with the engines in turns, so that a busy moment hits all of them.

    The shortest of some rounds: whatever else the machine does can only make one longer.
    """
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    started = clock()
    for number in range(ROUNDS + 1):
        for name, engine in engines.items():
            before = clock()
            engine.probabilities(batch)
            if number:  # the first one fills caches and makes plans
                seconds[name].append((clock() - before) / len(batch))
        if number and clock() - started > MAX_SECONDS:
            break
    return {name: min(values) for name, values in seconds.items()}


def pick(trials: tuple[Trial, ...]) -> str | None:
    """The first trial without a problem that is as fast as any; None where all have one."""
    usable = [trial for trial in trials if not trial.problem]
    if not usable:
        return None
    fastest = min((trial.seconds for trial in usable if trial.seconds is not None), default=0.0)
    return next(t.engine for t in usable if t.seconds is None or t.seconds <= fastest * EQUALLY_FAST)


def check_images(preprocessing: Preprocessing) -> UInt8Images:
    """Images to compare engines on, uint8 ``(8, C, S, S)``: ramps, soft blobs, an edge, waves, noise."""
    size, channels = preprocessing.image_size_px, preprocessing.channels
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[0:size, 0:size] / max(1, size - 1)
    tint = random.uniform(0.3, 1, (8, channels, 1, 1))
    blobs = sum(
        height * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / width**2)
        for y, x, width, height in random.uniform(0.1, 1, (6, 4))
    )
    shades = [
        columns,
        rows[::-1],
        (rows + columns) / 2,
        blobs / np.max(blobs),
        (columns > rows).astype(float),
        0.5 + 0.5 * np.sin(20 * rows) * np.cos(14 * columns),
    ]
    shaded = tint[:6] * np.stack(shades)[:, None] * 255
    noise = random.integers(0, 256, (1, channels, size, size))
    faint = 128 + random.integers(-20, 21, (1, channels, size, size))
    return np.concatenate([shaded, noise, faint]).round().clip(0, 255).astype(np.uint8)
