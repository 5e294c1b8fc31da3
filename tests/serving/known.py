"""A predictor whose answers are known: an image of one grey value has the logits value * (1, 2, 3)."""

import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from resnetkit.classifier.prediction import Predictor
from resnetkit.images.spec import Preprocessing
from resnetkit.serving.answerer import Outcome
from resnetkit.serving.served import ImageAnswer

SIZE = 8
PREPROCESSING = Preprocessing(SIZE, SIZE, 1, (0.5,), (0.5,))
BROKEN = b"no image"


@dataclass
class KnownEngine:
    """Writes down the sizes of its batches; waits before each where it is told to."""

    name: str = "known"
    sizes: list[int] = field(default_factory=list)
    before: Callable[[], object] = lambda: None

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        self.sizes.append(len(pixels))
        self.before()
        return pixels[:, 0, 0, 0].astype(np.float32)[:, None, None] * np.float32([1, 2, 3])


def known_predictor(engine: KnownEngine | None = None) -> Predictor:
    return Predictor(engine or KnownEngine(), PREPROCESSING, ("a", "b", "c"))


def png(value: int, side: int = SIZE) -> bytes:
    content = io.BytesIO()
    Image.new("L", (side, side), value).save(content, "PNG")
    return content.getvalue()


def grey(*values: int) -> np.ndarray:
    """Prepared images of these values."""
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 1, SIZE, SIZE), np.uint8)


def value_of(answer: ImageAnswer) -> int | None:
    """The value of the image that an answer is for; None where it could not be read."""
    if answer.logits is None:
        return None
    value = answer.logits[0, 0]
    assert answer.logits.tolist() == [[value, 2 * value, 3 * value]]
    return int(value)


class Told:
    """What became of a request."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._event = threading.Event()

    def __call__(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._event.set()

    def wait(self, seconds: float = 10) -> Outcome:
        assert self._event.wait(seconds), "no answer"
        return self.outcomes[0]


def soon(seconds: float = 30) -> float:
    """A deadline."""
    return time.monotonic() + seconds
