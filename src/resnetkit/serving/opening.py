"""Classifiers said in plain values, and opened where they are to compute."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from resnetkit.classifier.demanding import demanding
from resnetkit.classifier.description import Description
from resnetkit.classifier.engine import Engine
from resnetkit.classifier.prediction import BATCH_SIZE, Predictor
from resnetkit.config import frozen
from resnetkit.errors import Code, require
from resnetkit.images.spec import Limits
from resnetkit.inference.conditions import Conditions, find_conditions
from resnetkit.inference.engine_choice import Tell, open_engine, tell_user
from resnetkit.inference.engines import AUTO, ENGINES
from resnetkit.machine.allocator import give_back_freed_memory
from resnetkit.machine.precision import UsePrecision
from resnetkit.recipes.demands import NO_DEMANDS, Demands
from resnetkit.serving.engine_sizes import join_sizes
from resnetkit.sources.described import digest_of, open_described

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier

VERSION_LENGTH = 12  # of a SHA-256's 64 digits
ANY_NUMBER = ("torch", "network")  # engines that compute each number of images as it is
NEED_TORCH = ("network", *(name for name, kind in ENGINES.items() if kind.reads == "network"))


@frozen
class ToServe:
    """A classifier that is to be served, and how it is to be opened; as ``predict`` takes it.

    Attributes:
        name: under which it is asked for.
        source: the text that names it.
        reading: how third-party weights are read, as :func:`~resnetkit.sources.described.open_described` takes it.
        calibrate: for int8, a folder of images; None: training images of the classifier's own run.
        max_pixels, max_file_bytes: in place of the classifier's own limits; None: those.
        demands: on its answers, in place of the thresholds in its file.
    """

    name: str
    source: str
    reading: dict[str, Any] = field(default_factory=dict)
    engine: str = AUTO
    precision: UsePrecision = "fp32"
    device: str = "auto"
    max_pixels: int | None = None
    max_file_bytes: int | None = None
    calibrate: str | None = None
    demands: Demands = NO_DEMANDS

    def limits(self, own: Limits) -> Limits:
        """The limits that images are read within, of a classifier with limits of its own."""
        stated = {"max_pixels": self.max_pixels, "max_file_bytes": self.max_file_bytes}
        return replace(own, **{name: value for name, value in stated.items() if value is not None})


@dataclass(frozen=True)
class Opened:
    """A classifier that can answer.

    Attributes:
        version: the first digits of the SHA-256 of what it answers by.
        is_heavier_than_needed: whether torch was loaded to choose an engine that needs none: opened again, in another
            process, it takes less memory.
    """

    predictor: Predictor
    description: Description
    version: str
    is_heavier_than_needed: bool


def open_to_serve(to_serve: ToServe, *, max_batch_images: int, tell: Tell = tell_user) -> Opened:
    """Open a classifier for batches of any size up to a largest.

    The engine is the one that ``predict`` chooses for many images, so that both give the same probabilities: to the
    last bit with ``onnxruntime`` and ``openvino``, whatever shares a batch; within 1e-6 with ``torch``, which computes
    one image alone in another order than several (2e-7 seen with ResNet-18 and ResNet-20).

    Raises:
        ResnetkitError: as ``predict`` does, and where the file changes meanwhile.
    """
    conditions = _conditions(to_serve, to_serve.engine, BATCH_SIZE)
    opened = demanding(open_described(to_serve.source, device=conditions.device, **to_serve.reading), to_serve.demands)
    for text in opened.provenance.get("warnings", ()):
        tell(f"warning: {text}")
    digest = digest_of(opened)
    engine = _open_engine(opened, to_serve, conditions, max_batch_images, tell)
    require(
        digest_of(opened) == digest,
        f"{to_serve.source} has changed while it was opened",
        fix="nothing is to be done: it is opened again",
        code=Code.WEIGHTS,
    )
    give_back_freed_memory()
    predictor = Predictor.of(opened, engine)
    predictor = replace(predictor, limits=to_serve.limits(predictor.limits))
    description = opened if isinstance(opened, Description) else opened.description
    is_heavy = isinstance(opened, Description) and "torch" in sys.modules and engine.name not in NEED_TORCH
    return Opened(predictor, description, digest[:VERSION_LENGTH], is_heavy)


def _conditions(to_serve: ToServe, engine: str, batch_size: int) -> Conditions:
    return find_conditions(
        engine,
        precision=to_serve.precision,
        calibrate=to_serve.calibrate,
        batch_size=batch_size,
        device=to_serve.device,
    )


def _open_engine(
    opened: Classifier | Description, to_serve: ToServe, conditions: Conditions, max_images: int, tell: Tell
) -> Engine:
    """The engine that is chosen for many images, opened for the numbers of images that will come."""
    chosen = open_engine(opened, conditions, tell=tell)
    if chosen.name in ANY_NUMBER:
        return chosen
    size_px, shape = opened.preprocessing.image_size_px, opened.preprocessing.image_shape
    # The same one again; in int8, what was chosen is kept for all numbers of images under what was asked for.
    engine = to_serve.engine if to_serve.precision == "int8" else chosen.name
    for_batches = _conditions(to_serve, engine, max_images)
    is_same = for_batches.for_images(size_px).batch_size == conditions.for_images(size_px).batch_size
    together = chosen if is_same else open_engine(opened, for_batches, tell=tell)
    if max_images == 1:
        return together
    alone = open_engine(opened, _conditions(to_serve, engine, 1), tell=tell)
    return join_sizes(alone, together, image_shape=shape, max_images=max_images)
