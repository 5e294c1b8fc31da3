"""Decoding: what each kind of file means, and the reason given for each kind that cannot be used."""

import re
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile
from tests.small_heics import ROTATED, TWO
from tests.small_pngs import chunk, deep_png

from resnetkit.images import image_files
from resnetkit.images.decoding import FIRST_READ, convert, decode, decode_for_use, extent_of_values, read_header
from resnetkit.images.spec import GreyRange, Limits, Preprocessing
from resnetkit.images.types import UnreadableImage

LIMITS = Limits()


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int = 40, height: int = 30, channels: int = 3) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(values.squeeze())


def one_bit_png(width: int, height: int) -> bytes:
    """A valid PNG of any size in a few kilobytes, written without holding its pixels."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def reason(source: Path | bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(source, limits, 3)
    return str(caught.value)


KINDS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM"]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "PPM", "JPEG2000"])
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    image = noise(channels=1) if kind == "GIF" else noise()
    assert np.array_equal(decode(encoded(image, kind), LIMITS, 3), image.convert("RGB"))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_decode_to_the_right_colours(kind: str) -> None:
    decoded = np.asarray(decode(encoded(Image.new("RGB", (33, 17), (200, 40, 90)), kind), LIMITS, 3))
    assert decoded.shape == (17, 33, 3)
    assert np.abs(decoded.astype(int) - (200, 40, 90)).max() <= 6


def test_other_formats_are_refused() -> None:
    text = "is not a JPEG, PNG, WEBP, BMP, GIF, TIFF, AVIF, HEIF, JPEG2000 or PPM image (its first bytes"
    assert reason(encoded(noise(), "ICO")).startswith(text)


def test_a_heic_file_is_read_upright_whatever_its_name(tmp_path: Path) -> None:
    for content in (ROTATED, TWO):
        path = tmp_path / "photo.jpg"  # as telephones export them
        path.write_bytes(content)
        decoded = decode(path, LIMITS, 3)
        assert decoded.size == (32, 16) == read_header(path, LIMITS)[:2]
        assert [channel > 200 for channel in decoded.getpixel((3, 3))] == [True, False, False]
        assert min(decoded.getpixel((20, 12))) > 240


def test_a_heic_that_is_cut_or_too_large_is_refused() -> None:
    assert reason(ROTATED, Limits(max_pixels=500)).startswith("has 4,096 pixels, more than the limit of 500")
    for length in (20, 100, 400, len(TWO) - 60):
        assert "damaged" in reason(TWO[:length])
    # What is coded is larger than the file says: libheif compares before it decodes.
    size = struct.pack(">II", 64, 64)
    assert "size" in reason(ROTATED.replace(size, struct.pack(">II", 4, 4)))


@pytest.mark.parametrize(
    ("content", "needs"),
    [
        (
            ROTATED,
            "is a HEIF image, and reading those needs pi_heif, which is not installed (pip install 'resnetkit[heif]')",
        ),
        (encoded(noise(), "AVIF"), "is a AVIF image, and reading those needs a Pillow that was built with avif"),
    ],
)
def test_without_its_reader_an_image_is_a_reason_that_says_what_to_install(
    content: bytes, needs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "find_spec", lambda name: None)
    monkeypatch.setattr(image_files.features, "check", lambda name: False)
    for each in image_files.FORMATS:
        monkeypatch.delitem(vars(each), "lacks", raising=False)
    assert reason(content).startswith(needs)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\n<!DOCTYPE html><title>404</title>", "a web page"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg">', "an SVG drawing"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "a video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a video"),
        (b"RIFF\0\0\0\0AVI LIST", "a video"),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera's raw image"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a camera's raw image"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL image"),
        (bytes(128) + b"DICM", "a DICOM file"),
        (b"PK\3\4", "an archive"),
    ],
)
def test_what_lies_under_the_name_of_an_image_is_named(content: bytes, name: str) -> None:
    assert reason(content).startswith(f"is {name}")
    assert reason(content).endswith("and no image")


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "AVIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    with Image.open(BytesIO(content)) as image:
        assert image.n_frames == 2  # type: ignore[attr-defined]
    decoded = decode_for_use(content, LIMITS, Preprocessing(8, 8))
    red, _, blue = decoded.image.getpixel((4, 4))
    assert (red > 200, blue < 50, decoded.note) == (True, True, FIRST_READ)
    (tmp_path / "several").write_bytes(content)
    assert read_header(tmp_path / "several", LIMITS).has_several


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_single_image_nothing_is_said(kind: str) -> None:
    assert decode_for_use(encoded(noise(), kind), LIMITS, Preprocessing(8, 8)).note == ""


def test_of_a_jpeg_with_previews_the_first_is_read_as_any_jpeg() -> None:
    single, several = encoded(noise(), "JPEG"), encoded(noise(), "MPO", save_all=True, append_images=[noise(8, 8)])
    with Image.open(BytesIO(several)) as image:
        assert image.format == "MPO"
    for least_px in (0, 10):
        assert np.array_equal(decode(several, LIMITS, 3, least_px), decode(single, LIMITS, 3, least_px))
    assert decode_for_use(several, LIMITS, Preprocessing(8, 8)).note == ""


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_tiffs_are_read_whatever_their_compression(compression: str | None, mode: str) -> None:
    decoded = decode(
        encoded(Image.new("RGB", (33, 17), "teal").convert(mode), "TIFF", compression=compression), LIMITS, 3
    )
    expected = np.asarray(Image.new("RGB", (33, 17), "teal").convert(mode).convert("RGB"), dtype=int)
    assert np.abs(np.asarray(decoded, dtype=int) - expected).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation_is_honoured(tmp_path: Path, orientation: int, kind: str) -> None:
    """The stored pixels are turned the wrong way round; decoding must bring the red corner back to the top left."""
    upright = Image.new("RGB", (32, 16), "white")
    upright.paste("red", (0, 0, 8, 8))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "picture"
    path.write_bytes(encoded(stored, kind, exif=exif))
    decoded = decode(path, LIMITS, 3)
    assert decoded.size == (32, 16) == read_header(path, LIMITS)[:2]
    red, green, _ = decoded.getpixel((3, 3))
    assert (red > 200, green < 60) == (True, True)


def test_damaged_exif_means_upright() -> None:
    content = encoded(noise(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\x07" * 30)
    assert decode(content, LIMITS, 3).size == (40, 30)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    values = np.array([[0, 257, 128 * 257, 65535]], dtype=np.uint16)
    decoded = decode(encoded(Image.fromarray(values), "PNG"), LIMITS, 1)
    assert np.asarray(decoded).tolist() == [[0, 1, 128, 255]]
    assert np.asarray(decode(encoded(Image.fromarray(values), "PNG"), LIMITS, 3))[0, 2].tolist() == [128] * 3


def test_integer_pixels_within_16_bits_are_scaled_and_beyond_refused() -> None:
    image = Image.fromarray(np.array([[0, 65535]], dtype=np.int32))
    assert np.asarray(convert(image, 1)).tolist() == [[0, 255]]
    with pytest.raises(UnreadableImage, match="from -1 to 70000"):
        convert(Image.fromarray(np.array([[-1, 70000]], dtype=np.int32)), 1)


def test_transparency_is_laid_on_white() -> None:
    half_red = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    assert decode(encoded(half_red, "PNG"), LIMITS, 3).getpixel((0, 0)) == (255, 127, 127)
    assert decode(encoded(Image.new("LA", (4, 4), (0, 0)), "PNG"), LIMITS, 1).getpixel((0, 0)) == 255


def test_palette_with_transparency_is_laid_on_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 0)
    decoded = decode(encoded(image, "PNG", transparency=0), LIMITS, 3)
    assert decoded.getpixel((0, 0)) == (255, 255, 255)
    assert decoded.getpixel((1, 1)) == (40, 50, 60)


def test_transparent_grey_value_in_16_bits_becomes_white() -> None:
    image = Image.fromarray(np.array([[1000, 2000 * 257 // 10]], dtype=np.uint16))
    content = encoded(image, "PNG", transparency=1000)
    assert np.asarray(decode(content, LIMITS, 1)).tolist() == [[255, 200]]


def test_cmyk_is_converted() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red, green, blue = decode(encoded(image, "JPEG", quality=95), LIMITS, 3).getpixel((8, 8))
    assert red > 240
    assert max(green, blue) < 15


def test_lab_and_ycbcr_are_converted() -> None:
    red, green, blue = convert(Image.new("LAB", (2, 2), (255, 128, 128)), 3).getpixel((0, 0))
    assert min(red, green, blue) >= 250
    assert convert(Image.new("RGB", (2, 2), (9, 200, 90)).convert("YCbCr"), 3).getpixel((0, 0)) == (8, 200, 89)


def test_reasons_for_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("hello, this is no picture")
    assert reason(tmp_path / "empty.png") == "is empty (0 bytes)"
    assert reason(tmp_path / "text.jpg").endswith("(its first bytes are b'hello, t')")
    assert reason(tmp_path / "missing.jpg") == "does not exist"
    assert reason(tmp_path) == "is not a file"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.01, 0.5, 0.9])
def test_a_truncated_file_is_never_half_decoded(kind: str, part: float) -> None:
    content = encoded(noise(200, 200), kind)
    text = reason(content[: max(8, int(part * len(content)))])
    assert "truncated" in text or "damaged" in text


def test_damaged_bytes_give_an_image_or_a_reason_but_no_other_error() -> None:
    generator = np.random.default_rng(1)
    outcomes = []
    for kind in KINDS:
        content = np.frombuffer(encoded(noise(), kind), dtype=np.uint8)
        for _ in range(60):
            damaged = content.copy()
            damaged[generator.integers(0, len(damaged), 8)] = generator.integers(0, 256, 8)
            try:
                outcomes.append(decode(damaged.tobytes(), Limits(max_pixels=10**6), 3).mode)
            except UnreadableImage as error:
                outcomes.append(str(error))
    assert all(outcomes)
    assert 40 < outcomes.count("RGB") < 500


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(one_bit_png(30_000, 30_000))
    assert path.stat().st_size < 10**6
    text = "has 900,000,000 pixels, more than the limit of 64,000,000 (--max-pixels)"
    assert reason(path) == text
    with pytest.raises(UnreadableImage, match=re.escape(text)):
        read_header(path, LIMITS)


def tiled_tiff(width: int, height: int, tile_px: int) -> bytes:
    """A grey TIFF of black in a single tile, which may be far larger than the image."""
    packer = zlib.compressobj(9)
    tile = b"".join(packer.compress(bytes(tile_px)) for _ in range(tile_px)) + packer.flush()
    short, long = 3, 4
    values = [(256, short, width), (257, short, height), (258, short, 8), (259, short, 8), (262, short, 1)]
    values += [(277, short, 1), (322, long, tile_px), (323, long, tile_px)]
    values += [(324, long, 8 + 2 + 12 * 10 + 4), (325, long, len(tile))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in values)
    return b"II*\0" + struct.pack("<IH", 8, len(values)) + entries + bytes(4) + tile


def test_a_tile_that_is_larger_than_its_image_counts() -> None:
    assert decode(tiled_tiff(20, 30, 64), LIMITS, 1).size == (20, 30)
    text = "has 1,048,576 pixels, more than the limit of 1,000,000 (--max-pixels)"
    assert reason(tiled_tiff(20, 30, 1024), Limits(max_pixels=10**6)) == text


@pytest.mark.parametrize("is_loaded", [False, True])
def test_an_image_that_pillow_has_opened_is_held_by_the_limits(is_loaded: bool) -> None:
    opened = Image.open(BytesIO(one_bit_png(40, 30)))
    if is_loaded:
        opened.load()
    wanted = Preprocessing(8, 8, 1, (0.5,), (0.5,))
    assert decode_for_use(opened, Limits(max_pixels=1200), wanted).image.size == (40, 30)
    with pytest.raises(UnreadableImage, match="has 1,200 pixels, more than the limit of 1,000"):
        decode_for_use(opened, Limits(max_pixels=1000), wanted)
    assert decode_for_use(noise(), Limits(max_pixels=1000), wanted).image.size == (40, 30), "made in memory"


@pytest.mark.filterwarnings("error")
def test_our_limit_decides_not_the_one_of_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for kind in ("PNG", "TIFF"):
        assert decode(encoded(noise(), kind), LIMITS, 3).size == (40, 30)
    assert Image.MAX_IMAGE_PIXELS == 100
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_the_file_size_limit_comes_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(encoded(noise(), "PNG"))
    monkeypatch.setattr("builtins.open", lambda *arguments: pytest.fail("it was opened"))
    assert "bytes, more than the limit of 100" in reason(path, Limits(max_file_bytes=100))


def test_ten_bits_in_sixteen_are_scaled_by_what_is_white() -> None:
    values = np.random.default_rng(0).integers(470, 545, (20, 30), dtype=np.uint16)
    content = encoded(Image.fromarray(values), "PNG")
    for channels in (1, 3):
        scaled = np.asarray(decode(content, LIMITS, channels, grey=GreyRange(1023)))
        expected = np.rint(values / 1023 * 255).astype(np.uint8)
        assert np.array_equal(scaled, expected if channels == 1 else np.stack([expected] * 3, 2))
        assert len(np.unique(decode(content, LIMITS, channels))) == 1
    with pytest.raises(UnreadableImage, match="16-bit values up to 544, brighter than white is here: 500") as raised:
        decode(content, LIMITS, 1, grey=GreyRange(500))
    assert "preprocessing.white_16bit" in str(raised.value)


def test_every_sixteen_bit_value_is_rounded_to_eight() -> None:
    values = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(convert(Image.fromarray(values), 1), np.rint(values / 257).astype(np.uint8))


def test_what_is_white_says_nothing_about_eight_bits() -> None:
    content = encoded(noise(), "PNG")
    assert np.array_equal(decode(content, LIMITS, 3, grey=GreyRange(10, (0.1, 0.2))), decode(content, LIMITS, 3))


@pytest.mark.parametrize("channels", [3, 4])
def test_deep_colours_are_read_unless_they_would_be_black(channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 2**16, (10, 12, channels), dtype=np.uint16)
    values[..., 3:] = 0xFFFF
    decoded = np.asarray(decode(deep_png(values), LIMITS, 3))
    assert np.abs(decoded - values[..., :3] / 257).max() <= 1
    values[..., :3] //= 64  # ten bits
    assert reason(deep_png(values)).startswith("has colours of 16 bits whose values stay below 1,024 of 65,536")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full((4, 5), -3, np.int32), "has grey values from -3 to -3, beyond 16 bits"),
        (np.full((4, 5), 70_000, np.int32), "has grey values from 70000 to 70000, beyond 16 bits"),
        (
            np.full((4, 5), 1.5, np.float32),
            "has float values from 1.5 to 1.5, beyond black and white, which are 0 and 1",
        ),
        (np.float32([[0, np.nan], [np.inf, 1]]), "has 2 values that are not finite (NaN or infinite), of 4"),
    ],
)
def test_values_beyond_the_range_are_refused(values: np.ndarray, expected: str) -> None:
    assert reason(encoded(Image.fromarray(values), "TIFF")).startswith(expected)


def test_thirty_two_bits_that_hold_sixteen_are_taken_for_those() -> None:
    values = np.array([[0, 257, 65_535]], np.int32)
    decoded = decode(encoded(Image.fromarray(values), "TIFF"), LIMITS, 1)
    assert np.asarray(decoded).tolist() == [[0, 1, 255]]


def test_floats_are_scaled_by_what_is_black_and_white() -> None:
    values = np.linspace(-1, 3, 24, dtype=np.float32).reshape(4, 6)
    content = encoded(Image.fromarray(values), "TIFF")
    scaled = decode(content, LIMITS, 3, grey=GreyRange(floats=(-1, 3)))
    assert np.array_equal(np.asarray(scaled)[..., 0], np.rint((values + 1) / 4 * 255))
    assert np.asarray(convert(Image.fromarray(np.float32([[0, 0.5, 1]])), 1)).tolist() == [[0, 128, 255]]
    assert reason(content).startswith("has float values from -1 to 3, beyond black and white, which are 0 and 1 here")


@pytest.mark.parametrize(("values", "bits"), [(np.uint16, 16), (np.int32, 16), (np.float32, 32)])
def test_header_tells_what_is_deep(tmp_path: Path, values: type, bits: int) -> None:
    path = tmp_path / "deep.tif"
    path.write_bytes(encoded(Image.fromarray(np.array([[0, 1, 1]], values)), "TIFF"))
    assert read_header(path, LIMITS) == (3, 1, True, bits, False)
    assert extent_of_values(path, LIMITS) == (0, 1)


def test_header_tells_grey_from_colour(tmp_path: Path) -> None:
    for channels, is_grey in ((1, True), (3, False)):
        path = tmp_path / f"{channels}.png"
        path.write_bytes(encoded(noise(channels=channels), "PNG"))
        assert read_header(path, LIMITS) == (40, 30, is_grey, 8, False)
