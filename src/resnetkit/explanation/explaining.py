"""Explains a classifier's answers, image by image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resnetkit.anatomy.table import describe
from resnetkit.classifier.decision import NO_NUMBER
from resnetkit.classifier.description import Description
from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.explanation.explanation import Asked, Explanation, Explanations, HeatMap
from resnetkit.explanation.methods import Method, find_methods
from resnetkit.images.decoding import decode_to_show
from resnetkit.images.image_inputs import Decodable, ImageInput, check_are_several, name_of, take_image
from resnetkit.images.preprocessing import Window, find_window, prepare_for_evaluation
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import UInt8Images, UnreadableImage
from resnetkit.inference.conditions import Conditions
from resnetkit.inference.engine_choice import Tell, open_engine, tell_user
from resnetkit.inference.engines import AUTO
from resnetkit.inference.on_demand import EngineOnDemand
from resnetkit.inference.predictors import open_source
from resnetkit.models.plan import map_names
from resnetkit.models.spec import ResNetSpec

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier
    from resnetkit.explanation.checks import Checker
    from resnetkit.explanation.subject import Question, Subject


def explain(
    source: str | Path | Classifier,
    images: Iterable[ImageInput],
    *,
    method: str | Sequence[str] = "grad_cam",
    layer: str | None = None,
    class_name: str | None = None,
    against: str | None = None,
    check: bool = False,
) -> Explanations:
    """Explain a classifier's answers for images: what in each speaks for a class.

    Returns one :class:`~resnetkit.explanation.explanation.Explanation` for each image, in order; a file that cannot be
    read is a row too, with the reason. Each holds an image and its maps in memory: for many, use
    :func:`iter_explanations`.

    Args:
        source: a run folder, a classifier file, a third-party weight file, ``hf://OWNER/NAME``, or a classifier.
        images: as for :func:`resnetkit.predict`.
        method: one or several names of :data:`~resnetkit.explanation.methods.METHODS`, or ``all``.
        layer: the feature map to read, ``stem``, ``stage1``, ``stage2`` …, for methods that read one; None: the last
            one, as the head reads it.
        class_name: the class to explain; None: each image's most probable one.
        against: explain why ``class_name`` rather than this class; without ``class_name``, why the most probable other
            class.
        check: also check each map (:class:`~resnetkit.explanation.explanation.Check`), which takes some ten times as
            long.

    Raises:
        ResnetkitError: for what is no classifier, and an unknown method, layer or class, with the nearest one.
    """
    methods = (method,) if isinstance(method, str) else tuple(method)
    return Explanations(iter_explanations(source, images, Asked(methods, layer, class_name, against, check)))


def iter_explanations(
    source: str | Path | Classifier | Description,
    images: Iterable[ImageInput],
    asked: Asked,
    *,
    engine: str = AUTO,
    device: str = "auto",
    tell: Tell = tell_user,
    made: Callable[[], None] = lambda: None,
) -> Iterator[Explanation]:
    """Yield the rows of :func:`explain` one by one, so that any number of files needs little memory.

    What is wrong with the arguments is told at the call, before the first row is asked for and weights are read.

    Args:
        source: as for :func:`explain`, or what a classifier's file says of itself.
        engine: what computes the answers, a name of :data:`~resnetkit.inference.engines.NAMES`; ``torch`` is there at
            once, where for few images none is worth measuring.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; not for a classifier, which computes where its network is.
        tell: called with what had to be assumed, with settings that have no effect, and with what is measured.
        made: called after each map: a row of many takes minutes.
    """
    check_are_several(images)
    methods = find_methods(asked.methods)
    opened, conditions = open_source(source, engine=engine, device=device, tell=tell)
    _check_classes(asked, opened.class_names)
    _check_layer(asked.layer, _spec_of(opened), methods, tell)
    return _explanations(opened, conditions, images, asked, tell, made)


class Seen(NamedTuple):
    """An image as the network sees it, uint8 ``(C, S, S)``, where that is, and as people do."""

    pixels: UInt8Images
    window: Window
    image: UInt8Images
    note: str


def _spec_of(opened: Classifier | Description) -> ResNetSpec:
    return opened.model if isinstance(opened, Description) else opened.network.spec


def _check_classes(asked: Asked, class_names: Sequence[str]) -> None:
    for name in (asked.class_name, asked.against):
        if name is not None and name not in class_names:
            raise ResnetkitError(Code.USAGE, f"unknown class '{name}'", fix=did_you_mean(name, class_names))
    alone = asked.class_name if len(class_names) > 1 else class_names[0]
    if asked.against is not None and asked.against == alone:
        raise ResnetkitError(Code.USAGE, f"the class '{alone}' cannot be explained against itself")


def _check_layer(layer: str | None, spec: ResNetSpec, methods: Sequence[Method], tell: Tell) -> None:
    if layer is None:
        return
    if layer not in map_names(spec):
        raise ResnetkitError(Code.USAGE, f"unknown layer '{layer}'", fix=did_you_mean(layer, map_names(spec)))
    vain = [method.title for method in methods if not method.reads_map]
    if vain:
        tell(f"warning: the layer has no effect on {', '.join(vain)}: only pixels are read there")


def _explanations(
    opened: Classifier | Description,
    conditions: Conditions,
    images: Iterable[ImageInput],
    asked: Asked,
    tell: Tell,
    made: Callable[[], None],
) -> Iterator[Explanation]:
    from resnetkit.classifier.classifier import load_classifier
    from resnetkit.explanation.subject import Subject

    classifier = load_classifier(opened, device=conditions.device) if isinstance(opened, Description) else opened
    engine = EngineOnDemand(lambda: open_engine(opened, conditions, tell=tell))
    subject = Subject.of(classifier, engine)
    checker = None
    if asked.check:
        from resnetkit.explanation.checks import Checker

        checker = Checker.of(classifier, subject)
    for number, image in enumerate(images):
        source = name_of(number, image)
        try:
            seen = look_at(take_image(image), classifier.preprocessing, classifier.limits)
        except UnreadableImage as error:
            yield Explanation(source, "error", str(error))
        else:
            yield _explain(source, seen, subject, checker, asked, classifier.class_names, made)


def look_at(image: Decodable, preprocessing: Preprocessing, limits: Limits) -> Seen:
    """Decode an image for the network and for people, and find in it what the network sees.

    Raises:
        UnreadableImage: with the reason.
    """
    decoded, shown = decode_to_show(image, limits, preprocessing)
    height, width = shown.shape[:2]
    window = find_window(*decoded.image.size, preprocessing)
    window = window.of_image_resized(width / decoded.image.width, height / decoded.image.height)
    return Seen(prepare_for_evaluation(decoded.image, preprocessing), window, shown, decoded.note)


def _explain(
    source: str,
    seen: Seen,
    subject: Subject,
    checker: Checker | None,
    asked: Asked,
    class_names: tuple[str, ...],
    made: Callable[[], None],
) -> Explanation:
    from resnetkit.explanation.subject import Question

    decided = subject.decision.decide(subject.logits(seen.pixels))
    status, probabilities = decided.statuses[0], decided.probabilities[0]
    if status == "error":
        return Explanation(source, status, NO_NUMBER)
    against = None if asked.against is None else class_names.index(asked.against)
    if asked.class_name is not None:
        answer = class_names.index(asked.class_name)
    else:
        answer = next(int(i) for i in np.argsort(-probabilities, kind="stable") if i != against)
    question = Question(answer, against, asked.layer or map_names(subject.network.spec)[-1])
    baselines = checker and checker.baselines(question, seen.pixels)
    maps = []
    for method in find_methods(asked.methods):
        heat = _map(method, subject, question, seen.pixels, class_names)
        if checker and baselines:
            check = checker.check(method, question, seen.pixels, heat.values, baselines)
            heat = replace(heat, check=check)
        maps.append(heat)
        made()
    return Explanation(source, status, "", seen.image, seen.window, probabilities, class_names, tuple(maps), seen.note)


def _map(
    method: Method, subject: Subject, question: Question, pixels: UInt8Images, class_names: Sequence[str]
) -> HeatMap:
    from resnetkit.explanation.gradients import find_gap

    values = method.compute(subject, question, pixels)
    return HeatMap(
        method.name,
        question.layer if method.reads_map else None,
        class_names[question.answer],
        None if question.against is None else class_names[question.against],
        values,
        find_gap(subject, question, pixels, values) if method.adds_up else None,
        _map_size(subject.network.spec, question.layer, pixels.shape[-1]) if method.reads_map else None,
    )


@lru_cache
def _map_size(spec: ResNetSpec, layer: str, image_size_px: int) -> int:
    """Number of values across a feature map."""
    rows = describe(spec, image_size_px).rows
    names = [row.name.replace(" ", "") for row in rows]
    return rows[names.index("stage1") - 1 if layer == "stem" else names.index(layer)].output_shape[-1]
