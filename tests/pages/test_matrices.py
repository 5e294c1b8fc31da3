"""Matrices on pages: every count told, every number at its place in the colours."""

import base64
import io
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from tests.pages.test_charts import contrast, schemes

from resnetkit.pages.matrices import MAX_OPACITY, cell_map, heat_map
from resnetkit.pages.raster import ANCHORS, colour


def test_a_heat_map_tells_every_count_once() -> None:
    matrix = [[5, 0, 1], [2, 7, 0], [0, 0, 1234]]
    svg = heat_map(matrix, list("abc"), list("abc"))
    groups = list(ElementTree.fromstring(svg).iter("g"))
    assert len(groups) == 9
    assert groups[3].find("title").text == "true b, predicted a: 2 of 9 images"
    assert [g.find("rect").get("class") == "right" for g in groups] == [i % 4 == 0 for i in range(9)]
    shown = [g.find("text").text if g.find("text") is not None else None for g in groups]
    assert shown == ["5", None, "1", "2", "7", None, None, None, "1234"], "zeros stay blank"
    opacities = [float(g.find("rect").get("fill-opacity")) for g in groups]
    assert opacities[8] == MAX_OPACITY
    assert opacities[3] == pytest.approx(MAX_OPACITY * math.cbrt(2 / 9), abs=0.01)
    assert opacities[1] == 0


def test_a_class_without_images_leaves_its_row_empty() -> None:
    groups = list(ElementTree.fromstring(heat_map([[0, 0], [1, 1]], ["a", "b"], ["a", "b"])).iter("g"))
    assert [g.find("rect").get("fill-opacity") for g in groups[:2]] == ["0.00", "0.00"]


@pytest.mark.parametrize("names", [["a", "b"], ["short", "x" * 80]])
def test_a_heat_map_stays_inside_its_picture(names: list[str]) -> None:
    svg = ElementTree.fromstring(heat_map([[1, 0], [0, 1]], names, names))
    for rectangle in svg.iter("rect"):
        assert float(rectangle.get("x")) + float(rectangle.get("width")) <= float(svg.get("width"))
        assert float(rectangle.get("y")) + float(rectangle.get("height")) <= float(svg.get("height"))
    assert max(len(text.text) for text in svg.iter("text")) <= 16, "long names are cut on the axes"


def test_hostile_names_are_text() -> None:
    hostile = "</svg><script>alert(1)</script>\"'&"
    for svg in (heat_map([[1]], [hostile], [hostile]), cell_map(np.ones((1, 1)), [hostile], [hostile], hostile)):
        assert "<script" not in svg
        ElementTree.fromstring(svg)  # still one well-formed picture


@pytest.mark.parametrize("scheme", schemes())
@pytest.mark.parametrize("kind", ["right", "wrong"])
def test_counts_are_legible_on_cells_of_any_opacity(scheme: dict[str, tuple[int, ...]], kind: str) -> None:
    for opacity in (0.0, MAX_OPACITY / 2, MAX_OPACITY):
        mixed = zip(scheme[kind], scheme["paper"], strict=True)
        cell = [opacity * shade + (1 - opacity) * paper for shade, paper in mixed]
        assert contrast(scheme["ink"], cell) >= 4.5


def pixels_of(svg: str) -> np.ndarray:
    code = re.search(r'href="data:image/png;base64,([^"]+)"', svg).group(1)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))


def test_cells_are_coloured_by_their_values() -> None:
    values = np.array([[0.0, 1.0], [0.5, np.nan]])
    svg = cell_map(values, ["a", "b"], ["c", "d"], "Similarity")
    assert pixels_of(svg).tolist() == colour(values).tolist()
    assert "Similarity: 2 by 2 values from 0 to 1" in ElementTree.fromstring(svg).get("aria-label")


def test_signed_cells_are_white_at_zero_and_logarithmic_ones_even_in_factors() -> None:
    signed = pixels_of(cell_map(np.array([[-1.0, 0.0, 4.0]]), ["a"], list("bcd"), "Change", spread="signed"))
    assert signed[0, 1].tolist() == [245, 245, 245]
    log = pixels_of(cell_map(np.array([[1.0, 10.0, 100.0]]), ["a"], list("bcd"), "Loss", spread="log"))
    assert log[0].tolist() == colour(np.array([0.0, 0.5, 1.0])).tolist()


@pytest.mark.parametrize("value", [0.0, 7.0, math.nan])
def test_cells_of_one_value_are_drawn(value: float) -> None:
    for spread in ("linear", "log", "signed"):
        ElementTree.fromstring(cell_map(np.full((2, 2), value), ["a", "b"], ["c", "d"], "Loss", spread=spread))


@pytest.mark.parametrize("scale", ["sequential", "heat"])
def test_lightness_rises_with_the_number(scale: str) -> None:
    shades = colour(np.linspace(0, 1, 64), scale).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(shades) > 0).all()
    assert len(ANCHORS[scale]) >= 9


def test_numbers_beyond_the_scale_have_the_colours_of_its_ends() -> None:
    assert colour(np.array([-3.0, 9.0])).tolist() == colour(np.array([0.0, 1.0])).tolist()


def test_of_names_that_have_no_room_some_are_left_out() -> None:
    names = [f"layer1.{i}" for i in range(60)]
    chart = ElementTree.fromstring(cell_map(np.ones((60, 60)), names, names, "CKA"))
    places = {
        kind: [float(one.get(axis) or 0) for one in chart.iter("text") if (one.get("transform") is not None) == turned]
        for kind, axis, turned in (("row", "y", False), ("column", "x", True))
    }
    rows = places["row"][1:-2]  # between the title and the ends of the scale
    assert len(rows) == 30
    assert min(np.diff(rows)) >= 12
    assert min(np.diff(places["column"])) >= 17
