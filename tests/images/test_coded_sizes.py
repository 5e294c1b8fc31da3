"""A HEIF or an AVIF is held by the limits by what decoding it makes, not by what it says that it shows."""

import struct
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, features
from tests.small_boxes import av1_film, box, full_box, hevc_parameter_set, pictures, unit
from tests.small_heics import ROTATED, TWO

from resnetkit.images import opening
from resnetkit.images.boxes import MOST_PARTS
from resnetkit.images.coded_sizes import largest_coded
from resnetkit.images.decoding import decode, read_header
from resnetkit.images.image_files import format_of
from resnetkit.images.spec import Limits
from resnetkit.images.types import UnreadableImage

LIMITS = Limits()
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")


def avif(width: int, height: int, mode: str = "RGB", num_frames: int = 1, **options: Any) -> bytes:
    shape = (height, width, len(mode)) if mode != "L" else (height, width)
    draw = np.random.default_rng(0)
    frames = [Image.fromarray(draw.integers(0, 256, shape, dtype=np.uint8)) for _ in range(num_frames)]
    file = BytesIO()
    frames[0].save(file, "AVIF", save_all=num_frames > 1, append_images=frames[1:], speed=10, **options)
    return file.getvalue()


def said_to_be(content: bytes, width: int, height: int) -> bytes:
    """The file with another size in its boxes, in those of films too."""
    place = content.index(b"ispe") + 8
    size = content[place : place + 8]
    assert content.count(size) >= 1
    film = b"".join(struct.pack(">I", number << 16) for number in struct.unpack(">II", size))
    said = b"".join(struct.pack(">I", number << 16) for number in (width, height))
    return content.replace(size, struct.pack(">II", width, height)).replace(film, said)


@needs_avif
@pytest.mark.parametrize("size", [(64, 64), (41, 23), (300, 1), (1030, 514)])
@pytest.mark.parametrize(
    "options", [{}, {"mode": "RGBA"}, {"mode": "L"}, {"num_frames": 3}, {"subsampling": "4:4:4", "quality": 100}]
)
def test_what_pillow_writes_has_the_size_that_it_shows(size: tuple[int, int], options: dict[str, Any]) -> None:
    content = avif(*size, **options)
    assert largest_coded(content) == size[0] * size[1]
    assert decode(content, Limits(max_pixels=size[0] * size[1]), 3).size == size


@needs_avif
@pytest.mark.parametrize("num_frames", [1, 3])
def test_an_avif_that_codes_more_than_it_says_is_refused_before_a_decoder_has_it(
    monkeypatch: pytest.MonkeyPatch, num_frames: int
) -> None:
    content = said_to_be(avif(64, 48, num_frames=num_frames), 8, 8)
    assert read_header(content, LIMITS)[:2] == (8, 8), "Pillow believes it"
    assert decode(content, LIMITS, 3).size == (8, 8), "and scales what it has decoded"
    assert largest_coded(content) == 64 * 48
    if num_frames > 1:
        assert largest_coded(content.replace(b"meta", b"free", 1)) == 64 * 48, "the film too"
    monkeypatch.setattr(opening, "_opened_as", lambda *_: pytest.fail("it was opened"))
    for read in (lambda limits: decode(content, limits, 3), lambda limits: read_header(content, limits)):
        with pytest.raises(UnreadableImage, match="has 3,072 pixels, more than the limit of 3,000"):
            read(Limits(max_pixels=3000))


@pytest.mark.parametrize(
    "content",
    [
        ROTATED,  # which shows a part of it
        TWO,
        said_to_be(ROTATED, 8, 8),
        ROTATED.replace(b"hvcC", b"free"),
    ],
)
def test_a_heic_is_held_by_what_it_codes(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_opened_as", lambda *_: pytest.fail("it was opened"))
    monkeypatch.setitem(vars(format_of(ROTATED)), "lacks", "")  # with or without pi-heif
    with pytest.raises(UnreadableImage, match="has 4,096 pixels, more than the limit of 4,000"):
        decode(content, Limits(max_pixels=4000), 3)


def test_parameter_sets_among_the_coded_data_count() -> None:
    words = hevc_parameter_set(4000, 3000)
    other = b"\x40\x01" + bytes(30)
    assert b"\0\0\3" in words
    data = b"".join(struct.pack(">I", len(one)) + one for one in (other, words, other))
    assert largest_coded(pictures((b"Exif", bytes(9)), (b"hev1", data))) == 12_000_000
    described = box(b"hvcC", bytes(22), b"\1\x21\0\1", struct.pack(">H", len(words)), words)
    assert largest_coded(full_box(b"meta", 0, box(b"iprp", box(b"ipco", described)))) == 12_000_000


@pytest.mark.parametrize("has_times", [False, True])
def test_a_frame_of_a_film_may_have_a_size_of_its_own_within_its_bits(has_times: bool) -> None:
    usual = av1_film(400, 300, frame_says=False, has_times=has_times)
    odd = av1_film(400, 300, frame_says=True, has_times=has_times)
    assert largest_coded(pictures((b"av01", usual))) == 120_000
    assert largest_coded(pictures((b"av01", odd))) == 2**24
    assert largest_coded(pictures((b"av01", unit(5, bytes(200)[:100]) + usual))) == 120_000, "after another unit"


def test_pictures_put_together_count_as_a_whole() -> None:
    grid = struct.pack(">BBBBHH", 0, 0, 1, 1, 3000, 2000)
    wide = struct.pack(">BBBBII", 0, 1, 1, 1, 70_000, 2)
    overlay = struct.pack(">BB4HHH", 0, 0, 0, 0, 0, 0, 500, 400)
    for kind, data, pixels in ((b"grid", grid, 6_000_000), (b"grid", wide, 140_000), (b"iovl", overlay, 200_000)):
        assert largest_coded(pictures((kind, data))) == pixels


def test_more_parts_than_an_image_has_are_refused() -> None:
    many = pictures((b"av01", unit(5, b"") * (MOST_PARTS + 1)))
    with pytest.raises(UnreadableImage, match="has more than 32,768 parts"):
        largest_coded(many)
    with pytest.raises(UnreadableImage, match="has more than 32,768 parts"):
        largest_coded(box(b"free") * (MOST_PARTS + 1))
    row = struct.pack(">HHHII", 1, 0, 1, 0, 10**6)
    same = full_box(b"iloc", 0, b"\x44\0", struct.pack(">H", 99), row * 99)
    with pytest.raises(UnreadableImage, match="has pictures that overlap"):
        largest_coded(box(b"mdat", bytes(10**6)) + full_box(b"meta", 0, same))


def test_whatever_is_in_a_file_has_a_size_or_a_reason() -> None:
    draw = np.random.default_rng(0)
    whole = ROTATED + pictures((b"av01", av1_film(400, 300, frame_says=False, has_times=True)))
    for _ in range(400):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[draw.integers(0, len(whole), 6)] = draw.integers(0, 256, 6)
        with suppress(UnreadableImage):
            assert largest_coded(damaged[: draw.integers(len(whole))].tobytes()) >= 0
    assert largest_coded(b"") == 0
