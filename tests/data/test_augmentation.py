"""Random changes: each against a plain loop over the images, and independent of the batch they come in."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from resnetkit.data import augmentation as module
from resnetkit.data.augmentation import change_colors, crop_and_flip, erase, resized_crop
from resnetkit.data.randomness import Purpose, uniform
from resnetkit.data.spec import Augmentation
from resnetkit.images.spec import Fit, Preprocessing

SEED, EPOCH = 5, 3
INDICES = np.array([4, 0, 9, 2, 31, 7])
SQUARE = np.ones(6, np.float32)


def noise(num_images: int = 6, channels: int = 3, size: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (num_images, channels, size, size), dtype=torch.uint8, generator=generator)


def input_of(size: int, fit: Fit = "crop") -> Preprocessing:
    return Preprocessing(size, size, fit=fit)


def apply(
    images: Tensor, augmentation: Augmentation, size: int = 8, aspect_ratios: np.ndarray = SQUARE, fit: Fit = "crop"
) -> Tensor:
    return crop_and_flip(images, aspect_ratios, augmentation, input_of(size, fit), SEED, EPOCH, INDICES)


def draws(purpose: Purpose, num_draws: int, indices: np.ndarray = INDICES) -> np.ndarray:
    return uniform(SEED, EPOCH, indices, purpose, num_draws)


# --- off ---


def test_what_is_off_returns_the_very_same_tensor() -> None:
    images, off = noise(), Augmentation()
    assert apply(images, off) is images
    values = images.float()
    assert change_colors(values, off, SEED, EPOCH, INDICES) is values
    assert erase(values, off, SEED, EPOCH, INDICES) is values


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(pad_px=2, flip_rate=0.5),
        Augmentation(crop_area=(0.2, 0.9), flip_rate=0.5),
        Augmentation(flip_rate=1.0),
    ],
)
def test_the_input_is_not_overwritten(augmentation: Augmentation) -> None:
    images = noise()
    before = images.clone()
    apply(images, augmentation)
    assert torch.equal(images, before)
    values = before.float()
    change_colors(values, Augmentation(brightness=0.5, contrast=0.5), SEED, EPOCH, INDICES)
    erase(values, Augmentation(erase_rate=1.0), SEED, EPOCH, INDICES)
    assert torch.equal(values, before.float())


# --- where the batch is cut makes no difference ---

CHANGES: dict[str, Callable[[Tensor, np.ndarray, np.ndarray], Tensor]] = {
    "pad": lambda images, ratios, indices: crop_and_flip(
        images, np.ones_like(ratios), Augmentation(pad_px=2, flip_rate=0.5), input_of(8), SEED, EPOCH, indices
    ),
    "center": lambda images, ratios, indices: crop_and_flip(
        images, ratios, Augmentation(pad_px=1, flip_rate=0.5), input_of(6), SEED, EPOCH, indices
    ),
    "crop": lambda images, ratios, indices: crop_and_flip(
        images, ratios, Augmentation(crop_area=(0.1, 1), flip_rate=0.5), input_of(5), SEED, EPOCH, indices
    ),
    "colors": lambda images, _, indices: change_colors(
        images.float(), Augmentation(brightness=0.4, contrast=0.4), SEED, EPOCH, indices
    ),
    "erase": lambda images, _, indices: erase(images.float(), Augmentation(erase_rate=0.6), SEED, EPOCH, indices),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_image_changes_the_same_way_in_any_batch(name: str) -> None:
    change, images = CHANGES[name], noise()
    ratios = np.array([1, 0.5, 2, 1.5, 0.7, 1], np.float32)
    together = change(images, ratios, INDICES)
    order = np.array([3, 1, 5, 0, 4, 2])
    assert torch.equal(change(images[order], ratios[order], INDICES[order]), together[order])
    for i in range(6):
        assert torch.equal(change(images[i : i + 1], ratios[i : i + 1], INDICES[i : i + 1])[0], together[i])
    assert not torch.equal(change(images, ratios, INDICES + 1), together), "another image draws other numbers"


# --- flip ---


def test_flips_are_left_right_and_those_that_were_drawn() -> None:
    images = noise()
    flipped = apply(images, Augmentation(flip_rate=0.5))
    chosen = draws(Purpose.FLIP, 1)[:, 0] < 0.5
    assert 0 < chosen.sum() < 6
    for i in range(6):
        expected = images[i].flip(2) if chosen[i] else images[i]
        assert torch.equal(flipped[i], expected)
    assert torch.equal(apply(images, Augmentation(flip_rate=1.0)), images.flip(3))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_rates_are_kept(rate: float) -> None:
    num = 4000
    left_is_dark = torch.tensor([0, 255], dtype=torch.uint8).repeat(num, 1, 1, 1)
    indices = np.arange(num)
    ratios = np.ones(num, np.float32)
    flipped = crop_and_flip(left_is_dark, ratios, Augmentation(flip_rate=rate), input_of(2), SEED, 0, indices)
    tolerance = 4 * math.sqrt(rate * (1 - rate) / num)
    assert float((flipped[:, 0, 0, 0] == 255).float().mean()) == pytest.approx(rate, abs=tolerance)
    ones = torch.ones(num, 1, 8, 8)
    erased = erase(ones, Augmentation(erase_rate=rate, erase_area=(0.2, 0.4)), SEED, 0, indices)
    assert float((erased == 0).flatten(1).any(1).float().mean()) == pytest.approx(rate, abs=tolerance)


# --- pad and crop ---


@pytest.mark.parametrize("way", ["_take_rows", "_take_pixels"])
@pytest.mark.parametrize("pad_px", [1, 3])
def test_pad_and_crop_moves_each_image_as_drawn(monkeypatch: pytest.MonkeyPatch, pad_px: int, way: str) -> None:
    monkeypatch.setattr(module, "_take_rows", getattr(module, way))  # the way of a CPU, and that of a device
    images = noise()
    moved = apply(images, Augmentation(pad_px=pad_px))
    offsets = (draws(Purpose.CROP, 2) * (2 * pad_px + 1)).astype(int)
    for i, (top, left) in enumerate(offsets):
        padded = np.zeros((3, 8 + 2 * pad_px, 8 + 2 * pad_px), np.uint8)
        padded[:, pad_px:-pad_px, pad_px:-pad_px] = images[i].numpy()
        assert np.array_equal(moved[i].numpy(), padded[:, top : top + 8, left : left + 8])


def test_pad_and_crop_reaches_every_place_alike() -> None:
    num = 3000
    images = torch.zeros(num, 1, 3, 3, dtype=torch.uint8)
    images[:, :, 1, 1] = 255
    ratios = np.ones(num, np.float32)
    moved = crop_and_flip(images, ratios, Augmentation(pad_px=1), input_of(3), SEED, 0, np.arange(num))
    counts = (moved == 255).sum(0).flatten().numpy()
    assert counts.sum() == num
    assert abs(counts / num - 1 / 9).max() < 4 * math.sqrt(1 / 9 * 8 / 9 / num)


# --- resized crops ---


@pytest.mark.parametrize("fit", ["squeeze", "pad"])
@pytest.mark.parametrize("augmentation", [Augmentation(pad_px=1, flip_rate=0.5), Augmentation(crop_area=(0.3, 1))])
def test_what_was_made_a_square_is_taken_as_one(fit: Fit, augmentation: Augmentation) -> None:
    images, long = noise(), np.full(6, 3, np.float32)
    assert torch.equal(apply(images, augmentation, 8, long, fit), apply(images, augmentation, 8, SQUARE, fit))
    assert not torch.equal(apply(images, augmentation, 8, long), apply(images, augmentation, 8, SQUARE))


@pytest.mark.parametrize("fit", ["squeeze", "pad"])
def test_without_random_crops_all_of_a_square_is_seen(fit: Fit) -> None:
    images = torch.zeros(6, 3, 8, 8, dtype=torch.uint8)
    images[:, :, :, :2] = 200  # of which the centre of 4 × 4 has nothing
    seen = apply(images, Augmentation(), 4, np.full(6, 3, np.float32), fit)
    assert torch.equal(seen[:, :, :, 0], torch.full((6, 3, 4), 200, dtype=torch.uint8))
    assert not apply(images, Augmentation(), 4, SQUARE).any()


def resized_by_hand(image: np.ndarray, box: np.ndarray, flip: bool, size: int) -> np.ndarray:
    """Bilinear samples of the box, its edges on whole pixels, at the centres of the output pixels, one by one."""
    channels, rows, columns = image.shape
    x, y, width, height = box
    left, right = (round(edge * columns) for edge in (x - width / 2, x + width / 2))
    top, bottom = (round(edge * rows) for edge in (y - height / 2, y + height / 2))
    image = image[:, top:bottom, left:right]
    channels, rows, columns = image.shape
    result = np.zeros((channels, size, size))
    for i in range(size):
        for j in range(size):
            column = size - 1 - j if flip else j
            across, down = (column + 0.5) / size * columns - 0.5, (i + 0.5) / size * rows - 0.5
            across, down = min(max(across, 0), columns - 1), min(max(down, 0), rows - 1)
            left, top = int(across), int(down)
            right, bottom = min(left + 1, columns - 1), min(top + 1, rows - 1)
            u, v = across - left, down - top
            result[:, i, j] = (1 - v) * ((1 - u) * image[:, top, left] + u * image[:, top, right]) + v * (
                (1 - u) * image[:, bottom, left] + u * image[:, bottom, right]
            )
    return result


def random_boxes(num: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    sides = rng.uniform(0.2, 1, (num, 2))
    return np.concatenate([sides / 2 + (1 - sides) * rng.uniform(0, 1, (num, 2)), sides], axis=1)


@pytest.mark.parametrize("size", [3, 8, 13])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("way", ["_crop_one_by_one", "_crop_at_once"])
def test_resized_crop_pixel_by_pixel(size: int, channels: int, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_crop_one_by_one", getattr(module, way))  # the way of a CPU, and that of a device
    images, boxes = noise(channels=channels, size=20), random_boxes(6)
    flip = np.array([True, False] * 3)
    result = resized_crop(images, boxes, flip, size)
    assert result.shape == (6, channels, size, size)
    assert result.dtype == torch.uint8
    for i in range(6):
        expected = resized_by_hand(images[i].numpy(), boxes[i], bool(flip[i]), size)
        # Half a grey level for rounding; whole-number arithmetic rounds twice.
        assert np.abs(result[i].numpy() - expected).max() < (1.02 if way == "_crop_one_by_one" else 0.51)


def test_a_box_has_at_least_one_pixel_and_stays_inside() -> None:
    images = noise()
    for place in (0.0, 0.5, 0.97, 1.0):
        tiny = np.tile([place, place, 0.01, 0.01], (6, 1))
        crops = resized_crop(images, tiny, np.zeros(6, bool), 4)
        pixel = min(int(place * 8 + 0.5), 7)
        assert torch.equal(crops, images[:, :, pixel, pixel][:, :, None, None].expand(6, 3, 4, 4)), place


def test_the_whole_image_at_its_own_size_is_the_image() -> None:
    images, whole = noise(), np.tile([0.5, 0.5, 1.0, 1.0], (6, 1))
    none = np.zeros(6, bool)
    assert torch.equal(resized_crop(images, whole, none, 8), images)
    assert torch.equal(resized_crop(images, whole, ~none, 8), images.flip(3))
    assert torch.equal(apply(images, Augmentation(crop_area=(1, 1), crop_aspect=(1, 1))), images)


def test_random_crops_lie_inside_and_have_the_drawn_area_and_shape() -> None:
    """Read off an image whose colours are its coordinates."""
    num, size = 300, 64
    ramp = ((torch.arange(size) + 0.5) / size * 255).round().to(torch.uint8)
    images = torch.stack([ramp.expand(size, size), ramp[:, None].expand(size, size)]).expand(num, 2, size, size)
    low, high, narrow, wide = 0.2, 0.6, 3 / 4, 4 / 3
    for ratio in (1.0, 1.5):
        augmentation = Augmentation(crop_area=(low, high), crop_aspect=(narrow, wide))
        ratios = np.full(num, ratio, np.float32)
        crops = crop_and_flip(images, ratios, augmentation, input_of(16), SEED, 0, np.arange(num)).double() / 255
        # Between the centres of the first and last of 16 pixels lie 15/16 of the crop.
        width = (crops[:, 0, 8, -2] - crops[:, 0, 8, 1]).numpy() * 16 / 13
        height = (crops[:, 1, -2, 8] - crops[:, 1, 1, 8]).numpy() * 16 / 13
        uncut = (width < 0.97) & (height < 0.97)
        area, aspect = (width * height)[uncut], (width / height * ratio)[uncut]
        assert uncut.sum() > 200
        assert low * 0.95 < area.min() < 0.27
        assert 0.5 < area.max() < high * 1.05
        assert narrow * 0.95 < aspect.min() < 0.8
        assert 1.25 < aspect.max() < wide * 1.05


def test_without_random_crop_the_evaluation_crop_is_cut() -> None:
    """The centre, at the size evaluation has it, also from an image that was squeezed to a square."""
    images = noise(size=12)
    centered = apply(images, Augmentation(), size=8)
    assert torch.equal(centered, images[:, :, 2:10, 2:10])
    wide = np.full(6, 2.0, np.float32)
    squeezed = apply(images, Augmentation(), size=8, aspect_ratios=wide)
    box = np.array([0.5, 0.5, 8 / 12 / 2, 8 / 12])
    for i in range(6):
        assert np.abs(squeezed[i].numpy() - resized_by_hand(images[i].numpy(), box, False, 8)).max() < 0.51


# --- colours ---


def test_brightness_and_contrast_image_by_image() -> None:
    images = noise().float()
    changed = change_colors(images, Augmentation(brightness=0.3, contrast=0.6), SEED, EPOCH, INDICES)
    for i, (bright, contrast) in enumerate(2 * draws(Purpose.COLOR, 2) - 1):
        values = images[i].double().numpy() * (1 + 0.3 * bright)
        values = (values - values.mean()) * (1 + 0.6 * contrast) + values.mean()
        np.testing.assert_allclose(changed[i].numpy(), values.clip(0, 255), atol=1e-3)
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 255


def test_brightness_and_contrast_alone() -> None:
    flat = torch.full((6, 1, 4, 4), 100.0)
    torch.testing.assert_close(change_colors(flat, Augmentation(contrast=0.9), SEED, EPOCH, INDICES), flat)
    brighter = change_colors(flat, Augmentation(brightness=0.5), SEED, EPOCH, INDICES)
    factor = torch.from_numpy(1 + 0.5 * (2 * draws(Purpose.COLOR, 1)[:, 0] - 1)).float()
    torch.testing.assert_close(brighter, flat * factor[:, None, None, None])


# --- erasing ---


def erased_by_hand(image: np.ndarray, augmentation: Augmentation, numbers: np.ndarray) -> np.ndarray:
    chosen, area_draw, aspect_draw, top_draw, left_draw = numbers
    _, rows, columns = image.shape
    if chosen >= augmentation.erase_rate:
        return image
    low, high = augmentation.erase_area
    area = low + (high - low) * area_draw
    aspect = 0.3 ** (1 - 2 * aspect_draw)
    height, width = min(math.sqrt(area * aspect), 1) * rows, min(math.sqrt(area / aspect), 1) * columns
    top, left = top_draw * (rows - height), left_draw * (columns - width)
    result = image.copy()
    result[:, round(top) : round(top + height), round(left) : round(left + width)] = 0
    return result


@pytest.mark.parametrize("erase_rate", [0.5, 1.0])
def test_erasing_image_by_image(erase_rate: float) -> None:
    augmentation = Augmentation(erase_rate=erase_rate, erase_area=(0.1, 0.5))
    indices = np.arange(40)
    images = noise(40, size=9).float() + 1
    erased = erase(images, augmentation, SEED, EPOCH, indices)
    numbers = draws(Purpose.ERASE, 5, indices)
    for i in range(40):
        assert np.array_equal(erased[i].numpy(), erased_by_hand(images[i].numpy(), augmentation, numbers[i]))


def test_an_erased_box_is_one_whole_rectangle_of_the_drawn_area() -> None:
    num, size, (low, high) = 300, 40, (0.02, 0.33)
    erased = erase(torch.ones(num, 2, size, size), Augmentation(erase_rate=1.0), SEED, 0, np.arange(num))
    assert torch.equal(erased[:, 0], erased[:, 1])
    hole = erased[:, 0] == 0
    height, width = hole.any(2).sum(1), hole.any(1).sum(1)
    assert torch.equal(hole.sum((1, 2)), height * width)
    for rows in (hole.any(2), hole.any(1)):
        edges = torch.diff(rows.int(), prepend=torch.zeros(num, 1), append=torch.zeros(num, 1)).abs().sum(1)
        assert bool((edges == 2).all()), "rows and columns without a gap"
    area = hole.float().mean((1, 2))
    assert low * 0.7 < float(area.min()) < 0.04
    assert 0.29 < float(area.max()) < high * 1.1


def test_a_box_larger_than_the_image_covers_it() -> None:
    everything = Augmentation(erase_rate=1.0, erase_area=(1.0, 1.0))
    erased = erase(torch.ones(200, 1, 10, 10), everything, SEED, 0, np.arange(200))
    hole = erased[:, 0] == 0
    assert bool((hole.any(2).all(1) | hole.any(1).all(1)).all()), "the longer side covers the whole image"
