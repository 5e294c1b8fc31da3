"""Turn what callers give as images into prepared pixels: in threads, in order, in bounded memory; no torch here."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.images.decoding import decode_for_use
from resnetkit.images.image_inputs import Decodable, ImageInput, check_are_several, name_of, take_image
from resnetkit.images.preprocessing import prepare_for_evaluation
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import UInt8Images, UnreadableImage

# How many batches are decoded while one is computed; two keep the engine fed where files differ in size.
BATCHES_AHEAD = 2
MAX_DECODERS = 16


class PreparedImage(NamedTuple):
    """An image's pixels ``(C, S, S)``, or why there are none.

    Attributes:
        source: the path, or the position in the input where it was no file.
        note: what of the image is not in the pixels; empty where nothing was lost.
    """

    source: str
    pixels: UInt8Images | None
    problem: str = ""
    note: str = ""


def iter_prepared(
    images: Iterable[ImageInput], preprocessing: Preprocessing, limits: Limits, *, batch_size: int
) -> Iterator[list[PreparedImage]]:
    """Yield batches of images, prepared as they are for evaluation, in order; an unreadable one tells why.

    Of a sequence, the next files are decoded while the caller computes; any other iterable is asked for one batch at a
    time, because what it gives next may depend on the answers.
    """
    require(batch_size >= 1, f"batch_size must be at least 1, got {batch_size}")
    check_are_several(images)
    ahead = BATCHES_AHEAD * batch_size if isinstance(images, Sequence) else 0
    with _decoders() as pool:
        waiting: deque[Future[PreparedImage]] = deque()
        numbered = enumerate(images)
        while True:
            wanted = batch_size + ahead - len(waiting)
            for number, image in itertools.islice(numbered, wanted):
                waiting.append(_preparing(pool, name_of(number, image), image, preprocessing, limits))
            if not waiting:
                return
            yield [waiting.popleft().result() for _ in range(min(batch_size, len(waiting)))]


def prepare_image(source: str, image: Decodable, preprocessing: Preprocessing, limits: Limits) -> PreparedImage:
    """Decode an image and prepare it as for evaluation; one that cannot be read has the reason."""
    try:
        decoded = decode_for_use(image, limits, preprocessing)
        return PreparedImage(source, prepare_for_evaluation(decoded.image, preprocessing), note=decoded.note)
    except UnreadableImage as error:
        return PreparedImage(source, None, problem=str(error))


def stack_readable(batch: Sequence[PreparedImage], *, fix: str) -> UInt8Images:
    """The pixels of a batch, uint8 ``(n, C, S, S)``.

    Raises:
        ResnetkitError: for the first image that cannot be read.
    """
    readable = []
    for image in batch:
        if image.pixels is None:
            raise ResnetkitError(Code.DATA, f"image {image.source} {image.problem}", fix=fix)
        readable.append(image.pixels)
    return np.stack(readable)


def _preparing(
    pool: ThreadPoolExecutor, source: str, image: ImageInput, preprocessing: Preprocessing, limits: Limits
) -> Future[PreparedImage]:
    done: Future[PreparedImage] = Future()
    try:
        taken = take_image(image)  # here and not in a thread: the same open file may stand in the input twice
    except ResnetkitError as error:
        done.set_exception(error)  # when its turn comes
        return done
    if isinstance(taken, Image.Image):  # decoded already, as a rule: no work for a thread
        done.set_result(prepare_image(source, taken, preprocessing, limits))
        return done
    return pool.submit(prepare_image, source, taken, preprocessing, limits)


@contextmanager
def _decoders() -> Iterator[ThreadPoolExecutor]:
    """Threads that decode; on the way out, also after Ctrl-C, what has not begun is dropped."""
    pool = ThreadPoolExecutor(min(MAX_DECODERS, os.cpu_count() or 1), thread_name_prefix="decode")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
