"""Pixels as pictures on pages: small ones exact and square, larger ones as photographs, in one way for all pages."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import resnetkit
from resnetkit.pages.raster import as_picture, photo_bytes, photo_image, png_bytes, png_image, shrunk, small_picture

RANDOM = np.random.default_rng(0)


def held(tag: str) -> Image.Image:
    found = re.search(r'src="data:image/[a-z]+;base64,([^"]+)"', tag)
    assert found is not None
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (79, 20, 3)])
def test_of_small_images_the_very_pixels_are_shown_as_squares(shape: tuple[int, ...]) -> None:
    pixels = RANDOM.integers(0, 256, shape, np.uint8)
    tag = photo_image(pixels, "<one>", longest_px=160, css="thumbnail")
    assert tag.startswith('<img class="thumbnail pixelated" alt="&lt;one&gt;" src="data:image/png;')
    assert np.array_equal(np.asarray(held(tag)), pixels)
    assert np.array_equal(np.asarray(held(png_image(pixels, ""))), pixels)


def test_larger_ones_are_jpegs_of_at_most_so_many_pixels() -> None:
    pixels = RANDOM.integers(0, 256, (100, 300, 3), np.uint8)
    tag = photo_image(pixels, "", longest_px=150)
    assert 'class="smooth"' in tag
    assert (held(tag).format, held(tag).size) == ("JPEG", (150, 50))
    assert held(photo_image(pixels, "")).size == (300, 100)
    assert photo_bytes(pixels)[:3] == b"\xff\xd8\xff"
    assert photo_bytes(pixels[:50, :50]) == png_bytes(pixels[:50, :50])


@pytest.mark.parametrize(("channels", "shape"), [(1, (4, 5)), (2, (4, 5)), (3, (4, 5, 3)), (4, (4, 5))])
def test_of_other_than_three_channels_the_first_is_shown(channels: int, shape: tuple[int, ...]) -> None:
    pixels = RANDOM.integers(0, 256, (channels, 4, 5), np.uint8)
    shown = as_picture(pixels)
    assert shown.shape == shape
    assert np.array_equal(shown if shown.ndim == 2 else shown[..., 0], pixels[0])
    assert small_picture(shown, 64)


def test_nothing_is_enlarged() -> None:
    pixels = RANDOM.integers(0, 256, (6, 4), np.uint8)
    assert shrunk(pixels, 6) is pixels
    assert shrunk(pixels, 3).shape == (3, 2)


def test_no_page_makes_pictures_of_its_own() -> None:
    files = Path(resnetkit.__file__).parent.rglob("*.py")
    assert [file.name for file in files if "data:image" in file.read_text()] == ["raster.py"]
