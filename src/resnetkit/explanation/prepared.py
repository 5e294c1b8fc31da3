"""Grad-CAM as pictures of images that are prepared already, for several classes side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.engine import Engine
from resnetkit.explanation.explanation import Explanation, HeatMap
from resnetkit.explanation.methods import METHODS
from resnetkit.explanation.pictures import as_drawn, draw_map, strongest
from resnetkit.explanation.subject import Question, Subject
from resnetkit.images.preprocessing import Window
from resnetkit.images.types import UInt8Images
from resnetkit.models.plan import map_names


def iter_pictures(
    classifier: Classifier,
    engine: Engine,
    asked: Iterable[tuple[UInt8Images, Sequence[str]]],
    *,
    side_px: int,
) -> Iterator[tuple[UInt8Images, ...]]:
    """Yield, for each image and names of classes, a picture for each of the classes: what in the image speaks for it.

    The pictures of one image have one scale, so that a class for which less speaks is paler.

    Args:
        asked: prepared images, uint8 ``(C, S, S)``, of other than one or three channels the first is shown.
        side_px: of the pictures, uint8 ``(side_px, side_px, 3)``; tiny images are drawn as square pixels, at most so
            large.
    """
    subject, layer = Subject.of(classifier, engine), map_names(classifier.network.spec)[-1]
    for pixels, names in asked:
        questions = [Question(classifier.class_names.index(name), None, layer) for name in names]
        maps = [
            HeatMap("grad_cam", layer, name, None, METHODS["grad_cam"].compute(subject, question, pixels))
            for name, question in zip(names, questions, strict=True)
        ]
        full = max(map(strongest, maps))
        drawn = as_drawn(_whole(pixels), shortest_px=side_px, longest_px=side_px)
        yield tuple(draw_map(drawn, heat, full=full) for heat in maps)


def _whole(pixels: UInt8Images) -> Explanation:
    """A prepared image, of which the network saw all."""
    shown = pixels if len(pixels) == 3 else np.repeat(pixels[:1], 3, axis=0)
    side = pixels.shape[1]
    image = np.ascontiguousarray(shown.transpose(1, 2, 0))
    return Explanation("", "ok", image=image, window=Window(0, 0, side, side))
