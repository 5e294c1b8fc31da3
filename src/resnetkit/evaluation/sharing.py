"""Images that are examined and answered at once, each decoded a single time: by several processes, or on a cluster.

What comes of it is put together as if one process had loaded the images and then answered them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from resnetkit.classifier.decision import Familiarities, Probabilities, familiarity
from resnetkit.classifier.prediction import Predictor
from resnetkit.data.prepared_images import Examination, Examined, Originals
from resnetkit.data.reading import in_turn
from resnetkit.data.types import SomeImages
from resnetkit.images.digests import Digests
from resnetkit.images.types import Images, Indices, UInt8Images, UnreadableImage

BATCH_SIZE = 256
SHA256 = np.dtype("V32")


@dataclass(frozen=True)
class AnsweredRows:
    """Findings on N images and the answers for them, a row each; of an unreadable one, only the reason.

    Attributes:
        reasons: why an image cannot be read; empty where it can be.
        sha256: of its original bytes.
        probabilities: float32 ``(N, K)``.
        familiarity: float32 ``(N,)``, :func:`~resnetkit.classifier.decision.familiarity`; NaN where it was not kept.
    """

    reasons: npt.NDArray[np.object_]
    sha256: npt.NDArray[np.void]
    digests: Digests
    aspect_ratios: npt.NDArray[np.float32]
    probabilities: Probabilities
    familiarity: Familiarities

    @classmethod
    def empty(cls, num_images: int, num_classes: int) -> AnsweredRows:
        """Room for rows of images: readable ones, of which nothing is known yet."""
        return cls(
            np.full(num_images, "", object),
            np.zeros(num_images, SHA256),
            np.zeros(num_images, np.uint64),
            np.ones(num_images, np.float32),
            np.zeros((num_images, num_classes), np.float32),
            np.full(num_images, np.nan, np.float32),
        )

    def __len__(self) -> int:
        return len(self.reasons)

    def select(self, rows: Indices) -> AnsweredRows:
        """These rows, in this order."""
        return AnsweredRows(*(getattr(self, field.name)[rows] for field in fields(self)))

    def as_loaded(self) -> tuple[Images, Examination]:
        """The readable images and what was found, as loading them gives it."""
        readable = np.flatnonzero(self.reasons == "")
        examination = Examination(
            readable,
            [value.tobytes() for value in self.sha256[readable]],
            self.digests[readable],
            self.aspect_ratios[readable],
            {int(row): str(self.reasons[row]) for row in np.flatnonzero(self.reasons != "")},
        )
        # The one large column is not copied for nothing.
        own = self.probabilities if len(readable) == len(self) else self.probabilities[readable]
        return AnsweredImages(own, self.familiarity[readable]), examination


@dataclass(frozen=True)
class AnsweredImages:
    """Images of which the answers are kept instead of the pixels.

    Attributes:
        probabilities, familiarity: as in :class:`AnsweredRows`.
    """

    probabilities: Probabilities
    familiarity: Familiarities

    def __len__(self) -> int:
        return len(self.probabilities)

    def read(self, indices: Indices) -> UInt8Images:
        """Nothing: they have been answered for."""
        raise AssertionError("these images have been answered, and their pixels were not kept")


def given_answers(images: Images) -> AnsweredImages | None:
    """The answers kept of images that have been answered already; None for others."""
    if isinstance(images, AnsweredImages):
        return images
    if isinstance(images, SomeImages):
        given = given_answers(images.images)
        if given is not None:
            return AnsweredImages(given.probabilities[images.rows], given.familiarity[images.rows])
    return None


def joined(parts: Sequence[AnsweredRows]) -> AnsweredRows:
    """All rows, one part after the other."""
    columns = ([getattr(part, field.name) for part in parts] for field in fields(AnsweredRows))
    return AnsweredRows(*map(np.concatenate, columns))


def answer_originals(
    predictor: Predictor, originals: Originals, *, num_workers: int, on_done: Callable[[int], None] = lambda _: None
) -> AnsweredRows:
    """Decode, examine and answer images: threads read ahead, and pixels are kept no longer than they are needed."""
    answered = AnsweredRows.empty(len(originals), len(predictor.class_names))

    def readable() -> Iterator[tuple[int, UInt8Images]]:
        for index, found in _examined(originals, num_workers):
            on_done(1)
            if isinstance(found, str):
                answered.reasons[index] = found
                continue
            answered.sha256[index], answered.digests[index] = np.void(found.sha256), found.digest
            answered.aspect_ratios[index] = found.aspect_ratio
            yield index, found.pixels

    # Batches of readable images, as where all are loaded first: so the same are computed together.
    for batch in _in_batches(readable()):
        rows = [index for index, _ in batch]
        logits = predictor.engine.logits(np.stack([pixels for _, pixels in batch]))
        answered.probabilities[rows] = predictor.decision.probabilities(logits)
        answered.familiarity[rows] = familiarity(logits)
    return answered


def _examined(originals: Originals, num_workers: int) -> Iterator[tuple[int, Examined | str]]:
    """Every image in order, or why it cannot be read; a batch is examined ahead of what is asked for."""

    def examine(index: int) -> tuple[int, Examined | str]:
        try:
            return index, originals.examine(index)
        except UnreadableImage as error:
            return index, str(error)

    return in_turn(examine, range(len(originals)), num_threads=max(1, num_workers), num_begun=2 * BATCH_SIZE)


def _in_batches(images: Iterable[tuple[int, UInt8Images]]) -> Iterator[list[tuple[int, UInt8Images]]]:
    todo = iter(images)
    while batch := list(itertools.islice(todo, BATCH_SIZE)):
        yield batch


def own_share(num_images: int, rank: int, num_ranks: int) -> Indices:
    """Positions of the images that one of several processes answers: whole batches, one after the other."""
    num_batches = -(-num_images // BATCH_SIZE)
    edges = np.linspace(0, num_batches, num_ranks + 1).round().astype(np.int64) * BATCH_SIZE
    return np.arange(edges[rank], min(edges[rank + 1], num_images))
