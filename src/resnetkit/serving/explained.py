"""An explanation as values and pictures for others to show: a map alone, and the image that it is laid over."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from resnetkit.explanation.explanation import Explanation
from resnetkit.explanation.pictures import draw_overlay
from resnetkit.explanation.words import SAYS, iter_notes, tell_answer, tell_method, tell_place
from resnetkit.images.types import UInt8Images
from resnetkit.pages.raster import PIXELATED_BELOW_PX

LONGEST_PX = 1024  # of the pictures; smaller images keep their size
JPEG_QUALITY = 90


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
    is_small = max(shown.image.shape[:2]) < PIXELATED_BELOW_PX
    return values, [_file(draw_overlay(shown, heat), "PNG"), _file(shown.image, "PNG" if is_small else "JPEG")]


def _shown(explanation: Explanation) -> Explanation:
    """The explanation of the image at the size of the pictures."""
    assert explanation.image is not None
    assert explanation.window is not None
    height, width = explanation.image.shape[:2]
    scale = LONGEST_PX / max(height, width)
    if scale >= 1:
        return explanation
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = np.asarray(Image.fromarray(explanation.image).resize(size, Image.Resampling.BICUBIC))
    window = explanation.window.of_image_resized(size[0] / width, size[1] / height)
    return replace(explanation, image=image, window=window)


def _file(pixels: UInt8Images, kind: str) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(content, kind, quality=JPEG_QUALITY)
    return content.getvalue()
