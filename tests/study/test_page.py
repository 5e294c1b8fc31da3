"""The curves of a study's page are those of its runs."""

import json
from pathlib import Path

from tests.study.conftest import FakePlace

from resnetkit.runs.folder import RunFolder
from resnetkit.study import page
from resnetkit.study.running import report_study, run_study
from resnetkit.study.study import Study


def test_bands_reach_from_the_lowest_run_to_the_highest() -> None:
    curve = page._curve("arm", [{1: 10.0, 2: 20.0}, {1: 30.0, 2: 70.0}, {1: 20.0}], 0)
    assert (curve.xs, curve.ys, curve.lows, curve.highs) == ([1, 2], [20.0, 45.0], [10.0, 20.0], [30.0, 70.0])


def test_solid_curves_are_of_validation_and_dashed_ones_of_training(
    two_arms: Study, place: FakePlace, tmp_path: Path
) -> None:
    run_study(two_arms, out=tmp_path / "study", place=place)
    for metrics in (tmp_path / "study").glob("*/*/metrics.jsonl"):
        events = RunFolder(metrics.parent).events()
        changed = [event | ({"val_top1": 0.8} if event["event"] == "epoch" else {}) for event in events]
        metrics.write_text("".join(json.dumps(event) + "\n" for event in changed))
    arms = report_study(tmp_path / "study").arms
    drawn = {(one.name, one.is_dashed): one.ys[0] for one in page._series(arms)}
    assert {name: round(error) for name, error in drawn.items()} == {
        ("", True): 50,
        ("residual", False): 20,
        ("plain", False): 20,
    }
