"""The report as a whole: for everybody, in both themes, at all widths, with and without scripts."""

from typing import Any

import pytest
from tests.runs.page.conftest import Open, Opened
from tests.small_reports import answers_of, report_of

from resnetkit.runs.report import Report

pytestmark = pytest.mark.slow


@pytest.fixture
def report() -> Report:
    return report_of(answers_of(("cat", "dog", "a hamster of an extraordinarily long name"), 200))


def with_all_open(opened: Opened) -> Any:
    opened.click(".matrix button.wrong")
    opened.page.locator("#image-table tbody input").first.check()
    for summary in opened.page.locator("summary").all():
        summary.click()
    return opened.page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_stands_in_the_way_of_anybody(open_report: Open, report: Report, theme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="it is axe that looks")
    page = with_all_open(open_report(report, color_scheme=theme, viewport={"width": width, "height": 900}))
    violations = axe.Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in violations] == []


@pytest.mark.parametrize("width", [320, 400, 768, 1440])
def test_it_is_never_wider_than_the_window(open_report: Open, report: Report, width: int) -> None:
    page = with_all_open(open_report(report, viewport={"width": width, "height": 700}))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_all_that_can_be_done_is_reached_by_tab_and_shows_that_it_is(open_report: Open, report: Report) -> None:
    opened = open_report(report)
    wanted = {"epoch", "log-scale", "matrix-order", "matrix-share", "find", "kind", "true-class", "answer-class"}
    wanted |= {"no-filter", "choose-all", "choose-none", "copy-paths", "save-csv", "page-after", "threshold"}
    reached = set()
    for _ in range(130):
        opened.press("Tab")
        reached.add(opened.page.evaluate("document.activeElement.id"))
        outline = "parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
        assert opened.page.evaluate(f"document.activeElement === document.body || {outline} > 0")
    assert wanted <= reached


def test_without_scripts_it_says_it_all(open_report: Open, report: Report) -> None:
    opened = open_report(report, java_script_enabled=False)
    assert opened.page.locator(".heat").is_visible()
    assert opened.page.locator("#image-table tbody tr").count() == 100
    assert opened.page.locator("#thresholds tbody tr").count() >= 2
    controls = opened.page.locator("input, select, textarea, button:not(th button)")
    assert [one for one in controls.all() if one.is_visible()] == []
