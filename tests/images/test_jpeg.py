"""JPEG files decoded directly: the pixels and the reasons of Pillow, for sound, odd, damaged and hostile files."""

import struct
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from resnetkit.images import jpeg
from resnetkit.images.decoding import decode, decode_pixels
from resnetkit.images.jpeg import decode_directly, scale_for
from resnetkit.images.spec import Limits
from resnetkit.images.types import UnreadableImage

LIMITS = Limits(max_pixels=10**6)

Outcome = str | np.ndarray


@pytest.fixture
def simplejpeg() -> object:
    return pytest.importorskip("simplejpeg")


@pytest.fixture(autouse=True)
def _proof_anew() -> Iterator[None]:
    jpeg._proved_decoder.cache_clear()
    yield
    jpeg._proved_decoder.cache_clear()


def encoded(image: Image.Image, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Smooth shades with some noise, as photographs have."""
    rng = np.random.default_rng(width * 1000 + height)
    across, down = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    shades = np.stack([across, down, 200 - across], axis=2) + rng.integers(0, 56, (height, width, 3))
    return Image.fromarray(shades.astype(np.uint8)).convert(mode)


def outcome(content: bytes, channels: int, least_px: int) -> Outcome:
    try:
        pixels = np.asarray(decode(content, LIMITS, channels, least_px))
        assert np.array_equal(decode_pixels(content, LIMITS, channels, least_px), pixels)
        return pixels
    except UnreadableImage as error:
        return str(error)


def without_it(monkeypatch: pytest.MonkeyPatch, run: Callable[[], Outcome]) -> Outcome:
    with monkeypatch.context() as context:
        context.setattr(jpeg, "_proved_decoder", lambda: None)
        return run()


def assert_same(content: bytes, monkeypatch: pytest.MonkeyPatch, *, least: tuple[int, ...] = (0, 9)) -> Outcome:
    for channels in (1, 3):
        for least_px in least:
            found = outcome(content, channels, least_px)
            expected = without_it(monkeypatch, lambda c=channels, px=least_px: outcome(content, c, px))  # type: ignore[misc]
            if isinstance(expected, str):
                assert found == expected
            else:
                assert np.array_equal(found, expected), (channels, least_px)
    return found


KINDS: dict[str, dict[str, object]] = {
    "4:4:4": {"subsampling": "4:4:4"},
    "4:2:2": {"subsampling": "4:2:2"},
    "4:2:0": {"subsampling": "4:2:0"},
    "progressive": {"progressive": True},
    "optimised": {"optimize": True, "quality": 30},
    "best": {"quality": 100},
    "restarts": {"restart_marker_rows": 1},
    "RGB kept": {"keep_rgb": True},
    "dpi and comment": {"dpi": (300, 300), "comment": b"\xff\xc0 looks like a frame"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 8), (16, 16), (17, 33), (64, 48), (131, 77)])
def test_pixels_are_those_of_pillow(
    simplejpeg: object, kind: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded(picture(*size), **KINDS[kind])
    assert decode_directly(content, "RGB", size, 1) is not None
    found = assert_same(content, monkeypatch, least=(0, 1, 2, 5, 9, 16))
    assert isinstance(found, np.ndarray)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_file_is_turned_alike(simplejpeg: object, orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_same(encoded(picture(41, 23), exif=exif), monkeypatch)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_grey_and_ink_files(simplejpeg: object, mode: str, progressive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(picture(45, 31, mode), progressive=progressive)
    assert (decode_directly(content, mode, (45, 31), 1) is None) == (mode == "CMYK"), "ink is left to Pillow"
    assert_same(content, monkeypatch)


def test_a_file_cut_anywhere_has_the_same_reason(simplejpeg: object, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({}, {"progressive": True}):
        content = encoded(picture(40, 30), **options)
        outcomes = [assert_same(content[:length], monkeypatch) for length in range(0, len(content), 37)]
        assert all(isinstance(found, str) for found in outcomes)
        assert_same(content + b"what follows is not read", monkeypatch)


def test_damaged_bytes_give_the_same_pixels_or_the_same_reason(
    simplejpeg: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(3)
    kinds = [encoded(picture(40, 30, mode), **options) for mode in ("RGB", "L") for options in KINDS.values()]
    outcomes = []
    for number in range(300):
        damaged = np.frombuffer(kinds[number % len(kinds)], np.uint8).copy()
        where = generator.integers(2, len(damaged), 1 + number % 5)
        damaged[where] = generator.integers(0, 256, len(where))
        outcomes.append(assert_same(damaged.tobytes(), monkeypatch))
    assert 30 < sum(isinstance(found, str) for found in outcomes) < 270


def with_frame(content: bytes, **changes: int) -> bytes:
    """The file with another marker, height or width in its frame header."""
    start = content.index(b"\xff\xc0")
    changed = bytearray(content)
    if "marker" in changes:
        changed[start + 1] = changes["marker"]
    for name, offset in (("height", 5), ("width", 7)):
        if name in changes:
            changed[start + offset : start + offset + 2] = struct.pack(">H", changes[name])
    return bytes(changed)


@pytest.mark.parametrize("marker", [0xC1, 0xC3, 0xC5, 0xC9, 0xCA, 0xCB, 0xCF])
def test_other_kinds_of_frame(simplejpeg: object, marker: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = with_frame(encoded(picture(40, 30)), marker=marker)
    assert (decode_directly(content, "RGB", (40, 30), 1) is None) == (marker != 0xC1)
    assert_same(content, monkeypatch)


def test_sizes_that_lie(simplejpeg: object, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(picture(40, 30))
    assert outcome(with_frame(content, height=60_000, width=60_000), 3, 0) == (
        "has 3,600,000,000 pixels, more than the limit of 1,000,000 (--max-pixels)"
    )
    for changes in ({"height": 900}, {"height": 16}, {"height": 0}, {"width": 8}, {"width": 1}):
        assert_same(with_frame(content, **changes), monkeypatch)


def test_a_second_frame_does_not_get_past_the_limits(simplejpeg: object, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(picture(40, 30))
    start = content.index(b"\xff\xc0")
    frame = content[start : start + 2 + struct.unpack(">H", content[start + 2 : start + 4])[0]]
    for second in (with_frame(frame, height=900, width=900), frame):
        assert_same(content[:start] + second + content[start:], monkeypatch)


def test_a_thumbnail_is_not_the_image(simplejpeg: object, monkeypatch: pytest.MonkeyPatch) -> None:
    thumbnail = encoded(picture(16, 16))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail
    content = encoded(picture(40, 30), exif=exif)
    assert decode_directly(content, "RGB", (40, 30), 1) is not None
    assert_same(content, monkeypatch)


# --- when Pillow is asked ---


def test_without_the_library_pillow_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    content = encoded(picture(40, 30))
    assert decode_directly(content, "RGB", (40, 30), 1) is None
    assert np.array_equal(outcome(content, 3, 0), np.asarray(Image.open(BytesIO(content))))


def test_a_library_with_other_pixels_is_not_used(simplejpeg: object, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sys.modules["simplejpeg"]
    calls = []

    def almost(*arguments: object, **options: object) -> np.ndarray:
        pixels = real.decode_jpeg(*arguments, **options)
        calls.append(pixels.shape)
        return pixels ^ np.uint8(pixels.shape[0] == 37)

    monkeypatch.setitem(sys.modules, "simplejpeg", SimpleNamespace(decode_jpeg=almost))
    assert decode_directly(encoded(picture(40, 30)), "RGB", (40, 30), 1) is None
    assert calls, "it was tried"


def test_another_libjpeg_below_pillow_is_not_matched(simplejpeg: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg.features, "check_feature", lambda name: name != "libjpeg_turbo")
    assert decode_directly(encoded(picture(40, 30)), "RGB", (40, 30), 1) is None


# --- reduced ---


@pytest.mark.parametrize(
    ("size", "least_px", "scale"),
    [((64, 64), 0, 1), ((64, 64), 65, 1), ((64, 64), 33, 1), ((64, 64), 32, 2), ((64, 200), 16, 4), ((999, 64), 1, 8)],
)
def test_the_scale_leaves_both_sides_long_enough(size: tuple[int, int], least_px: int, scale: int) -> None:
    assert scale_for(*size, least_px) == scale
    width, height = decode(encoded(picture(*size)), LIMITS, 3, least_px).size
    assert (width, height) == (-(-size[0] // scale), -(-size[1] // scale))
    assert min(width, height) >= min(least_px, *size)


def test_a_reduced_image_looks_like_the_whole_one() -> None:
    content = encoded(picture(256, 192), quality=95)
    whole, reduced = (decode(content, LIMITS, 3, least_px).resize((32, 24)) for least_px in (0, 60))
    difference = np.abs(np.asarray(whole).astype(int) - np.asarray(reduced))
    assert 0 < difference.mean() < 1.5


def test_the_pixel_limit_holds_for_the_whole_image() -> None:
    reason = outcome(encoded(picture(1200, 900)), 3, 10)
    assert reason == "has 1,080,000 pixels, more than the limit of 1,000,000 (--max-pixels)"


def test_other_formats_are_never_reduced() -> None:
    buffer = BytesIO()
    picture(64, 64).save(buffer, "PNG")
    assert decode(buffer.getvalue(), LIMITS, 3, 8).size == (64, 64)
