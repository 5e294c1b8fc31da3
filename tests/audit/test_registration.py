"""Pictures laid over one another: altered ones agree with what they were made of, and others do not."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from tests.audit.altered import Change, cropped, picture

from resnetkit.audit.feature_copies import LEAST_AGREEMENT
from resnetkit.audit.registration import Overlay, lay_over, shrink

SIZE = (240, 200)


def laid(one: Image.Image, other: Image.Image) -> Overlay | None:
    return lay_over(*(shrink(np.asarray(image)) for image in (one, other)))


def stored_anew(image: Image.Image) -> Image.Image:
    file = BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file)


def written_on(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).rectangle((0, 150, 240, 180), "black", "white", 3)
    return image


# What was done, the least share of the original that is then shown, and the most.
SHOWN: dict[str, tuple[Change, float, float]] = {
    "nothing": (lambda image: image, 1.0, 1.0),
    "cropped at a corner": (cropped(0.15, 0, 0, 0.1), 0.74, 0.79),
    "cropped to a square": (lambda image: image.crop((30, 0, 230, 200)), 0.81, 0.86),
    "cropped and stored anew": (lambda image: stored_anew(cropped(0.1, 0.1, 0, 0.05)(image)), 0.74, 0.79),
    "cropped and enlarged": (lambda image: cropped(0.05, 0.1, 0.1, 0)(image).resize((380, 320)), 0.74, 0.79),
    "cropped and mirrored": (lambda image: ImageOps.mirror(cropped(0.2, 0, 0, 0.1)(image)), 0.70, 0.75),
    "turned by 3°": (lambda image: image.rotate(3, Image.Resampling.BICUBIC), 0.9, 1.0),
    "written on": (written_on, 0.95, 1.0),
}


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("number", range(3))
def test_an_altered_picture_is_found_where_it_was(name: str, number: int) -> None:
    change, least, most = SHOWN[name]
    original = picture(number, SIZE)
    for turned_round in (False, True):
        pair = (original, change(original))
        overlay = laid(*(pair[::-1] if turned_round else pair))
        assert overlay is not None
        assert overlay.agreement > (0.5 if name == "written on" else 0.8)
        assert least - 1e-6 <= overlay.shared[turned_round] <= most
        assert overlay.is_mirrored == ("mirrored" in name)


def test_two_parts_of_one_picture_are_laid_over_one_another() -> None:
    original = picture(5, SIZE)
    overlay = laid(cropped(0.15, 0, 0, 0)(original), cropped(0, 0.05, 0.1, 0)(original))
    assert overlay is not None
    assert overlay.agreement > 0.8
    assert all(0.8 < share < 0.95 for share in overlay.shared)


def test_different_pictures_do_not_agree() -> None:
    pictures = [shrink(np.asarray(picture(number, SIZE))) for number in range(12)]
    overlays = [lay_over(one, other) for row, one in enumerate(pictures) for other in pictures[:row]]
    assert max(overlay.agreement for overlay in overlays if overlay) < LEAST_AGREEMENT


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 3), (8, 8)])
def test_of_pictures_that_show_nothing_or_have_odd_shapes_nothing_is_said(size: tuple[int, int]) -> None:
    flat = Image.new("RGB", size, "gray")
    assert laid(flat, flat) is None
    assert laid(flat, picture(0, SIZE)) is None
    assert laid(picture(0, SIZE), flat) is None
