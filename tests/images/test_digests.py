"""Digests of images: the same for the same pixels, however they come, and another one for any other image."""

import os
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.data.loading import open_data
from resnetkit.data.spec import DataSpec
from resnetkit.images import decoding
from resnetkit.images.decoding import decode_and_know, decode_pixels
from resnetkit.images.digests import BLOCK_BYTES, Digests, image_digest
from resnetkit.images.spec import Limits, Preprocessing

LIMITS = Limits()
ALL = ("train", "val", "test")
# Several blocks and a rest; within one block; a whole number of blocks.
SIZES = [(90, 130, 3), (20, 30, 3), (5 * 8, BLOCK_BYTES // 8)]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def digest_of(content: bytes, channels: int = 3, least_px: int = 0) -> int:
    return decode_and_know(content, LIMITS, channels, least_px)[1]


def test_the_function_is_the_same_for_ever() -> None:
    """Classifiers remember digests: should one of these change, none would find its images again."""
    known = {
        (28, 28): 5589463424990901083,
        (50, 60, 3): 13801925321026134610,
        (300, 200, 3): 234104725830409059,
    }
    ramp = {shape: (np.arange(np.prod(shape)) * 7 % 251).astype(np.uint8).reshape(shape) for shape in known}
    assert {shape: image_digest(pixels) for shape, pixels in ramp.items()} == known
    assert image_digest(ramp[28, 28].astype(np.uint16) * 300) == 15540465259824102316


@pytest.mark.parametrize("shape", SIZES)
def test_any_changed_value_changes_the_digest(shape: tuple[int, ...]) -> None:
    pixels = noise(*shape)
    found = {image_digest(pixels)}
    draw = np.random.default_rng(1)
    places = draw.choice(pixels.size, 300, replace=False)
    for place in places:
        changed = pixels.copy().reshape(-1)
        changed[place] ^= 1 << int(draw.integers(8))
        found.add(image_digest(changed.reshape(shape)))
    assert len(found) == 1 + len(places)


def test_changes_of_the_highest_bytes_of_two_words_never_meet() -> None:
    """There the sums of words times factors would be weak: of such changes, 1 in 256 pairs would meet."""
    draw = np.random.default_rng(2)
    contents, found = set(), set()
    for words, changes in zip(
        draw.integers(0, BLOCK_BYTES // 8, (3000, 2)), draw.integers(1, 256, (3000, 2)), strict=True
    ):
        changed = np.zeros(2 * BLOCK_BYTES, np.uint8)
        changed[8 * words + 7] = changes
        contents.add(changed.tobytes())
        found.add(image_digest(changed.reshape(32, 128)))
    assert len(found) == len(contents) > 2990


def test_plain_images_and_images_of_other_shapes_differ() -> None:
    plain = {image_digest(np.full((100, 100), value, np.uint8)) for value in range(256)}
    pixels = noise(60, 200)
    shapes = [(60, 200), (200, 60), (100, 120), (12000, 1)]
    assert len(plain) == 256
    assert len({image_digest(pixels.reshape(shape)) for shape in shapes}) == len(shapes)


def test_grey_is_grey_in_one_channel_or_three() -> None:
    grey = noise(90, 130)
    rgb = np.stack([grey] * 3, 2)
    assert image_digest(rgb) == image_digest(grey)
    rgb[80, 100, 2] ^= 1
    assert image_digest(rgb) != image_digest(grey)


def test_the_order_in_memory_does_not_matter() -> None:
    pixels = noise(3, 90, 130).transpose(1, 2, 0)
    assert image_digest(pixels) == image_digest(np.ascontiguousarray(pixels))
    wide = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    assert image_digest(wide.astype(">u2")) == image_digest(wide.astype("<u2"))


def same_pixels() -> Iterator[tuple[str, list[bytes]]]:
    """Files that hold the same image in different ways."""
    rgb = Image.fromarray(noise(90, 130, 3))
    grey = Image.fromarray(noise(90, 130))
    yield "formats", [encoded(rgb, "PNG"), encoded(rgb, "BMP"), encoded(rgb, "WEBP", lossless=True)]
    yield "compression", [encoded(rgb, "PNG", compress_level=level) for level in (0, 9)]
    yield "grey", [encoded(grey, "PNG"), encoded(grey.convert("RGB"), "PNG"), encoded(grey, "GIF")]
    yield "opaque", [encoded(rgb, "PNG"), encoded(rgb.convert("RGBA"), "PNG")]
    palette = rgb.quantize(20)
    yield "palette", [encoded(palette, "PNG"), encoded(palette.convert("RGB"), "PNG")]
    glass = rgb.copy()
    glass.putalpha(Image.fromarray(noise(90, 130, seed=3)))
    white = Image.alpha_composite(Image.new("RGBA", glass.size, "white"), glass).convert("RGB")
    yield "transparency", [encoded(glass, "PNG"), encoded(white, "PNG")]
    turned = Image.Exif()
    turned[0x0112] = 6
    yield "exif", [encoded(rgb, "PNG"), encoded(rgb.transpose(Image.Transpose.ROTATE_90), "PNG", exif=turned)]
    jpeg = encoded(rgb, "JPEG", quality=90)
    with_words = jpeg[:2] + b"\xff\xfe\x00\x0aholidays" + jpeg[2:]
    yield "jpeg", [jpeg, with_words, encoded(Image.open(BytesIO(jpeg)), "PNG")]
    soft = encoded(grey, "JPEG")
    yield "grey jpeg", [soft, encoded(Image.open(BytesIO(soft)), "PNG")]
    deep = Image.fromarray(noise(90, 130).astype(np.uint16) * 200)
    yield "16 bits", [encoded(deep, "PNG"), encoded(deep, "PNG", compress_level=1)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("files", [pytest.param(files, id=kind) for kind, files in same_pixels()])
def test_the_digest_is_that_of_the_pixels_whatever_holds_them(files: list[bytes], channels: int) -> None:
    digests = {digest_of(content, number) for content in files for number in (1, 3)}
    assert len(digests) == 1
    for content in files:
        pixels, _ = decode_and_know(content, LIMITS, channels)
        assert np.array_equal(pixels, decode_pixels(content, LIMITS, channels))


def test_all_16_bits_count() -> None:
    deep = noise(90, 130).astype(np.uint16) * 200
    files = [encoded(Image.fromarray(values), "PNG") for values in (deep, deep + 1)]
    assert len({digest_of(content, 1) for content in files}) == 2


@pytest.mark.parametrize("directly", [True, False])
def test_a_jpeg_that_is_shrunk_while_it_is_decoded_has_the_digest_of_the_whole(
    directly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not directly:
        monkeypatch.setattr(decoding, "decode_directly", lambda *_: None)
    content = encoded(Image.fromarray(noise(300, 400, 3)), "JPEG")
    pixels, digest = decode_and_know(content, LIMITS, 3, least_px=64)
    assert pixels.shape == (75, 100, 3)
    assert np.array_equal(pixels, decode_pixels(content, LIMITS, 3, 64))
    assert digest == digest_of(content)


def digests(spec: DataSpec, preprocessing: Preprocessing, whole: tuple[str, ...] = ("train",)) -> dict[str, Digests]:
    return {name: split.digests for name, split in open_data(spec).load(ALL, preprocessing, whole=whole).splits.items()}


@pytest.fixture
def photos(tmp_path: Path) -> DataSpec:
    for number in range(8):
        for seed, name in ((0, "cat"), (100, "dog")):
            path = tmp_path / "photos" / name / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise(96, 120, 3, seed=seed + number)).save(path)
    return DataSpec(str(tmp_path / "photos"), cache="off")


def test_splits_know_their_digests_however_they_are_loaded(photos: DataSpec, tmp_path: Path) -> None:
    usual = Preprocessing(12, 16)
    expected = digests(photos, usual)
    assert {name: len(found) for name, found in expected.items()} == {"train": 12, "val": 2, "test": 2}
    grey = Preprocessing(12, 16, 1, (0.5,), (0.5,))
    reduced = replace(usual, jpeg_scaling="reduced")
    ways = [
        digests(photos, Preprocessing(24, 32)),
        digests(photos, grey),
        digests(photos, reduced),
        digests(photos, usual, ()),
        digests(replace(photos, max_memory_bytes=0), usual),
    ]
    cached = replace(photos, cache=str(tmp_path / "cache"))
    ways += [digests(cached, usual), digests(cached, usual)]
    os.rename(tmp_path / "photos", tmp_path / "elsewhere")
    ways.append(digests(replace(photos, source=str(tmp_path / "elsewhere")), usual))
    for way in ways:
        for name in expected:
            assert np.array_equal(way[name], expected[name])


def test_images_of_a_named_data_set_and_of_a_folder_have_the_same_digests(tmp_path: Path) -> None:
    named = open_data(DataSpec("digits")).load(["test"], Preprocessing(8, 8, 1, (0.5,), (0.5,)), whole=())
    split = named.splits["test"]
    for number, (image, label) in enumerate(zip(split.images.read(np.arange(40)), split.labels, strict=False)):
        path = tmp_path / named.class_names[label] / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image[0]).save(path)
    folder = DataSpec(str(tmp_path), validation_fraction=0, test_fraction=0)
    found = open_data(folder).load(ALL, Preprocessing(32, 32), whole=()).splits["train"].digests
    assert set(found.tolist()) == set(split.digests[:40].tolist())
