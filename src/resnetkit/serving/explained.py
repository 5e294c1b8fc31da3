"""An explanation as values and pictures for others to show: a map alone, and the image that it is laid over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resnetkit.explanation.explanation import Explanation
from resnetkit.explanation.pictures import draw_overlay, resized
from resnetkit.explanation.words import SAYS, iter_notes, tell_answer, tell_method, tell_place
from resnetkit.pages.raster import photo_bytes, png_bytes

LONGEST_PX = 1024  # of the pictures; smaller images keep their size


def explained(explanation: Explanation, warnings: Sequence[str] = ()) -> tuple[dict[str, Any], list[bytes]]:
    """JSON-ready values of a readable image's explanation by one method, and the overlay's and the image's files.

    The overlay is a PNG with opacity. A small image is a PNG too, so that its pixels stay squares, any other a JPEG.

    Args:
        warnings: of what was asked without effect.
    """
    heat, window, image = explanation.maps[0], explanation.window, explanation.image
    assert image is not None
    assert window is not None
    shown = _shown(explanation)
    assert shown.image is not None
    values = {
        "class": heat.class_name,
        "probability": float(explanation.probabilities[explanation.class_names.index(heat.class_name)]),
        "against": heat.against,
        "method": heat.method,
        "layer": heat.layer,
        # In the pixels of the upright image, whose height and width these are.
        "window": {"left": window.left, "top": window.top, "width": window.width, "height": window.height},
        "image_size": [int(side) for side in image.shape[:2]],
        "words": [
            f"{tell_method(heat)}: {SAYS[heat.method].shows}",
            f"Most of it is here: {tell_place(heat)}.",
            SAYS[heat.method].cannot,
            *iter_notes(heat),
            *([] if explanation.status == "ok" else [f"The image is {tell_answer(explanation)}."]),
            *([f"The image {explanation.note}."] if explanation.note else ()),
            *warnings,
        ],
    }
    return values, [png_bytes(draw_overlay(shown, heat)), photo_bytes(shown.image)]


def _shown(explanation: Explanation) -> Explanation:
    """The explanation of the image at the size of the pictures."""
    assert explanation.image is not None
    assert explanation.window is not None
    longest = max(explanation.image.shape[:2])
    return explanation if longest <= LONGEST_PX else resized(explanation, LONGEST_PX / longest)
