"""Whole training images: Pillow's pixels but for rounding, in the memory layout that batches have."""

import numpy as np
import pytest
from PIL import Image

from resnetkit.images.prepared_pixels import prepare_seen, prepare_whole
from resnetkit.images.preprocessing import prepare_for_evaluation, prepare_for_training
from resnetkit.images.spec import Fit, Preprocessing


def picture(width: int, height: int, mode: str) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(50, 50), (97, 61), (20, 33), (32, 32), (1, 9), (3, 400)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("fit", ["crop", "squeeze", "pad"])
def test_squeezed_pixels_are_those_of_pillow_but_for_rounding(
    interpolation: str, size: tuple[int, int], mode: str, fit: Fit
) -> None:
    channels = len(mode)
    preprocessing = Preprocessing(24, 32, channels, (0.5,) * channels, (0.5,) * channels, interpolation, fit=fit)
    image = picture(*size, mode)
    squeezed = prepare_whole(np.array(image), preprocessing)
    assert (squeezed.shape, squeezed.dtype) == ((channels, 32, 32), np.uint8)
    difference = np.abs(squeezed.astype(int) - prepare_for_training(image, preprocessing))
    assert difference.max() <= (1 if interpolation == "bilinear" else 0)


def test_an_image_of_the_right_size_is_not_resampled() -> None:
    image = picture(32, 32, "RGB")
    assert np.array_equal(prepare_whole(np.array(image), Preprocessing(24, 32)), np.asarray(image).transpose(2, 0, 1))


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_the_values_of_a_pixel_lie_side_by_side(fit: Fit) -> None:
    prepared = prepare_whole(np.array(picture(50, 40, "RGB")), Preprocessing(24, 32, fit=fit))
    assert prepared.transpose(1, 2, 0).flags.c_contiguous


def test_the_pixels_are_left_alone() -> None:
    pixels = np.array(picture(50, 40, "RGB"))
    before = pixels.copy()
    prepare_whole(pixels, Preprocessing(24, 32))
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("fit", ["crop", "squeeze", "pad"])
def test_what_is_scored_is_what_a_classifier_sees(mode: str, fit: Fit) -> None:
    channels = len(mode)
    preprocessing = Preprocessing(24, 32, channels, (0.5,) * channels, (0.5,) * channels, fit=fit)
    image = picture(50, 40, mode)
    assert np.array_equal(prepare_seen(np.array(image), preprocessing), prepare_for_evaluation(image, preprocessing))
