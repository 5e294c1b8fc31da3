"""From images to answers: images are prepared while an engine computes.

No torch here: what computes the logits is an :class:`~resnetkit.classifier.engine.Engine`, and some need none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from resnetkit.classifier.decision import NO_NUMBER, Decided, Decision, Logits, Mask, Probabilities
from resnetkit.classifier.engine import Engine
from resnetkit.classifier.yardstick import Yardstick
from resnetkit.data.seen import SeenImages
from resnetkit.errors import require
from resnetkit.images.image_inputs import ImageInput
from resnetkit.images.prepared_inputs import iter_prepared, stack_readable
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import UInt8Images
from resnetkit.pages.showing import show

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier
    from resnetkit.classifier.description import Description

BATCH_SIZE = 64


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    Attributes:
        source: the path, or the position in the input where it was no file.
        status: ``ok``; ``unsure`` or ``unknown`` where the classifier's decision has a threshold for that and the image
            lies below it, then there is no class; or ``error`` for an image that could not be read, or whose answer is
            not a number, then ``reason`` says why.
        top: the most probable classes with their probabilities, best first; of an image that is unknown or unsure too.
        note: what of the image the classifier could not look at; empty where nothing was lost.
        classes: those that hold the true one with the probability that the decision's sets were made for, best first;
            None where it makes none.
    """

    source: str
    status: str
    reason: str = ""
    top: tuple[tuple[str, float], ...] = ()
    note: str = ""
    classes: tuple[str, ...] | None = None

    @property
    def class_name(self) -> str | None:
        """The most probable class; None where the status is not ``ok``."""
        return self.top[0][0] if self.status == "ok" else None

    @property
    def probability(self) -> float | None:
        """The probability of that class in [0, 1]; None as above."""
        return self.top[0][1] if self.status == "ok" else None

    def as_row(self) -> dict[str, Any]:
        """The row of this image, JSON-ready, as programs are given it; without the note."""
        row = {
            "path": self.source,
            "status": self.status,
            "reason": self.reason,
            "class": self.class_name,
            "probability": self.probability,
            "top": [{"class": name, "probability": share} for name, share in self.top],
        }
        return row if self.classes is None else {**row, "set": list(self.classes)}

    def _repr_html_(self) -> str:
        return show(self)


def rank_classes(probabilities: Probabilities, class_names: Sequence[str], top: int) -> tuple[tuple[str, float], ...]:
    """The ``top`` most probable classes of one image with their probabilities ``(K,)``, best first.

    Equally probable ones stand in the order of the classes.

    >>> rank_classes(np.float32([0.25, 0.5, 0.25]), ("ant", "bee", "wasp"), 2)
    (('bee', 0.5), ('ant', 0.25))
    """
    order = np.argsort(-probabilities, kind="stable")[:top]
    return tuple((class_names[i], float(probabilities[i])) for i in order)


def name_set(probabilities: Probabilities, in_set: Mask | None, class_names: Sequence[str]) -> tuple[str, ...] | None:
    """The classes ``(K,)`` that are in the set of one image, best first; None where the decision makes none."""
    if in_set is None:
        return None
    size = int(in_set.sum())  # no class of a set is less probable than one outside of it
    return tuple(name for name, _ in rank_classes(probabilities, class_names, size))


class Predictions(list[Prediction]):
    """Answers for images, one each and in order: a list, of which a notebook makes a table."""

    def _repr_html_(self) -> str:
        return show(self)


@dataclass(frozen=True)
class Predictor:
    """Classifies images: prepares them, asks an engine, decides, and names the classes.

    Attributes:
        limits: images beyond these are refused.
        seen: the images that the weights have met, for honest scores; None where that is not known.
        yardstick: it knows the images that the decision was fitted to, for the same end.
    """

    engine: Engine
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    decision: Decision = field(default_factory=Decision)
    limits: Limits = field(default_factory=Limits)
    seen: SeenImages | None = field(default=None, repr=False)
    yardstick: Yardstick | None = field(default=None, repr=False)

    @classmethod
    def of(cls, classifier: Classifier | Description, engine: Engine) -> Predictor:
        """Answer for a classifier, or for what its file says of it, with an engine that was opened for it."""
        said = classifier
        return cls(engine, said.preprocessing, said.class_names, said.decision, said.limits, said.seen, said.yardstick)

    def probabilities(self, pixels: UInt8Images) -> Probabilities:
        """Class probabilities ``(N, K)`` of images prepared already, uint8 ``(N, C, S, S)``."""
        return self.decide(pixels).probabilities

    def decide(self, pixels: UInt8Images) -> Decided:
        """Everything that is answered for images prepared already, uint8 ``(N, C, S, S)``."""
        return self.decision.decide(self.engine.logits(pixels) if len(pixels) else self._no_logits())

    def predict_proba(self, images: Iterable[ImageInput], *, batch_size: int = BATCH_SIZE) -> Probabilities:
        """Class probabilities ``(N, K)`` of images: paths, bytes of image files, open binary files, PIL images, uint8
        arrays ``(H, W)`` or ``(H, W, 3)``, or uint8 tensors ``(H, W)`` or ``(3, H, W)``.

        Raises:
            ResnetkitError: for the first image that cannot be read; :meth:`predict` gives a row for each instead.
        """
        batches = iter_prepared(images, self.preprocessing, self.limits, batch_size=batch_size)
        fix = "leave it out, or use predict()"
        answers = [self.probabilities(stack_readable(batch, fix=fix)) for batch in batches]
        return np.concatenate(answers) if answers else self.decision.probabilities(self._no_logits())

    def predict(self, images: Iterable[ImageInput], *, top: int = 5, batch_size: int = BATCH_SIZE) -> Predictions:
        """One :class:`Prediction` per image, in order; an unreadable file is a row with status ``error``."""
        return Predictions(self.iter_predictions(images, top=top, batch_size=batch_size))

    def iter_predictions(
        self, images: Iterable[ImageInput], *, top: int = 5, batch_size: int = BATCH_SIZE
    ) -> Iterator[Prediction]:
        """Yield the rows of :meth:`predict` one by one, so that any number of files needs little memory.

        Of a sequence, the next files are decoded while the engine computes; any other iterable is asked for one
        batch at a time, because what it gives next may depend on the answers.
        """
        require(top >= 1, f"top must be at least 1, got {top}")
        for batch in iter_prepared(images, self.preprocessing, self.limits, batch_size=batch_size):
            readable = [image.pixels for image in batch if image.pixels is not None]
            rows = iter(self._rows(np.stack(readable), top) if readable else ())
            for image in batch:
                if image.pixels is None:
                    yield Prediction(image.source, "error", image.problem)
                else:
                    yield replace(next(rows), source=image.source, note=image.note)

    def _rows(self, pixels: UInt8Images, top: int) -> Iterator[Prediction]:
        """The answers for prepared images, which are yet to be given their names."""
        decided = self.decide(pixels)
        for row, probabilities in enumerate(decided.probabilities):
            status = decided.statuses[row]
            if status == "error":
                yield Prediction("", status, NO_NUMBER)
                continue
            ranked = rank_classes(probabilities, self.class_names, top)
            classes = name_set(probabilities, decided.set_of(row), self.class_names)
            yield Prediction("", status, top=ranked, classes=classes)

    def _no_logits(self) -> Logits:
        return np.empty((0, 1, len(self.class_names)), np.float32)

    def _repr_html_(self) -> str:
        return show(self)
