"""Predictors of whatever is named, for people who write Python."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from pathlib import Path
from typing import TYPE_CHECKING

from resnetkit.classifier.demanding import demanding
from resnetkit.classifier.description import Description
from resnetkit.classifier.prediction import BATCH_SIZE, Predictions, Predictor
from resnetkit.errors import require
from resnetkit.images.image_inputs import ImageInput, check_are_several
from resnetkit.inference.conditions import Conditions, find_conditions
from resnetkit.inference.engine_choice import Tell, open_engine, tell_user
from resnetkit.inference.engines import AUTO
from resnetkit.machine.precision import UsePrecision
from resnetkit.recipes.demands import NO_DEMANDS, Demands
from resnetkit.sources.described import open_described

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier


def open_predictor(
    source: str | Path | Classifier,
    *,
    engine: str = AUTO,
    precision: UsePrecision = "fp32",
    calibrate: str | Path | None = None,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    demands: Demands = NO_DEMANDS,
    tell: Tell = tell_user,
) -> Predictor:
    """Open what answers for images.

    Where the engine to use is known and needs no torch, torch is not loaded. The first time, engines are measured,
    which takes some seconds; see :func:`~resnetkit.inference.engine_choice.open_engine`.

    Args:
        source: a run folder, a classifier file, a third-party weight file, ``hf://OWNER/NAME``, or a classifier, e.g.
            from :func:`resnetkit.open_classifier`, which also says what a weight file does not.
        engine: a name of :data:`~resnetkit.inference.engines.NAMES`.
        precision: what convs and matrix products are computed in; ``bf16`` and ``int8`` give other probabilities.
        calibrate: for ``int8``, a folder of images like those it will be asked for; None: training images of the
            classifier's own run.
        batch_size: how many images will be given at once; the fastest engine can depend on it.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; not for a classifier, which computes where its network is.
        demands: on its answers, e.g. ``resnetkit.Demands(unknown_at=0.05)``; what nothing is demanded of is decided as
            the classifier says.
        tell: called with what had to be assumed, and with what is measured.

    Raises:
        ResnetkitError: for what is no classifier, an unknown engine, or one that cannot run here.
    """
    classifier, conditions = open_source(
        source,
        engine=engine,
        precision=precision,
        calibrate=calibrate,
        batch_size=batch_size,
        device=device,
        tell=tell,
    )
    classifier = demanding(classifier, demands)  # before engines are measured: nobody waits to be told
    return Predictor.of(classifier, open_engine(classifier, conditions, tell=tell))


def open_source(
    source: str | Path | Classifier | Description,
    *,
    engine: str = AUTO,
    precision: UsePrecision = "fp32",
    calibrate: str | Path | None = None,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    tell: Tell = tell_user,
) -> tuple[Classifier | Description, Conditions]:
    """Read what a source says of itself, and find the conditions to compute under; no engine is chosen yet.

    It takes what :func:`open_predictor` takes, and the description of a file that has been read already.

    Raises:
        ResnetkitError: as :func:`open_predictor` does.
    """
    if not isinstance(source, str | Path | Description):
        require(device == "auto", "a classifier computes where its network is", fix="leave the device out")
        device = str(source.device)
    conditions = find_conditions(engine, precision=precision, calibrate=calibrate, batch_size=batch_size, device=device)
    if not isinstance(source, str | Path):
        return source, conditions
    opened = open_described(source, device=conditions.device)
    for text in opened.provenance.get("warnings", ()):
        tell(f"warning: {text}")
    return opened, conditions


def predict(source: str | Path | Classifier | Predictor, images: Iterable[ImageInput], *, top: int = 5) -> Predictions:
    """Classify images with whatever :func:`open_predictor` opens, or with a predictor that is open already.

    Returns one :class:`~resnetkit.classifier.prediction.Prediction` for each image, in order; a file that cannot be
    read is a row too, with the reason.

    Args:
        images: paths, bytes of image files, Pillow images, arrays; see
            :meth:`~resnetkit.classifier.prediction.Predictor.predict_proba`.
        top: how many classes to give for each.
    """
    check_are_several(images)  # before anything is opened: nobody waits to be told
    if not isinstance(source, Predictor):
        number = len(images) if isinstance(images, Sized) else BATCH_SIZE
        source = open_predictor(source, batch_size=max(1, min(BATCH_SIZE, number)))
    return source.predict(images, top=top)
