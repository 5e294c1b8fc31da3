"""From images to answers: decoding in threads, in order and in bounded memory, while an engine computes.

No torch here: what computes the logits is an :class:`~resnetkit.classifier.engine.Engine`, and some need none.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from resnetkit.classifier.decision import Decision, Probabilities
from resnetkit.classifier.engine import Engine
from resnetkit.data.seen import SeenImages
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.images.decoding import UnreadableImage, decode_for_use
from resnetkit.images.image_inputs import Decodable, ImageInput, check_are_several, name_of, take_image
from resnetkit.images.preprocessing import prepare_for_evaluation
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import UInt8Images

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier
    from resnetkit.classifier.description import Description

BATCH_SIZE = 64
# How many batches are decoded while one is computed; two keep the engine fed where files differ in size.
BATCHES_AHEAD = 2
MAX_DECODERS = 16
COLOUR_LOST = "has colour, which the classifier does not see"


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    Attributes:
        source: the path, or the position in the input where it was no file.
        status: ``ok``, or ``error`` for an image that could not be read; then ``reason`` says why and there is
            no class.
        top: the most probable classes with their probabilities, best first.
        note: what of the image the classifier could not look at; empty where nothing was lost.
    """

    source: str
    status: str
    reason: str = ""
    top: tuple[tuple[str, float], ...] = ()
    note: str = ""

    @property
    def class_name(self) -> str | None:
        """The most probable class; None where the image could not be read."""
        return self.top[0][0] if self.top else None

    @property
    def probability(self) -> float | None:
        """The probability of that class in [0, 1]; None as above."""
        return self.top[0][1] if self.top else None


class _Prepared(NamedTuple):
    """An image's pixels ``(C, S, S)``, or why there are none."""

    pixels: UInt8Images | None
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class Predictor:
    """Classifies images: prepares them, asks an engine, decides, and names the classes.

    Attributes:
        limits: images beyond these are refused.
        seen: the images that the weights have met, for honest scores; None where that is not known.
    """

    engine: Engine
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    decision: Decision = field(default_factory=Decision)
    limits: Limits = field(default_factory=Limits)
    seen: SeenImages | None = field(default=None, repr=False)

    @classmethod
    def of(cls, classifier: Classifier | Description, engine: Engine) -> Predictor:
        """Answer for a classifier, or for what its file says of it, with an engine that was opened for it."""
        said = classifier
        return cls(engine, said.preprocessing, said.class_names, said.decision, said.limits, said.seen)

    def probabilities(self, pixels: UInt8Images) -> Probabilities:
        """Class probabilities ``(N, K)`` of images prepared already, uint8 ``(N, C, S, S)``."""
        return self.decision.probabilities(self.engine.logits(pixels)) if len(pixels) else self._no_rows()

    def predict_proba(self, images: Iterable[ImageInput], *, batch_size: int = BATCH_SIZE) -> Probabilities:
        """Class probabilities ``(N, K)`` of images: paths, bytes of image files, open binary files, PIL images, uint8
        arrays ``(H, W)`` or ``(H, W, 3)``, or uint8 tensors ``(H, W)`` or ``(3, H, W)``.

        Raises:
            ResnetkitError: for the first image that cannot be read; :meth:`predict` gives a row for each instead.
        """
        rows = [row for _, _, row in self._answers(images, batch_size, refuses=True) if row is not None]
        return np.stack(rows) if rows else self._no_rows()

    def predict(self, images: Iterable[ImageInput], *, top: int = 5, batch_size: int = BATCH_SIZE) -> list[Prediction]:
        """One :class:`Prediction` per image, in order; an unreadable file is a row with status ``error``."""
        return list(self.iter_predictions(images, top=top, batch_size=batch_size))

    def iter_predictions(
        self, images: Iterable[ImageInput], *, top: int = 5, batch_size: int = BATCH_SIZE
    ) -> Iterator[Prediction]:
        """Yield the rows of :meth:`predict` one by one, so that any number of files needs little memory.

        Of a sequence, the next files are decoded while the engine computes; any other iterable is asked for one
        batch at a time, because what it gives next may depend on the answers.
        """
        require(top >= 1, f"top must be at least 1, got {top}")
        for source, image, answer in self._answers(images, batch_size):
            if answer is None:
                yield Prediction(source, "error", image.problem)
            else:
                yield Prediction(source, "ok", top=self._ranked(answer, top), note=image.note)

    def _answers(
        self, images: Iterable[ImageInput], batch_size: int, *, refuses: bool = False
    ) -> Iterator[tuple[str, _Prepared, Probabilities | None]]:
        """Each image's name, the image, and its probabilities ``(K,)``; None where it cannot be read."""
        require(batch_size >= 1, f"batch_size must be at least 1, got {batch_size}")
        check_are_several(images)
        ahead = BATCHES_AHEAD * batch_size if isinstance(images, Sequence) else 0
        with _decoders() as pool:
            prepared: deque[tuple[str, Future[_Prepared]]] = deque()
            numbered = enumerate(images)
            while True:
                wanted = batch_size + ahead - len(prepared)
                prepared.extend(
                    (name_of(i, image), self._preparing(pool, image)) for i, image in itertools.islice(numbered, wanted)
                )
                if not prepared:
                    return
                batch = [prepared.popleft() for _ in range(min(batch_size, len(prepared)))]
                rows = [(source, future.result()) for source, future in batch]
                for source, image in rows:
                    if refuses and image.pixels is None:
                        raise ResnetkitError(
                            Code.DATA, f"image {source} {image.problem}", fix="leave it out, or use predict()"
                        )
                readable = [image.pixels for _, image in rows if image.pixels is not None]
                answers = iter(self.probabilities(np.stack(readable)) if readable else ())
                for source, image in rows:
                    yield source, image, None if image.pixels is None else next(answers)

    def _preparing(self, pool: ThreadPoolExecutor, image: ImageInput) -> Future[_Prepared]:
        done: Future[_Prepared] = Future()
        try:
            taken = take_image(image)  # here and not in a thread: the same open file may stand in the input twice
        except ResnetkitError as error:
            done.set_exception(error)  # when its turn comes
            return done
        if isinstance(taken, Image.Image):
            # Pillow decodes an opened image when its pixels are first asked for, which no two threads may do at once,
            # and the same image may stand in the input twice.
            done.set_result(self._prepare(taken))
            return done
        return pool.submit(self._prepare, taken)

    def _prepare(self, image: Decodable) -> _Prepared:
        wanted = self.preprocessing
        try:
            decoded = decode_for_use(image, self.limits, wanted)
            note = COLOUR_LOST if decoded.loses_colour else ""
            return _Prepared(prepare_for_evaluation(decoded.image, wanted), note=note)
        except UnreadableImage as error:
            return _Prepared(None, problem=str(error))

    def _ranked(self, probabilities: Probabilities, top: int) -> tuple[tuple[str, float], ...]:
        order = np.argsort(-probabilities, kind="stable")[:top]
        return tuple((self.class_names[i], float(probabilities[i])) for i in order)

    def _no_rows(self) -> Probabilities:
        return np.empty((0, len(self.class_names)), np.float32)


@contextmanager
def _decoders() -> Iterator[ThreadPoolExecutor]:
    """Threads that decode; on the way out, also after Ctrl-C, what has not begun is dropped."""
    pool = ThreadPoolExecutor(min(MAX_DECODERS, os.cpu_count() or 1), thread_name_prefix="decode")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
