"""Preparing and normalising: sizes, agreement between the two preparations, and the arithmetic."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from resnetkit.images.normalization import normalize
from resnetkit.images.preprocessing import array_to_image, prepare_for_evaluation, prepare_for_training
from resnetkit.images.spec import Fit, Preprocessing

Prepare = Callable[[Image.Image, Preprocessing], np.ndarray]


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


@pytest.mark.parametrize("size", [(50, 50), (97, 61), (61, 97), (20, 33), (32, 32), (1, 9), (7, 500)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_stages_have_their_shapes(size: tuple[int, int], mode: str) -> None:
    channels = len(mode)
    preprocessing = Preprocessing(24, 32, channels, (0.5,) * channels, (0.5,) * channels)
    evaluation = prepare_for_evaluation(picture(*size, mode), preprocessing)
    training = prepare_for_training(picture(*size, mode), preprocessing)
    assert (evaluation.shape, evaluation.dtype) == ((channels, 24, 24), np.uint8)
    assert (training.shape, training.dtype) == ((channels, 32, 32), np.uint8)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("side", [20, 32, 77])
def test_square_images_differ_only_by_the_centre_crop(side: int, interpolation: str) -> None:
    preprocessing = Preprocessing(24, 32, interpolation=interpolation)
    training = prepare_for_training(picture(side, side), preprocessing)
    assert np.array_equal(prepare_for_evaluation(picture(side, side), preprocessing), training[:, 4:28, 4:28])


def test_an_image_of_the_right_size_is_not_resampled() -> None:
    image = picture(32, 48)
    pixels = prepare_for_evaluation(image, Preprocessing(32, 32))
    assert np.array_equal(pixels, np.asarray(image).transpose(2, 0, 1)[:, 8:40])


GREEN = (0.2, 0.6, 0.4)  # 51, 153, 102


@pytest.mark.parametrize("prepare", [prepare_for_evaluation, prepare_for_training])
def test_nothing_of_a_long_image_is_cut_off_where_it_is_squeezed_or_padded(prepare: Prepare) -> None:
    image = Image.new("RGB", (96, 32), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 32, 32))
    squeezed = prepare(image, Preprocessing(24, 24, fit="squeeze", interpolation="nearest"))
    assert (squeezed[0] == 255).sum(1).tolist() == [8] * 24
    padded = prepare(image, Preprocessing(24, 24, mean=GREEN, fit="pad", interpolation="nearest"))
    assert (padded[0, 8:16] == 255).sum(1).tolist() == [8] * 8
    assert (padded[2, 8:16] == 255).sum(1).tolist() == [16] * 8
    for rows in (padded[:, :8], padded[:, 16:]):
        assert (rows == np.array([[[51]], [[153]], [[102]]])).all()
    upright = prepare(image.transpose(Image.Transpose.TRANSPOSE), Preprocessing(24, 24, mean=GREEN, fit="pad"))
    assert (upright[:, :, :8] == upright[:, :1, :1]).all()


def test_padding_is_the_colour_that_the_network_takes_for_nothing() -> None:
    in_their_order = Preprocessing(8, 8, mean=(102 / 255, 153 / 255, 51 / 255), channel_order="bgr", fit="pad")
    pixels = prepare_for_evaluation(Image.new("RGB", (80, 10), "white"), in_their_order)
    assert pixels[:, 0, 0].tolist() == [51, 153, 102]
    grey = Preprocessing(8, 8, 1, mean=(0.4,), std=(0.3,), fit="pad")
    assert prepare_for_evaluation(Image.new("L", (80, 10), 255), grey)[0, 0, 0] == 102
    seen = normalize(torch.from_numpy(pixels[None].copy()), in_their_order)
    assert seen[0, :, 0, 0].abs().max() < 1e-6


@pytest.mark.parametrize("size", [(23, 24), (24, 23)])
def test_padding_of_a_single_line_has_that_colour_too(size: tuple[int, int]) -> None:
    mean = (0.4, 0.6, 0.2)
    pixels = prepare_for_evaluation(Image.new("RGB", size, "white"), Preprocessing(24, 24, mean=mean, fit="pad"))
    lines = pixels[:, :, -1] if size[0] < size[1] else pixels[:, -1]
    assert lines.T.tolist() == [[102, 153, 51]] * 24


@pytest.mark.parametrize("size", [(1, 100_000), (100_000, 1), (5, 5)])
@pytest.mark.parametrize("fit", ["crop", "squeeze", "pad"])
def test_any_shape_fits(size: tuple[int, int], fit: Fit) -> None:
    assert prepare_for_evaluation(Image.new("RGB", size), Preprocessing(8, 9, fit=fit)).shape == (3, 8, 8)
    assert prepare_for_training(Image.new("RGB", size), Preprocessing(8, 9, fit=fit)).shape == (3, 9, 9)


def test_resizing_is_antialiased() -> None:
    stripes = Image.fromarray(np.tile(np.array([0, 255], dtype=np.uint8), (64, 32)))
    pixels = prepare_for_evaluation(stripes, Preprocessing(8, 8, 1, (0.5,), (0.5,)))
    assert np.abs(pixels[0, :, 1:-1].astype(int) - 128).max() <= 8


def test_a_very_long_strip_stays_small_and_keeps_its_centre() -> None:
    """Its shorter side of 2 enlarged to 32, this strip would have 16 times its 2,000,000 pixels of length."""
    strip = Image.new("L", (2_000_000, 2), 10)
    strip.paste(200, (1_000_000 - 4, 0, 1_000_000 + 4, 2))
    pixels = prepare_for_evaluation(strip, Preprocessing(32, 32, 1, (0.5,), (0.5,)))
    assert np.unique(pixels).tolist() == [200]


def test_normalize_computes_the_formula_in_channels_last_memory() -> None:
    preprocessing = Preprocessing(5, 5, mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.4))
    images = torch.randint(0, 256, (4, 3, 5, 5), dtype=torch.uint8)
    normalized = normalize(images, preprocessing)
    mean, std = torch.tensor([0.1, 0.5, 0.9]).view(3, 1, 1), torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1)
    torch.testing.assert_close(normalized, (images.double() / 255 - mean.double()).div(std).float())
    assert normalized.dtype == torch.float32
    assert normalized.is_contiguous(memory_format=torch.channels_last)


def test_normalize_leaves_its_input_alone() -> None:
    images = torch.full((1, 1, 2, 2), 7, dtype=torch.uint8)
    normalize(images, Preprocessing(2, 2, 1, (0.5,), (0.5,)))
    assert images.unique().tolist() == [7]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_array_to_image_undoes_staging(mode: str) -> None:
    image = picture(16, 16, mode)
    channels = len(mode)
    pixels = prepare_for_training(image, Preprocessing(16, 16, channels, (0.5,) * channels, (0.5,) * channels))
    assert np.array_equal(array_to_image(pixels), image)
