"""From requests to answers in one process: files are decoded in threads, images gathered into batches and computed.

Nothing here knows of processes or HTTP. A request whose time has passed, or that was given up, is dropped wherever it
is.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from resnetkit.classifier.decision import NO_NUMBER, Decided, Logits
from resnetkit.classifier.prediction import Predictor
from resnetkit.errors import summarize
from resnetkit.images.decoding import read_header
from resnetkit.images.prepared_inputs import MAX_DECODERS, prepare_image
from resnetkit.images.types import UInt8Images, UnreadableImage
from resnetkit.machine.allocator import give_back_freed_memory
from resnetkit.serving.batching import Batches
from resnetkit.serving.decoding_gate import DecodingGate
from resnetkit.serving.served import DeadlinePassed, ImageAnswer, NotAnswered, Overloaded
from resnetkit.serving.settings import ServerSettings

LARGE_PIXELS = 16_000_000  # of an image whose memory is handed back to the system when it has been prepared
Outcome = list[ImageAnswer] | NotAnswered


class Request:
    """Images to be answered for, all or none.

    Args:
        deadline: when nobody waits for the answer any more, as :func:`time.monotonic` counts.
        tell: called once, by any thread, with what became of it.
    """

    def __init__(self, num_images: int, deadline: float, tell: Callable[[Outcome], None]) -> None:
        self._answers: list[ImageAnswer | None] = [None] * num_images
        self._num_missing = num_images
        self._deadline, self._tell = deadline, tell
        self._lock = threading.Lock()
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """True where no more is to be done for it; a deadline that passes is found here, and told."""
        if not self._is_over and time.monotonic() > self._deadline:
            self.end(DeadlinePassed("the deadline has passed before the answer was computed"))
        return self._is_over

    def answer(self, place: int, answer: ImageAnswer) -> None:
        """Take the answer for one of the images; with the last, tell them all."""
        with self._lock:
            assert self._answers[place] is None
            self._answers[place] = answer
            self._num_missing -= 1
        if not self._num_missing:
            self.end([answer for answer in self._answers if answer is not None])

    def end(self, outcome: Outcome) -> None:
        """Tell what became of it, unless that has been told."""
        with self._lock:
            was_over, self._is_over = self._is_over, True
        if not was_over:
            self._tell(outcome)


class _Prepared:
    """An image of a request, ready to be computed."""

    __slots__ = ("note", "pixels", "place", "request")

    def __init__(self, request: Request, place: int, pixels: UInt8Images, note: str = "") -> None:
        self.request, self.place, self.pixels, self.note = request, place, pixels, note


class Answerer:
    """Answers requests by a predictor, in threads of its own, until it is closed."""

    def __init__(self, predictor: Predictor, settings: ServerSettings) -> None:
        self._predictor, self._settings = predictor, settings
        self._gate = DecodingGate(settings.max_decoding_pixels)
        self._batches: Batches[_Prepared] = Batches(settings.max_batch_images, settings.max_wait_ms / 1000)
        self._decoders = ThreadPoolExecutor(min(MAX_DECODERS, os.cpu_count() or 1), thread_name_prefix="decode")
        self._lock = threading.Lock()
        self._queued_pixels = 0
        self._begun: dict[object, float] = {}  # what is at work, and since when
        self._computing = threading.Thread(target=self._compute, name="compute", daemon=True)
        self._computing.start()

    @property
    def busy_seconds(self) -> float:
        """For how long the slowest image or batch has been at work by now; where that is long, something hangs."""
        with self._lock:
            return time.monotonic() - min(self._begun.values()) if self._begun else 0.0

    def ask_files(self, request: Request, files: Sequence[bytes]) -> None:
        """Answer for image files; refused at once where with them more pixels would wait than may."""
        sizes = [self._num_pixels(file) for file in files]
        most = self._settings.max_queued_pixels
        with self._lock:
            is_refused = bool(self._queued_pixels) and self._queued_pixels + sum(sizes) > most
            self._queued_pixels += 0 if is_refused else sum(sizes)
        if is_refused:
            request.end(Overloaded(f"more than {most:,} pixels wait to be decoded"))
            return
        self._batches.announce(len(files))
        for place, (file, num_pixels) in enumerate(zip(files, sizes, strict=True)):
            self._decoders.submit(self._prepare, request, place, file, num_pixels)

    def ask_pixels(self, request: Request, pixels: UInt8Images) -> None:
        """Answer for prepared images, uint8 ``(N, C, S, S)``."""
        self._batches.announce(len(pixels))
        for place, image in enumerate(pixels):
            self._batches.add(_Prepared(request, place, image))

    def close(self) -> None:
        """Answer what was asked, and end the threads."""
        self._decoders.shutdown()
        self._batches.close()
        self._computing.join()

    def _num_pixels(self, file: bytes) -> int:
        try:
            header = read_header(file, self._predictor.limits)
        except UnreadableImage:
            return 0  # it is refused when its turn comes, before a pixel is decoded
        return header.width * header.height

    def _prepare(self, request: Request, place: int, file: bytes, num_pixels: int) -> None:
        image = None
        try:
            with self._gate.passed(num_pixels), self._at_work():
                if not request.is_over:
                    predictor = self._predictor
                    image = prepare_image("", file, predictor.preprocessing, predictor.limits)
        except Exception as error:  # whatever a decoder raises beyond what is known of damaged files
            request.end(_failed(error))
        finally:
            with self._lock:
                self._queued_pixels -= num_pixels
            if image is None or image.pixels is None:
                self._batches.forgo()
        if image is not None and image.pixels is None:
            request.answer(place, ImageAnswer("error", image.problem))
        elif image is not None and image.pixels is not None:
            self._batches.add(_Prepared(request, place, image.pixels, image.note))
        if num_pixels >= LARGE_PIXELS:
            give_back_freed_memory()

    def _compute(self) -> None:
        while batch := self._batches.take():
            batch = [image for image in batch if not image.request.is_over]
            if not batch:
                continue
            try:
                with self._at_work():
                    logits = self._predictor.engine.logits(np.stack([image.pixels for image in batch]))
                    decided = self._predictor.decision.decide(logits)
            except Exception as error:  # whatever another project's engine raises
                for image in batch:
                    image.request.end(_failed(error))
                continue
            for row, image in enumerate(batch):
                if decided.statuses[row] == "error":
                    image.request.end(NotAnswered(f"the answer could not be computed (an image {NO_NUMBER})"))
                else:
                    image.request.answer(image.place, _answer(image.note, decided, logits, row))

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        work = object()
        with self._lock:
            self._begun[work] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._begun[work]


def _answer(note: str, decided: Decided, logits: Logits, row: int) -> ImageAnswer:
    """The answer for the image at ``row`` of a batch."""
    status, probabilities = decided.statuses[row], decided.probabilities[row]
    return ImageAnswer(status, "", note, probabilities, logits[row], decided.set_of(row))


def _failed(error: Exception) -> NotAnswered:
    return NotAnswered(f"the answer could not be computed ({summarize(error)})")
