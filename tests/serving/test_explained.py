"""Explanations as values: the map lies where the network looked, on the whole upright image."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.explanation.explained import explained as made
from tests.serving.known import BROKEN

from resnetkit.errors import ResnetkitError
from resnetkit.explanation.explaining import explain
from resnetkit.images.preprocessing import Window
from resnetkit.serving.explained import explained
from resnetkit.serving.explainer import explain_file


def opened(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))


def test_the_overlay_is_clear_where_nothing_is_and_where_nothing_was_seen() -> None:
    values, (overlay, image) = explained(made())  # strongest in the upper left quarter of the window's
    pixels = opened(overlay)
    assert pixels.shape == (100, 140, 4)
    assert pixels[12:20, 32:40, 3].min() > 200
    assert pixels[60:, :, 3].max() == 0
    assert pixels[:, :29, 3].max() == 0
    assert opened(image).shape == (100, 140, 3)
    assert values["window"] == {"left": 30, "top": 10, "width": 80, "height": 80}
    assert (values["image_size"], values["class"], values["against"]) == ([100, 140], "cat", None)
    assert values["probability"] == pytest.approx(0.6)
    assert any("upper left" in words for words in values["words"])
    json.dumps(values)


def test_large_images_are_shown_smaller_and_said_in_their_own_pixels() -> None:
    values, (overlay, image) = explained(made((1000, 4096), Window(1548, 0, 1000, 1000)))
    assert opened(overlay).shape == (250, 1024, 4)
    assert opened(image).shape == (250, 1024, 3)
    assert (values["image_size"], values["window"]["left"]) == ([1000, 4096], 1548)
    assert opened(overlay)[5:50, 395:430, 3].min() > 200  # a quarter of the window's place


def test_a_small_image_keeps_its_squares() -> None:
    _, (_, image) = explained(made((16, 16), Window(0, 0, 16, 16)))
    assert image.startswith(b"\x89PNG")


def photo() -> bytes:
    content = io.BytesIO()
    random = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(random).save(content, "PNG")
    return content.getvalue()


def test_it_says_what_explain_says(make: Callable[..., Any]) -> None:
    classifier = make()
    asked = {"method": "layer_cam", "class_name": "class 1", "against": "class 2", "layer": "stage1"}
    values, _ = explain_file(classifier, photo(), asked)
    (own,) = explain(classifier, [photo()], **asked)
    assert [values[name] for name in ("class", "against", "method", "layer")] == [
        "class 1",
        "class 2",
        "layer_cam",
        "stage1",
    ]
    assert values["probability"] == float(own.probabilities[1])
    values, _ = explain_file(classifier, photo(), {})
    assert (values["method"], values["class"]) == ("grad_cam", own.top(1)[0][0])
    values, _ = explain_file(classifier, photo(), {"method": "gradient", "layer": "stage1"})
    assert any("no effect" in words for words in values["words"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"method": "cam"}, "unknown method"),
        ({"class_name": "clas 1"}, "unknown class"),
        ({"layer": "stage9"}, "unknown layer"),
    ],
)
def test_what_cannot_be_explained_so_is_told(asked: dict[str, str], words: str, make: Callable[..., Any]) -> None:
    with pytest.raises(ResnetkitError, match=words):
        explain_file(make(), photo(), asked)


def test_an_image_that_cannot_be_read_is_told(make: Callable[..., Any]) -> None:
    with pytest.raises(ResnetkitError, match="the image is not a JPEG"):
        explain_file(make(), BROKEN, {})
