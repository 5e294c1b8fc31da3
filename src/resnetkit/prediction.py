"""From images to answers: decoding in threads, in order and in bounded memory, while an engine computes.

No torch here: what computes the probabilities is an :class:`Engine`, and some need none.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from resnetkit.data.decoding import UnreadableImage, decode, develop
from resnetkit.data.preprocessing import stage_for_evaluation
from resnetkit.data.source import UInt8Images
from resnetkit.data.spec import Limits, Preprocessing
from resnetkit.errors import Code, ResnetkitError, require

ImageInput = str | Path | Image.Image | npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

BATCH_SIZE = 64
# How many batches are decoded while one is computed; two keep the engine fed where files differ in size.
BATCHES_AHEAD = 2
MAX_DECODERS = 16


class Engine(Protocol):
    """What computes a classifier's probabilities."""

    @property
    def name(self) -> str:
        """Which engine it is, e.g. ``onnxruntime``."""
        ...

    def probabilities(self, pixels: UInt8Images) -> Probabilities:
        """Class probabilities ``(N, K)`` of preprocessed images, uint8 ``(N, C, S, S)``."""
        ...


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    Attributes:
        source: the path, or the position in the input where it was no file.
        status: ``ok``, or ``error`` for an image that could not be read; then ``reason`` says why and there is
            no class.
        top: the most probable classes with their probabilities, best first.
    """

    source: str
    status: str
    reason: str = ""
    top: tuple[tuple[str, float], ...] = ()

    @property
    def class_name(self) -> str | None:
        """The most probable class; None where the image could not be read."""
        return self.top[0][0] if self.top else None

    @property
    def probability(self) -> float | None:
        """Its probability in [0, 1]."""
        return self.top[0][1] if self.top else None


@dataclass(frozen=True)
class Predictor:
    """Classifies images: preprocessing, an engine, and class names."""

    engine: Engine
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)

    def predict_proba(self, images: Iterable[ImageInput], *, batch_size: int = BATCH_SIZE) -> Probabilities:
        """Class probabilities ``(N, K)`` of files, PIL images or uint8 arrays ``(H, W)`` or ``(H, W, 3)``.

        Raises:
            ResnetkitError: for the first image that cannot be read; :meth:`predict` gives a row for each instead.
        """
        rows = [probabilities for _, probabilities in self._answers(images, batch_size, refuses=True)]
        return np.stack([row for row in rows if not isinstance(row, str)]) if rows else self._no_rows()

    def predict(self, images: Iterable[ImageInput], *, top: int = 5, batch_size: int = BATCH_SIZE) -> list[Prediction]:
        """One :class:`Prediction` per image, in order; an unreadable file is a row with status ``error``."""
        return list(self.iter_predictions(images, top=top, batch_size=batch_size))

    def iter_predictions(
        self, images: Iterable[ImageInput], *, top: int = 5, batch_size: int = BATCH_SIZE
    ) -> Iterator[Prediction]:
        """As :meth:`predict`, row by row, so that any number of files needs little memory.

        Of a sequence, the next files are decoded while the engine computes; any other iterable is asked for one
        batch at a time, because what it gives next may depend on the answers.
        """
        require(top >= 1, f"top must be at least 1, got {top}")
        for source, answer in self._answers(images, batch_size):
            if isinstance(answer, str):
                yield Prediction(source, "error", answer)
            else:
                yield Prediction(source, "ok", top=self._ranked(answer, top))

    def _answers(
        self, images: Iterable[ImageInput], batch_size: int, *, refuses: bool = False
    ) -> Iterator[tuple[str, Probabilities | str]]:
        """Each image's name with its probabilities ``(K,)``, or with why it cannot be read."""
        require(batch_size >= 1, f"batch_size must be at least 1, got {batch_size}")
        # One image could be taken apart: a text into its letters, an array into its rows, which look like grey images.
        is_one = isinstance(images, str | os.PathLike | Image.Image)
        is_one = is_one or (isinstance(images, np.ndarray) and _is_shaped_as_image(images))
        require(not is_one, "one image was given where several are expected", fix="give a list: [image]")
        ahead = BATCHES_AHEAD * batch_size if isinstance(images, Sequence) else 0
        with _decoders() as pool:
            staged: deque[tuple[str, Future[UInt8Images | str]]] = deque()
            numbered = enumerate(images)
            while True:
                wanted = batch_size + ahead - len(staged)
                staged.extend(
                    (_source(i, image), self._staging(pool, image)) for i, image in itertools.islice(numbered, wanted)
                )
                if not staged:
                    return
                batch = [staged.popleft() for _ in range(min(batch_size, len(staged)))]
                rows = [(source, future.result()) for source, future in batch]
                for source, pixels in rows:
                    if refuses and isinstance(pixels, str):
                        raise ResnetkitError(
                            Code.DATA, f"image {source} {pixels}", fix="leave it out, or use predict()"
                        )
                readable = [pixels for _, pixels in rows if not isinstance(pixels, str)]
                answers = iter(self.engine.probabilities(np.stack(readable)) if readable else ())
                for source, pixels in rows:
                    yield source, pixels if isinstance(pixels, str) else next(answers)

    def _staging(self, pool: ThreadPoolExecutor, image: ImageInput) -> Future[UInt8Images | str]:
        if isinstance(image, Image.Image):
            # Pillow decodes an opened image when its pixels are first asked for, which no two threads may do at once,
            # and the same image may stand in the input twice.
            done: Future[UInt8Images | str] = Future()
            done.set_result(self._stage(image))
            return done
        return pool.submit(self._stage, image)

    def _stage(self, image: ImageInput) -> UInt8Images | str:
        """Staged pixels ``(C, S, S)``, or why there are none."""
        if isinstance(image, np.ndarray):
            require(
                image.dtype == np.uint8 and _is_shaped_as_image(image),
                f"an image array must be uint8 (H, W) or (H, W, 3), got {image.dtype} {image.shape}",
                fix="channels last, red, green and blue only; scale to 0..255 and convert with .astype('uint8')",
                code=Code.DATA,
            )
            image = Image.fromarray(image)
        wanted = self.preprocessing
        try:
            if isinstance(image, Image.Image):
                return stage_for_evaluation(develop(image, wanted.channels, wanted.white_16bit), wanted)
            decoded = decode(image, self.limits, wanted.channels, wanted.least_decoded_px, wanted.white_16bit)
            return stage_for_evaluation(decoded, wanted)
        except UnreadableImage as error:
            return str(error)

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


def _is_shaped_as_image(array: npt.NDArray[Any]) -> bool:
    return array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)


def _source(number: int, image: ImageInput) -> str:
    """What to call an image: its path, or its position in the input."""
    return str(image) if isinstance(image, str | Path) else str(number)
