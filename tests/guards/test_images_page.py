"""docs/images.md: the kinds of files are those that are read, and its examples come out as it says."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests.small_pngs import deep_png
from tests.small_tiffs import tiff

from resnetkit.images.decoding import decode
from resnetkit.images.image_files import FORMATS
from resnetkit.images.spec import Limits
from resnetkit.images.types import UnreadableImage

PAGE = (Path(__file__).parents[2] / "docs" / "images.md").read_text()


def rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def row(*values: object, kind: type = np.uint8) -> np.ndarray:
    """One row of pixels: grey values, or colours."""
    return np.array([values], kind)


def adobe_jpeg() -> bytes:
    content = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100)
    assert b"Adobe" in content  # as Pillow writes them
    return content


def palette(**options: object) -> bytes:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    return encoded(image, **options)


def bilevel() -> bytes:
    return encoded(Image.fromarray(row(0, 255)).convert("1"))


def profiled() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return encoded(Image.new("RGB", (1, 1), (10, 20, 30)), icc_profile=profile)


def ycbcr() -> bytes:
    return encoded(Image.new("RGB", (2, 2), (9, 200, 90)).convert("YCbCr"), "TIFF")


def grey_tiff(*values: float, kind: type) -> bytes:
    return encoded(Image.fromarray(row(*values, kind=kind)), "TIFF")


EXAMPLES: dict[str, Callable[[], bytes]] = {
    "grey or RGB of 8 bits": lambda: encoded(Image.fromarray(row(7, 200))),
    "1 bit": bilevel,
    "palette": palette,
    "palette with a transparent entry": lambda: palette(transparency=0),
    "grey with transparency": lambda: encoded(Image.new("LA", (1, 1), (0, 128))),
    "RGB with transparency": lambda: encoded(Image.new("RGBA", (1, 1), (255, 0, 0, 128))),
    "CMYK": lambda: encoded(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF"),
    "CMYK in a JPEG of Adobe's, stored inverted": adobe_jpeg,
    "YCbCr in a TIFF": ycbcr,
    "CIELAB in a TIFF": lambda: encoded(Image.new("LAB", (1, 1), (255, 128, 128)), "TIFF"),
    "grey of 16 bits": lambda: encoded(Image.fromarray(row(0, 257, 65_535, kind=np.uint16))),
    "a value of 16 bits that is transparent": lambda: encoded(
        Image.fromarray(row(1000, kind=np.uint16)), transparency=1000
    ),
    "integers of 32 bits": lambda: grey_tiff(0, 257, 65_535, kind=np.int32),
    "integers below 0, or beyond 16 bits": lambda: grey_tiff(-1, 70_000, kind=np.int32),
    "floats": lambda: grey_tiff(0, 0.5, 1, kind=np.float32),
    "floats beyond that range": lambda: grey_tiff(-1, 2, kind=np.float32),
    "floats that are NaN or infinite": lambda: grey_tiff(0, np.nan, kind=np.float32),
    "colours of 16 bits": lambda: deep_png(row((65_535, 32_768, 256), kind=np.uint16)),
    "colours of 16 bits, all of them dark": lambda: deep_png(row((1023, 512, 0), kind=np.uint16)),
    "TIFF of 8 bits of which 0 is white": lambda: tiff(row(0, 55), photometric=0),
    "TIFF of more bits of which 0 is white": lambda: tiff(row(0, 55, kind=np.uint16), photometric=0),
    "TIFF of signed bytes": lambda: tiff(row(0, -5, kind=np.int8)),
    "TIFF of RGB and a fourth value that is said to be none of its colours": lambda: tiff(
        row((10, 20, 30, 40)), photometric=2, extra=0
    ),
    "TIFF of four values that does not say what the fourth is": lambda: tiff(row((10, 20, 30, 40)), photometric=2),
    "TIFF of six bands": lambda: tiff(row((1, 2, 3, 4, 5, 6)), photometric=2),
    "TIFF of floats of 64 bits": lambda: tiff(row(0, 1, kind=np.float64)),
    "TIFF that begins with a preview, as raw images do": lambda: tiff(row(0, 1), subfile=1),
    "a colour profile (ICC)": profiled,
}
TESTED_ELSEWHERE = ["grey of 16 bits, brighter than white", "EXIF orientation, or a HEIF's rotation"]


def test_kinds_are_those_that_are_read() -> None:
    told = {kind: (endings.split(), needs) for kind, endings, needs in rows("Kinds of files")}
    for each in FORMATS:
        needs = f"Pillow built with `{each.feature}`" if each.feature else ""
        needs = f"`pip install 'resnetkit[{each.extra}]'`" if each.extra else needs
        assert told.pop(each.name) == (list(each.extensions), needs)
    assert not told


def test_every_row_has_an_example() -> None:
    assert sorted(name for name, _, _ in rows("What becomes of the values")) == sorted([*EXAMPLES, *TESTED_ELSEWHERE])


@pytest.mark.parametrize(
    ("name", "example"),
    [(name, example) for name, _, example in rows("What becomes of the values") if name in EXAMPLES],
)
def test_values_become_what_the_page_says(name: str, example: str) -> None:
    content = EXAMPLES[name]()
    _, is_refused, reason = example.rpartition("refused: ")
    if is_refused:
        with pytest.raises(UnreadableImage) as caught:
            decode(content, Limits(), 3)
        assert reason in str(caught.value)
        return
    pixels = np.asarray(decode(content, Limits(), 3))[0]
    expected = [[int(value) for value in text.split("/")] for text in example.partition("→ ")[2].split()]
    assert pixels[: len(expected)].tolist() == [each * 3 if len(each) == 1 else each for each in expected]
