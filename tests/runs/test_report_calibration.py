"""Calibration on a report: as the run measured it, before and after, or as its answers show it."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.html_page import Page
from tests.small_reports import answers_of, report_of

from resnetkit.evaluation.answers import score_answers
from resnetkit.evaluation.calibration import Calibrated, calibration_of
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.report import render_report
from resnetkit.runs.report_calibration import DrawnCalibration
from resnetkit.runs.report_contents import Exhibits, report_on
from resnetkit.runs.result import Result

GOLDEN = Path(__file__).parents[1] / "golden" / "earlier_recipe.json"
NAMES = ("cat", "dog", "fish")


def test_the_diagram_has_a_point_for_each_bin_and_the_table_all_errors() -> None:
    answers = answers_of(NAMES, 400)
    before, after = calibration_of(answers_of(NAMES, 300)), calibration_of(answers)
    diagram = Page(DrawnCalibration(after, before).diagram())
    lines = {path["class"]: path["d"].count("L") + 1 for path in diagram.all("path") if "L" in path.get("d", "")}
    assert lines == {"series-0": len(after.bins), "series-1": len(before.bins), "series-7 dashed": 2}
    page = Page(render_report(report_of(answers, calibration=DrawnCalibration(after, before))))
    for one in ("ece", "floor", "adaptive_ece"):
        assert f"{100 * getattr(before, one):.2f} % {100 * getattr(after, one):.2f} %" in page.text
    assert f"{before.log_loss:.4f} {after.log_loss:.4f}" in page.text
    last = after.bins[-1]
    assert f"93.3 to 100.0 % {last.num_images} {100 * last.confidence:.1f} % {100 * last.accuracy:.1f} %" in page.text


@pytest.mark.parametrize("is_measured", [True, False])
def test_it_is_the_run_s_own_and_else_computed_from_its_answers(tmp_path: Path, is_measured: bool) -> None:
    (tmp_path / "recipe.json").write_bytes(GOLDEN.read_bytes())
    record, answers = RunFolder(tmp_path).read_record(), answers_of(NAMES, 100)
    scores = score_answers(answers)
    assert scores is not None
    own = Calibrated(calibration_of(answers_of(NAMES, 50)), calibration_of(answers_of(NAMES, 60)))
    result = Result(tmp_path, {"test": scores}, 1.0, calibration={"test": own} if is_measured else {})
    drawn = report_on(record, result, (), Exhibits(answers)).calibration
    expected = DrawnCalibration(own.after, own.before) if is_measured else DrawnCalibration(calibration_of(answers))
    assert drawn == expected
    assert (report_on(record, result, ()).calibration is not None) == is_measured, "without answers"
    page = Page(render_report(report_of(answers, calibration=expected)))
    assert ("Before and after are" in page.text) == is_measured
    assert "calibration" not in Page(render_report(replace(report_of(answers), calibration=None))).sections
