"""The page: complete, self-contained, safe against names, and what two networks have in common in one chart."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.html_page import HOSTILE, Page

from resnetkit.analysis.analyses import Analysis, LeftOut
from resnetkit.analysis.figure import Bar, Bars, Figure, Line, Lines, Matrix, Panel, Picture, Pictures
from resnetkit.analysis.page import PAGE, VALUES, render_page, write_analyses
from resnetkit.analysis.panel_charts import draw_panels

LINES = Lines("in order", "layer", "std", (Line("std", (1.0, 2.0), (0.5, 0.25)),), ("conv1", "conv2"))
BARS = Bars("left out", "top-1", (Bar("a", 0.9, 0.8, 0.95), Bar("b", 0.5, 0.4, 0.6)), 0.95, "whole network")
MATRIX = Matrix("plane", "loss", ("0", "1"), ("0", "1"), ((0.1, 2.0), (None, 30.0)), 0.1, 30.0, "log")
PICTURES = Pictures("stages", (Picture("stem", (((0,), (255,)),), -1.5, 2.5),))


def figure_of(name: str = "landscape", text: str = "words", factor: float = 1.0) -> Figure:
    return Figure(
        name, f"Title of {text}", "arXiv:1712.09913, Figure 1", f"Expected {text}", f"Seen {text}",
        (LINES, BARS, MATRIX, PICTURES), {"not_convex": 0.1 * factor, "loss": 0.5}, (f"Note {text}",),
    )  # fmt: skip


def of(*panels: Panel) -> Figure:
    return replace(figure_of(), panels=panels)


def analysis(source: str = "runs/0001-plain", *figures: Figure, **values: object) -> Analysis:
    return Analysis(source, True, "digits, split test", 359, 0, figures or (figure_of(),), **values)  # type: ignore[arg-type]


def test_every_figure_has_its_source_what_to_expect_and_what_is_seen() -> None:
    page = Page(render_page([analysis("net", figure_of(), figure_of("other", "more"))], "resnetkit analyze net"))
    assert page.sections[:2] == ["landscape", "other"]
    hrefs = [link["href"] for link in page.all("a")]
    assert hrefs == ["#landscape", "#other", *["https://arxiv.org/abs/1712.09913"] * 2]
    for words in ("Title of words", "Expected words", "Seen words", "Note words", "Seen more", "359 of digits"):
        assert words in page.text
    assert "resnetkit analyze net" in page.text
    labels = [svg["aria-label"] for svg in page.all("svg")]
    assert len(labels) == 6
    assert all(labels)
    assert all(image["alt"] for image in page.all("img"))


def test_every_paper_of_a_source_has_its_link() -> None:
    source = "arXiv:1512.03385, Section 4.2; <A. Author>, 2012; arXiv:1612.07771"
    page = Page(render_page([analysis("net", replace(figure_of(), source=source))], ""))
    links = [link["href"] for link in page.all("a")][1:]
    assert links == ["https://arxiv.org/abs/1512.03385", "https://arxiv.org/abs/1612.07771"]
    assert source.replace(" ", "") in page.text.replace(" ", "")


def test_it_asks_for_nothing_and_runs_nothing() -> None:
    html = render_page([analysis(HOSTILE, figure_of(text=HOSTILE), remarks=(HOSTILE,)), analysis()], HOSTILE)
    page = Page(html)
    assert not page.all("script")
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert all(image["href"].startswith("data:") for image in page.all("image"))
    assert "{{ 7 * 7 }}" in html


def test_two_networks_are_in_one_chart_and_judged() -> None:
    two = [analysis("runs/plain"), analysis("runs/residual", figure_of(factor=5))]
    page = Page(render_page(two, "command"))
    titles = [panel.title for panel in (LINES, BARS)] + [f"plane, {n}" for n in ("plain", "residual")]
    titles.append("stages")  # the same pictures
    assert [region["aria-label"] for region in page.all("div") if "aria-label" in region] == [*titles, "Numbers"]
    assert "plain lies in the smoother landscape" in page.text
    assert page.text.count("Note words") == 1  # of both
    assert "not convex 0.1 0.5" in page.text


def test_a_note_of_one_network_alone_says_so() -> None:
    other = replace(figure_of(), notes=("No skips",))
    page = Page(render_page([analysis("plain", other), analysis("residual")], ""))
    assert "plain: No skips" in page.text
    assert "residual: Note words" in page.text


def test_what_was_left_out_is_told() -> None:
    page = Page(
        render_page([analysis(left_out=tuple(LeftOut(name, "needs data") for name in ("norms", "lesions")))], "")
    )
    assert "norms, lesions: needs data" in page.text


def test_bars_of_two_networks_become_lines_with_their_references_dashed() -> None:
    (chart,) = draw_panels({"a": of(BARS), "b": of(BARS)})
    assert chart.drawn.count("dashed") == 2
    assert "a, a: 0.9" in chart.drawn
    assert "b, b: 0.5" in chart.drawn
    assert chart.caption == "dashed: whole network"
    (single,) = draw_panels({"a": of(BARS)})
    assert "whole network 0.95" in single.drawn


def test_matrices_side_by_side_have_one_scale() -> None:
    charts = draw_panels({"a": of(MATRIX), "b": of(replace(MATRIX, low=0.01, high=20.0))})
    assert all("from 0.01 to 30" in chart.drawn for chart in charts)


def test_second_lines_of_two_networks_are_dashed_in_the_network_s_colour() -> None:
    lines = replace(LINES, lines=(*LINES.lines, Line("more", (1.0, 2.0), (1.0, 2.0))))
    (chart,) = draw_panels({"a": of(lines), "b": of(lines)})
    for kind in ("series-0", "series-0 dashed", "series-1", "series-1 dashed"):
        assert f'<path class="{kind}" d="M' in chart.drawn
    assert "conv2" in chart.drawn


def test_a_network_that_alone_has_a_panel_keeps_its_colour_and_is_named() -> None:
    charts = draw_panels({"a": of(BARS), "b": of(BARS, LINES)})
    assert charts[1].title == "in order, b"
    assert '<path class="series-1" d="M' in charts[1].drawn
    assert "series-0" not in charts[1].drawn


def test_what_is_the_same_of_both_is_shown_once() -> None:
    page = Page(render_page([analysis("plain"), analysis("residual")], ""))
    assert "Seen in both" in page.text
    assert page.text.count("Seen words") == 1
    assert "Numbers" not in [region.get("aria-label") for region in page.all("div")]


def test_page_and_values_are_written_to_a_new_folder_each_time(tmp_path: Path) -> None:
    nan = replace(figure_of(), numbers={"not_convex": float("nan"), "loss": 1.0})
    folders = [write_analyses(tmp_path, [analysis("plain", nan), analysis("residual")], "command") for _ in range(2)]
    assert [folder.name for folder in folders] == ["0001-plain-against-residual", "0002-plain-against-residual"]
    values = json.loads((folders[0] / VALUES).read_text(), parse_constant=pytest.fail)
    assert values["analyses"][0]["figures"][0]["numbers"]["not_convex"] is None
    assert [one["source"] for one in values["analyses"]] == ["plain", "residual"]
    assert list(values["verdicts"]) == ["landscape"]
    assert values["command"] == "command"
    assert (folders[0] / PAGE).read_text().startswith("<!doctype html>")
