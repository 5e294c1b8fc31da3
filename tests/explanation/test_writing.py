"""Files of explanations: names of their own, whole or not at all, and nothing of others is replaced."""

import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from tests.explanation.explained import explained
from tests.runs.test_report import HOSTILE

from resnetkit.errors import ResnetkitError
from resnetkit.explanation.explanation import Explanation
from resnetkit.explanation.page import Heading
from resnetkit.explanation.sheet import render_png, render_svg
from resnetkit.explanation.writing import Form, check_files, plan_files, write_all

HEADING = Heading("pets", ("grad_cam",), "resnetkit explain pets cat.png")
FORMS: tuple[Form, ...] = ("html", "png", "svg", "npz")


def test_names_do_not_collide() -> None:
    sources = ["a/x.png", "b/x.png", "x-2.jpg", "a/X.gif", "-", "c/..png", "кот 猫.png", f"{'猫' * 300}.png"]
    names = plan_files(sources, "png")
    assert names[:6] == ["x.png", "x-2.png", "x-2-2.png", "X-3.png", "image.png", "image-2.png"]
    assert names[6] == "кот-猫.png"
    assert all(len(name.encode()) < 150 for name in names)
    assert len({name.casefold() for name in names}) == len(sources)
    assert set(plan_files(sources, "html")) == {"explanations.html"}


@pytest.mark.parametrize("form", FORMS)
def test_ours_is_replaced_and_nothing_else(form: Form, tmp_path: Path) -> None:
    (name,) = plan_files(["cat.png"], form)
    path = tmp_path / name
    write_all([explained()], tmp_path, [name], form, HEADING)
    before = path.read_bytes()
    check_files([path])
    write_all([explained(light=90, source="dog.png")], tmp_path, [name], form, HEADING)
    assert path.read_bytes() != before
    path.write_bytes(b"my own")
    with pytest.raises(ResnetkitError, match="no explanation of ours"):
        check_files([path])
    path.unlink()
    path.symlink_to("elsewhere")
    with pytest.raises(ResnetkitError, match="no explanation of ours"):
        check_files([path])


@pytest.mark.parametrize("form", FORMS)
def test_what_is_stopped_leaves_no_part_of_a_file(form: Form, tmp_path: Path) -> None:
    def stopped() -> Iterator[Explanation]:
        yield explained()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_all(stopped(), tmp_path, plan_files(["a.png", "b.png"], form), form, HEADING)
    assert [path.name for path in tmp_path.iterdir()] == ([] if form == "html" else [f"a.{form}"])


def test_an_unreadable_image_has_no_picture(tmp_path: Path) -> None:
    rows = [Explanation("a.png", "error", "is truncated"), explained()]
    write_all(rows, tmp_path, plan_files(["a.png", "b.png"], "png"), "png", HEADING)
    assert [path.name for path in tmp_path.iterdir()] == ["b.png"]


def test_arrays_have_names_shapes_and_units(tmp_path: Path) -> None:
    write_all([explained(against="dog")], tmp_path, ["a.npz"], "npz", HEADING)
    with np.load(tmp_path / "a.npz") as arrays:  # without pickle
        content = dict(arrays)
    readme = str(content.pop("README"))
    assert all(f"\n{name} " in readme for name in content)
    assert {name: array.shape for name, array in content.items()} == {
        "maps": (1, 8, 8),
        "checks": (1, 8),
        "methods": (1,),
        "layers": (1,),
        "units": (1,),
        "window": (4,),
        "image_size": (2,),
        "probabilities": (3,),
        "class_names": (3,),
        "class_name": (),
        "against": (),
        "source": (),
    }
    np.testing.assert_array_equal(content["maps"], explained().maps[0].values[None])
    assert content["window"].tolist() == [30, 10, 80, 80]
    assert content["image_size"].tolist() == [100, 140]
    assert content["units"].tolist() == ["logits; 0 or more"]
    assert (content["class_name"], content["against"]) == ("cat", "dog")


def test_a_png_has_the_pictures_side_by_side() -> None:
    with Image.open(io.BytesIO(render_png(explained((400, 600))))) as image:
        assert image.size == (16 + 2 * (600 + 16), 28 + 400 + 16)


def test_a_png_has_room_for_titles_and_letters_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of narrow images, whose titles are wider; its font has few letters beside those of English."""
    titles: list[tuple[float, str]] = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda _, at, words, **__: titles.append((at[0], words)))
    narrow = explained((400, 100))
    with Image.open(io.BytesIO(render_png(replace(narrow, maps=(replace(narrow.maps[0], grid=7),))))) as image:
        ends = [left for left, _ in titles[1:]] + [image.width]
    assert [words for _, words in titles] == ["What the network saw", "Grad-CAM, stage2 (7x7 values)"]
    for (left, words), end in zip(titles, ends, strict=True):
        assert left + ImageFont.load_default(14).getlength(words) < end


def test_an_svg_of_names_of_any_length_is_known_as_ours(tmp_path: Path) -> None:
    """And asks as classes are written, with their large letters."""
    row = explained(source="folder/" * 300 + "cat.png", names=("Great Dane" * 50, "b", "c"))
    for _ in range(2):
        check_files([tmp_path / "cat.svg"])
        write_all([row], tmp_path, ["cat.svg"], "svg", HEADING)
    drawn = (tmp_path / "cat.svg").read_text()
    assert "/cat.png</title>" in drawn, "the end of a path tells most"
    assert ">Why Great Dane" in drawn


def test_hostile_names_stay_text_in_an_svg() -> None:
    drawn = render_svg(explained(source=HOSTILE, names=(HOSTILE, "b\x1b", "c"), against="b\x1b"))
    root = ElementTree.fromstring(drawn)
    tags = {element.tag.partition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "text", "image"}
    links = [value for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")]
    assert len(links) == 2
    assert all(link.startswith("data:image/jpeg;base64,") for link in links)
    (title,) = [element.text or "" for element in root.iter() if element.tag.endswith("}title")]
    assert HOSTILE[-80:] in title
