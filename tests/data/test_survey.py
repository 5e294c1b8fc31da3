"""What headers tell: colour that is rare is not lost, and the range of 16-bit images is found."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.data import survey as module
from resnetkit.data.loading import open_data
from resnetkit.data.source import BadImagesError
from resnetkit.data.spec import DataSpec
from resnetkit.data.survey import Survey, measure_floats, measure_sixteen_bit, survey
from resnetkit.images.decoding import Header, read_header
from resnetkit.images.spec import Limits
from resnetkit.images.types import FloatValues, SixteenBit

LIMITS = Limits()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hundred grey images."""
    for number in range(100):
        Image.new("L", (12, 10), number).save(tmp_path / f"{number:03}.png")
    return tmp_path


def look(folder: Path) -> Survey:
    paths = sorted(path.name for path in folder.iterdir())
    return survey(folder, paths, LIMITS, num_workers=2)


def outside_the_sample(num_all: int = 100) -> list[int]:
    positions = np.linspace(0, num_all - 1, module.SAMPLED).astype(int)
    return sorted(set(range(num_all)) - set(positions.tolist()))


def test_grey_images_are_grey(folder: Path) -> None:
    found = look(folder)
    assert (found.channels, found.num_looked_at, found.remarks, found.sixteen_bit) == (1, 100, (), ())


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA", "CMYK"])
def test_one_image_in_colour_is_enough(folder: Path, mode: str) -> None:
    number = outside_the_sample()[7]
    image = Image.new("RGB", (12, 10), "teal").convert(mode)
    image.save(folder / f"{number:03}.png", "JPEG" if mode == "CMYK" else "PNG")
    found = look(folder)
    assert found.channels == 3
    assert found.remarks == ("3 channels: 1 of 100 image has colour, so the grey ones are read as colour too",)


def test_images_that_all_have_colour_are_settled_by_a_sample(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in folder.iterdir():
        Image.new("RGB", (12, 10), "teal").save(path)
    read: list[str] = []

    def watched(path: str, limits: Limits) -> Header:
        read.append(path)
        return read_header(path, limits)

    monkeypatch.setattr(module, "read_header", watched)
    found = look(folder)
    assert (found.channels, found.remarks) == (3, ())
    assert len(read) == module.SAMPLED


def test_a_folder_without_a_readable_header_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"nothing")
    with pytest.raises(BadImagesError) as raised:
        open_data(DataSpec(str(tmp_path)))
    assert [bad.path for bad in raised.value.bad_images] == [f"{tmp_path}/a/a.png", f"{tmp_path}/b/a.png"]


@pytest.mark.parametrize(
    ("brightest", "white"), [(200, 255), (256, 511), (544, 1023), (1023, 1023), (4000, 4095), (65_535, 65_535)]
)
def test_white_is_what_the_bits_in_use_can_hold(tmp_path: Path, brightest: int, white: int) -> None:
    for number in range(3):
        Image.fromarray(np.full((4, 5), brightest // (1 + number), np.uint16)).save(tmp_path / f"{number}.png")
    found = look(tmp_path)
    assert len(found.sixteen_bit) == 3
    assert measure_sixteen_bit(found.sixteen_bit, LIMITS, num_workers=2) == SixteenBit(white, brightest // 2)


def test_the_values_of_floats_are_measured(tmp_path: Path) -> None:
    for number, high in enumerate((3, 5, 9)):
        Image.fromarray(np.linspace(-2 - number, high, 20, dtype=np.float32).reshape(4, 5)).save(
            tmp_path / f"{number}.tif"
        )
    Image.fromarray(np.full((4, 5), np.nan, np.float32)).save(tmp_path / "none.tif")
    found = look(tmp_path)
    assert (len(found.floats), found.sixteen_bit) == (4, ())
    assert measure_floats(found.floats, LIMITS, num_workers=2) == FloatValues(-4, 9, 5)
    assert measure_floats(found.floats[3:], LIMITS, num_workers=2) is None


def test_files_of_several_pages_are_counted_wherever_they_are(folder: Path) -> None:
    for path in folder.iterdir():
        Image.new("RGB", (12, 10), "teal").save(path)
    assert look(folder).notes == ()
    pages = [Image.new("RGB", (12, 10), colour) for colour in ("red", "blue")]
    for place in outside_the_sample(102)[:2]:
        pages[0].save(sorted(folder.iterdir())[place].with_suffix(".a.tif"), save_all=True, append_images=pages[1:])
    found = look(folder)
    assert found.notes == ("2 files hold several pages or frames: the first of each is read",)
    assert found.num_looked_at == module.SAMPLED + 2


def test_unreadable_and_eight_bit_images_have_no_range(folder: Path) -> None:
    assert measure_sixteen_bit(look(folder).sixteen_bit, LIMITS, num_workers=2) is None
    assert measure_sixteen_bit([str(folder / "none.png")], LIMITS, num_workers=2) is None


def test_a_transparent_value_is_not_the_brightest(tmp_path: Path) -> None:
    values = np.full((4, 5), 700, np.uint16)
    values[0] = 65_535
    Image.fromarray(values).save(tmp_path / "a.png", transparency=65_535)
    assert measure_sixteen_bit(look(tmp_path).sixteen_bit, LIMITS, num_workers=1) == SixteenBit(1023, 700)
