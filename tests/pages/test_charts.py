"""What the charts show: every value in its place, gaps as gaps, all colours legible."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resnetkit.pages
from resnetkit.pages.charts import MAX_OPACITY, Series, heat_map, interval_bar, line_chart, nice_ticks

STYLE = (Path(resnetkit.pages.__file__).parent / "style.css.jinja").read_text()


def texts(svg: str) -> list[str | None]:
    return [element.text for element in ElementTree.fromstring(svg).iter("text")]


def marks(svg: str, tag: str, kind: str) -> list[ElementTree.Element]:
    return [element for element in ElementTree.fromstring(svg).iter(tag) if element.get("class") == kind]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_enclose_the_values_in_few_round_steps(low: float, spread: float) -> None:
    high = low + spread
    ticks = nice_ticks(low, high)
    steps = [after - before for before, after in pairwise(ticks)]
    step = steps[0]
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= high - 1e-6 * step
    assert 2 <= len(ticks) <= 8
    assert steps == pytest.approx([step] * len(steps), rel=1e-3)
    factor = step / 10 ** math.floor(math.log10(step * 1.0001))
    assert min(abs(factor - one) for one in (1, 2, 5)) < 1e-3


def test_higher_values_lie_higher_and_later_ones_further_right() -> None:
    dots = marks(line_chart([Series("val", [1, 2, 3], [0.1, 0.4, 0.2])], "epoch", "Loss"), "circle", "series-0")
    xs, ys = [float(dot.get("cx")) for dot in dots], [float(dot.get("cy")) for dot in dots]
    assert xs == sorted(xs)
    assert ys[1] < ys[2] < ys[0], "SVG counts downwards"
    assert ys[0] - ys[2] == pytest.approx((ys[0] - ys[1]) / 3, abs=0.2), "0.2 is a third of the way from 0.1 to 0.4"


@pytest.mark.parametrize("gap", [None, math.nan, math.inf])
def test_a_missing_value_is_a_gap(gap: float | None) -> None:
    chart = line_chart([Series("val", [1, 2, 3, 4, 5], [1.0, 2.0, gap, 2.0, 1.0])], "epoch", "Loss")
    assert [path.get("d").count("L") for path in marks(chart, "path", "series-0")] == [1, 1]
    assert len(marks(chart, "circle", "series-0")) == 4
    assert "nan" not in chart
    assert "inf" not in chart


def test_a_single_epoch_is_a_dot_that_tells_its_value() -> None:
    (dot,) = marks(line_chart([Series("val", [1], [0.5])], "epoch", "Loss"), "circle", "series-0")
    assert dot.find("title").text == "val, epoch 1: 0.5"
    assert 0 < float(dot.get("cx")) < 340
    assert 0 < float(dot.get("cy")) < 230


def test_many_points_keep_dots_only_where_no_line_shows_them() -> None:
    ys = [1.0] * 100 + [None, 2.0, None]
    chart = line_chart([Series("val", range(103), ys)], "step", "Loss")
    assert len(marks(chart, "circle", "series-0")) == 1


def test_nearly_equal_values_still_have_an_axis() -> None:
    chart = line_chart(
        [Series("val", [1, 2], [0.1, 0.1 + 1e-17]), Series("train", [1, 2], [0.1, 0.1])], "epoch", "Loss"
    )
    assert len(marks(chart, "circle", "series-1")) == 2


def test_a_series_keeps_its_style_when_another_is_empty() -> None:
    chart = line_chart([Series("val", [1, 2], [None, None]), Series("train", [1, 2], [2.0, 1.0])], "epoch", "Loss")
    assert marks(chart, "circle", "series-1")
    assert not marks(chart, "circle", "series-0")
    assert "train" in texts(chart)
    assert "val" not in texts(chart)


def test_a_chart_says_in_words_what_it_shows() -> None:
    chart = line_chart([Series("val", [1, 2, 3], [2.0, 0.3, 0.5])], "epoch", "Loss")
    assert ElementTree.fromstring(chart).get("aria-label") == "Loss by epoch: val from 2 to 0.5"
    empty = line_chart([Series("val", [], [])], "epoch", "Loss")
    assert "no values" in texts(empty)


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
    for svg in (heat_map([[1]], [hostile], [hostile]), line_chart([Series(hostile, [1], [1.0])] * 2, hostile, hostile)):
        assert "<script" not in svg
        ElementTree.fromstring(svg)  # still one well-formed picture


def test_an_interval_bar_spans_its_interval() -> None:
    svg = interval_bar(0.5, 0.25, 1.0)
    start, end = map(float, re.fullmatch(r"M([\d.]+),8H([\d.]+)", marks(svg, "path", "bar")[0].get("d")).groups())
    assert (end - start) / (116 - 4) == pytest.approx(0.75)
    assert float(ElementTree.fromstring(svg).find("circle").get("cx")) == 60


def luminance(rgb: Sequence[float]) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """Contrast ratio of WCAG 2, section 1.4.3; text of any size needs 4.5."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def schemes() -> list[Any]:
    colours = [(name, tuple(bytes.fromhex(value))) for name, value in re.findall(r"--(\w+): #(\w{6});", STYLE)]
    half = len(colours) // 2
    return [pytest.param(dict(colours[:half]), id="light"), pytest.param(dict(colours[half:]), id="dark")]


@pytest.mark.parametrize("scheme", schemes())
def test_text_is_legible_in_both_colour_schemes(scheme: dict[str, tuple[int, ...]]) -> None:
    for background in ("paper", "raised"):
        for text in ("ink", "quiet", "right", "wrong"):
            assert contrast(scheme[text], scheme[background]) >= 4.5, (text, background)


@pytest.mark.parametrize("scheme", schemes())
@pytest.mark.parametrize("kind", ["right", "wrong"])
def test_counts_are_legible_on_cells_of_any_opacity(scheme: dict[str, tuple[int, ...]], kind: str) -> None:
    for opacity in (0.0, MAX_OPACITY / 2, MAX_OPACITY):
        mixed = zip(scheme[kind], scheme["paper"], strict=True)
        cell = [opacity * colour + (1 - opacity) * paper for colour, paper in mixed]
        assert contrast(scheme["ink"], cell) >= 4.5
