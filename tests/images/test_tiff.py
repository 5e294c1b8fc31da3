"""TIFF: what Pillow would read as something else is refused, and what it does not read is named."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tests.small_tiffs import page, tiff

from resnetkit.images.decoding import decode, decode_and_know, decode_for_use, read_header
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import UnreadableImage

LIMITS = Limits()


def reason(content: bytes) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(content, LIMITS, 1)
    return str(caught.value)


RAMP = np.arange(12).reshape(3, 4)


@pytest.mark.parametrize(
    ("kind", "top", "white"),
    [
        (np.uint8, 255, 255),
        (np.uint16, 65_535, 65_535),
        (np.int16, 32_767, 65_535),
        (np.int32, 65_535, 65_535),
        (np.uint32, 65_535, 65_535),
        (np.float32, 1, 1),
    ],
)
def test_grey_values_are_read(kind: type, top: int, white: int) -> None:
    values = (RAMP / 11 * top).astype(kind)
    expected = np.rint(values * (255 / white))
    assert len(np.unique(expected)) == RAMP.size, "no two values are alike"
    assert np.array_equal(decode(tiff(values), LIMITS, 1), expected)


def test_signed_values_below_zero_are_refused() -> None:
    for kind in (np.int16, np.int32):
        assert "from -3 to 8, beyond 16 bits" in reason(tiff((RAMP - 3).astype(kind)))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (tiff(RAMP.astype(np.int8)), "signed values of 8 bits"),
        (tiff(RAMP.astype(np.uint16), photometric=0), "of which 0 is white"),
        (tiff(RAMP.astype(np.uint8), subfile=1), "a smaller copy of its image"),
        (tiff(np.zeros((3, 4, 4), np.uint8), photometric=2), "does not say what the fourth is"),
    ],
)
@pytest.mark.parametrize("is_loaded", [False, True])
def test_an_image_that_pillow_has_opened_is_held_by_the_same_rules(
    content: bytes, problem: str, is_loaded: bool
) -> None:
    assert problem in reason(content)
    opened = Image.open(BytesIO(content))
    if is_loaded:
        opened.load()
    for read in (
        lambda: decode_for_use(opened, LIMITS, Preprocessing(8, 8, 1, (0.5,), (0.5,))),
        lambda: decode_and_know(opened, LIMITS, 1),
        lambda: read_header(opened, LIMITS),
    ):
        with pytest.raises(UnreadableImage, match=problem):
            read()


def test_where_zero_is_white_eight_bits_are_turned_round_and_others_refused() -> None:
    assert np.array_equal(decode(tiff(RAMP.astype(np.uint8), photometric=0), LIMITS, 1), 255 - RAMP)
    for kind in (np.uint16, np.float32):
        assert "of which 0 is white" in reason(tiff((RAMP / 11).astype(kind), photometric=0))


def test_signed_bytes_are_refused() -> None:
    assert reason(tiff(RAMP.astype(np.int8))).startswith("has signed values of 8 bits")


def test_a_preview_before_the_image_is_not_taken_for_it() -> None:
    """As in DNG, NEF and ARW, the raw images of cameras."""
    assert reason(tiff(RAMP.astype(np.uint8), subfile=1)).startswith("begins with a smaller copy of its image")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (RAMP.astype(np.float64), "floats of 64 bits, 1 for each pixel"),
        (RAMP.astype(np.float16), "floats of 16 bits, 1 for each pixel"),
        (np.zeros((3, 4, 6), np.uint16), "integers of 16 bits, 6 for each pixel"),
    ],
)
def test_a_kind_that_is_not_read_is_named(values: np.ndarray, said: str) -> None:
    assert reason(tiff(values)) == f"is a TIFF of a kind that is not read: {said}"


def test_of_ten_thousand_pages_none_but_the_first_is_looked_at() -> None:
    values = RAMP.astype(np.uint8)
    size = len(page(values, 0))
    pages = [page(values, 8 + i * size, following=8 + (i + 1) * size) for i in range(10_000)]
    content = struct.pack("<2sHI", b"II", 42, 8) + b"".join(pages)  # the last one leads beyond the end
    assert np.array_equal(decode(content, LIMITS, 1), values)
    assert decode_for_use(content, LIMITS, Preprocessing(8, 8, 1, (0.5,), (0.5,))).note
    assert read_header(content, LIMITS).has_several


def test_a_directory_that_leads_back_to_itself_ends() -> None:
    assert decode(tiff(RAMP.astype(np.uint8), following=8), LIMITS, 1).size == (4, 3)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("is_big", [False, True])
def test_more_strips_than_any_image_has_are_refused_before_they_are_taken_apart(order: str, is_big: bool) -> None:
    most = 32_769
    fields = [(256, 4, 1, 4), (257, 4, 1, most), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, most, 500), (278, 4, 1, 1)]
    mark = b"II" if order == "<" else b"MM"
    if is_big:
        head = mark + struct.pack(f"{order}HHHQQ", 43, 8, 0, 16, len(fields))
        content = head + b"".join(struct.pack(f"{order}HHQQ", *field) for field in fields) + bytes(8)
    else:
        head = mark + struct.pack(f"{order}HIH", 42, 8, len(fields))
        content = head + b"".join(struct.pack(f"{order}HHII", *field) for field in fields) + bytes(4)
    assert reason(content).startswith("has 32,769 strips or tiles")


def test_a_page_of_endless_fields_is_refused() -> None:
    assert reason(struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 2**40)).startswith(
        "has a page of 1,099,511,627,776 fields"
    )
