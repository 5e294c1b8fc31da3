"""What the charts show: every value in its place, gaps as gaps, all colours legible."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnetkit.pages.axes import log_ticks, nice_ticks
from resnetkit.pages.charts import MAX_MARKS, WIDE, Bar, Series, bar_chart, interval_bar, line_chart
from resnetkit.pages.marks import NUM_COLOURS
from resnetkit.pages.templates import fill_template

STYLE = fill_template("pages/style.css.jinja")


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


@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e9))
def test_logarithmic_ticks_enclose_the_values(low: float, factor: float) -> None:
    ticks = log_ticks(low, low * factor)
    assert ticks[0] <= low * (1 + 1e-6)
    assert ticks[-1] >= low * factor * (1 - 1e-6)
    assert 2 <= len(ticks) <= 14
    assert list(ticks) == sorted(set(ticks))


def test_equal_factors_are_equally_high_on_a_logarithmic_axis() -> None:
    chart = line_chart([Series("norm", [0, 1, 2, 3], [1e-3, 1e-1, 1e1, 0.0])], "block", "Norm", is_log=True)
    ys = [float(dot.get("cy")) for dot in marks(chart, "circle", "series-0")]
    assert len(ys) == 3, "0 has no logarithm"
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2)


def test_a_band_encloses_its_line_and_stays_on_the_chart() -> None:
    chart = line_chart([Series("mean", [1, 2, 3], [1.0, 2.0, 1.5], [0.5, 1.0, None], [1.5, 4.0, 2.0])], "x", "Loss")
    (band,) = marks(chart, "path", "band band-0")
    xs, ys = zip(*[map(float, pair.split(",")) for pair in band.get("d")[1:-1].split("L")], strict=True)
    dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in marks(chart, "circle", "series-0")]
    assert sorted(set(xs)) == [dots[0][0], dots[1][0]], "where the band is not known, there is none"
    assert min(ys) < min(y for _, y in dots)
    assert min(ys) >= 32, "the highest edge is on the axis"


def test_lines_of_one_colour_are_told_apart_by_dashes() -> None:
    test = Series("resnet20", [1, 2], [2.0, 1.0], colour=3)
    train = Series("", [1, 2], [1.0, 0.5], colour=3, is_dashed=True)
    chart = line_chart([test, train], "epoch", "Error")
    assert len(marks(chart, "path", "series-3")) == 2, "a line, and its piece in the legend"
    assert len(marks(chart, "path", "series-3 dashed")) == 1


@pytest.mark.parametrize("num_points", [2, 100])
def test_more_lines_than_colours_are_told_apart_by_marks(num_points: int) -> None:
    lines = [Series(f"line {i}", range(num_points), [float(i)] * num_points) for i in range(2 * NUM_COLOURS + 1)]
    chart = line_chart(lines, "epoch", "Error")
    twice, thrice = (marks(chart, "path", f"mark series-{number}") for number in (1, 0))
    assert len(marks(chart, "path", "series-0")) == 6, "three lines, and their pieces in the legend"
    assert len({mark.get("d").partition("m")[2] for mark in thrice}) == 2, (
        "not the same for the third as for the second"
    )
    assert len(twice) == 1 + min(num_points, MAX_MARKS), "the line's, and one in the legend"


@pytest.mark.parametrize("number", [2, 8])
def test_a_legend_names_every_line_inside_the_picture(number: int) -> None:
    chart = line_chart([Series(f"network number {i}", [1, 2], [i, i + 1.0]) for i in range(number)], "epoch", "Error")
    svg = ElementTree.fromstring(chart)
    named = [element for element in svg.iter("text") if (element.text or "").startswith("network")]
    assert len(named) == number
    assert all(0 <= float(one.get("x")) < float(svg.get("width")) - 60 for one in named)
    assert all(float(one.get("y")) <= float(svg.get("height")) for one in named)


def test_bars_are_as_long_as_their_values_and_begin_at_zero() -> None:
    chart = bar_chart([Bar("a", 1.0), Bar("b", 2.0, 1.5, 2.5), Bar("c", -1.0), Bar("d", None)], "Error")
    bars = marks(chart, "rect", "series-0")
    heights = [float(bar.get("height")) for bar in bars]
    assert heights == pytest.approx([heights[0], 2 * heights[0], heights[0]], abs=0.3)
    assert float(bars[2].get("y")) == pytest.approx(float(bars[0].get("y")) + heights[0], abs=0.2), "below zero"
    assert len(marks(chart, "path", "whisker")) == 1
    assert "–" in texts(chart), "what was not measured has no bar"


def test_of_many_bars_only_some_are_named() -> None:
    chart = bar_chart([Bar(f"layer1.{i}", float(i)) for i in range(200)], "Error", width=WIDE)
    named = [words for words in texts(chart) if words and words.startswith("layer")]
    assert 5 < len(named) < 100
    assert len(marks(chart, "rect", "series-0")) == 200


def test_a_reference_is_drawn_across_at_its_height() -> None:
    chart = bar_chart([Bar("a", 0.5), Bar("b", 1.0)], "Error", reference=("whole network", 0.5))
    across, _ = marks(chart, "path", "reference")  # and its piece beside the name
    assert float(across.get("d").split(",")[1].split("H")[0]) == float(marks(chart, "rect", "series-0")[0].get("y"))


def test_hostile_names_are_text() -> None:
    hostile = "</svg><script>alert(1)</script>\"'&"
    for svg in (
        line_chart([Series(hostile, [1], [1.0])] * 2, hostile, hostile),
        bar_chart([Bar(hostile, 1.0, 0.5, 2.0)], hostile, reference=(hostile, 1.0)),
    ):
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
    colours = [(name, tuple(bytes.fromhex(value))) for name, value in re.findall(r"--([\w-]+): #(\w{6});", STYLE)]
    half = len(colours) // 2
    return [pytest.param(dict(colours[:half]), id="light"), pytest.param(dict(colours[half:]), id="dark")]


@pytest.mark.parametrize("scheme", schemes())
def test_text_is_legible_in_both_colour_schemes(scheme: dict[str, tuple[int, ...]]) -> None:
    for background in ("paper", "raised"):
        for text in ("ink", "quiet", "right", "wrong"):
            assert contrast(scheme[text], scheme[background]) >= 4.5, (text, background)


@pytest.mark.parametrize("scheme", schemes())
def test_lines_stand_out_from_the_paper(scheme: dict[str, tuple[int, ...]]) -> None:
    for number in range(NUM_COLOURS):
        assert contrast(scheme[f"series-{number}"], scheme["paper"]) >= 3.0, number
