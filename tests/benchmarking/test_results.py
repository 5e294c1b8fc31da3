"""From seconds to figures, and figures to pictures."""

from xml.etree import ElementTree

import pytest

from resnetkit.benchmarking.drawing import cost_svg, cost_text
from resnetkit.benchmarking.plan import Case
from resnetkit.benchmarking.results import Benchmark, Row, warning_about_spread, with_figures

CASE = Case("predict", 32, 4)


def test_figures_are_medians_of_rounds_and_quantiles_of_steps() -> None:
    rounds = [[0.1] * 8, [0.2] * 8, [0.4] * 8]
    row = with_figures(Row(CASE, 1_000), rounds, peak=1e6, passes=3)
    assert row.images_per_second is not None
    assert (row.images_per_second.median, row.images_per_second.n) == (pytest.approx(20), 3)
    assert (row.images_per_second.low, row.images_per_second.high) == (pytest.approx(10), pytest.approx(40))
    assert row.step_ms == {"p50": pytest.approx(200), "p95": pytest.approx(400)}
    assert row.num_steps == 24
    assert row.flops_per_second == pytest.approx(2 * 1_000 * 3 * 20)
    assert row.peak_share == pytest.approx(0.12)


def test_steps_that_were_timed_together_have_no_tail() -> None:
    row = with_figures(Row(CASE, 1_000), [[0.1] * 32], peak=1e6, passes=3, one_by_one=False)
    assert row.step_ms == {"p50": pytest.approx(100), "p95": None}


def test_few_steps_have_no_tail_and_unknown_work_has_no_share() -> None:
    row = with_figures(Row(CASE, 1_000), [[0.1]], peak=1e6, passes=None)
    assert row.step_ms is not None
    assert row.step_ms["p95"] is None
    assert row.flops_per_second is None
    assert row.peak_share is None


def test_rounds_that_differ_are_told() -> None:
    steady = with_figures(Row(CASE, 1), [[0.10], [0.11]], peak=1.0, passes=1)
    torn = with_figures(Row(CASE, 1), [[0.1], [0.2]], peak=1.0, passes=1)
    assert warning_about_spread([steady, Row(CASE, 1, reason="none")]) is None
    assert "1 of 2 cases differ by up to 67 %" in (warning_about_spread([steady, torn]) or "")


def test_bars_are_as_long_as_the_cost(made_up: Benchmark) -> None:
    lines = cost_text(made_up.rows).splitlines()
    assert [line.split(",")[0] for line in lines if not line.startswith(" ")] == ["prediction", "training"]
    one, many, training = (line for line in lines if line.startswith(" "))
    assert one.count("█") == 32
    assert "batch   1" in one
    assert 14 <= many.count("█") <= 15
    assert many.endswith(" 5")
    assert training.endswith(" 20")


def test_a_benchmark_without_figures_has_nothing_to_draw() -> None:
    assert cost_text([Row(CASE, 1, reason="too small")]) == ""


def test_the_picture_is_xml_with_a_bar_for_every_row(made_up: Benchmark) -> None:
    root = ElementTree.fromstring(cost_svg(made_up))
    bars = [node for node in root.iter("{http://www.w3.org/2000/svg}rect") if node.get("class") in ("conv", "act")]
    assert len(bars) == 3
    assert float(bars[0].get("width", 0)) > float(bars[1].get("width", 0))
    assert "a <fast> one" in "".join(root.itertext())
    right = float(root.get("width", 0))
    assert all(float(node.get("x", 0)) < right for node in root.iter() if node.get("x"))
