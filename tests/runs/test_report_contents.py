"""What a run's report tells of its record and its result."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resnetkit.evaluation.metrics import score
from resnetkit.runs.first_look import FirstLook
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.report_contents import report_on
from resnetkit.runs.result import Result

GOLDEN = Path(__file__).parents[1] / "golden" / "earlier_recipe.json"


@pytest.fixture
def record(tmp_path: Path) -> Record:
    (tmp_path / "recipe.json").write_bytes(GOLDEN.read_bytes())
    return RunFolder(tmp_path).read_record()


def a_result(**splits: list[int]) -> Result:
    """Scores of two classes, by split the answers for two images of the first class and two of the second."""
    values, labels = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0, 1, 1])
    scores = {name: score(values[answers], labels, ("a", "b")) for name, answers in splits.items()}
    return Result(Path("run"), scores, 12.0)


def test_the_top_of_the_page_and_the_network_are_those_of_the_record(record: Record) -> None:
    report = report_on(record, a_result(test=[0, 0, 1, 1]), ({"epoch": 1},))
    assert report.title == "resnet20_b on digits"
    assert dict(report.summary) == {
        "Start": "fresh weights",
        "Network": "resnet20_b, 77,754 parameters",
        "Cost": "0.8 M multiply-adds an image",
        "Images": "1,293 train, 145 val, 359 test",
        "Training": "12.0 s",
    }
    assert [part["name"] for part in report.parts] == ["stem", "stage 1", "stage 2", "stage 3", "avg-pool", "head"]
    assert report.parts[1]["layers"] == "[3×3, 16 → 3×3, 16] × 1"
    assert (report.command, report.history) == (record.command, ({"epoch": 1},))


def test_the_page_is_about_test_where_it_has_a_score_and_else_about_val(record: Record) -> None:
    right = [0, 0, 1, 1]
    assert report_on(record, a_result(val=right, test=right), ()).judged == "test"
    assert report_on(record, a_result(val=right), ()).judged == "val"
    assert report_on(record, a_result(), ()).judged is None


@pytest.mark.parametrize(("per_class", "num_notes"), [(49.0, 1), (50.0, 0)])
def test_a_first_look_is_told_and_where_images_are_few_noted(record: Record, per_class: float, num_notes: int) -> None:
    result = replace(a_result(val=[0, 0, 1, 1]), first_look=FirstLook(80, 90, 5, per_class))
    report = report_on(record, result, ())
    assert dict(report.summary)["First look"] == "88.89 % (95 % interval 80.74 to 93.85, n = 90)"
    found = [note for note in report.notes if "cross-validated score of 90 training images" in note]
    assert len(found) == num_notes
    assert all("With 49 training images a class, the 145 validation images say little." in note for note in found)


def test_images_that_are_in_no_score_are_noted(record: Record) -> None:
    result = replace(a_result(val=[0, 0, 1, 1], test=[0, 0, 1, 1]), num_trained_on={"val": 1, "test": 4, "other": 3})
    notes = [note for note in report_on(record, result, ()).notes if "not scored" in note]
    assert notes == result.notes_on_met_images()
    assert notes == [
        "val: 1 more image is not scored, because the weights were trained on it",
        "test: 4 more images are not scored, because the weights were trained on them",
    ]


def test_notes_are_warnings_missed_classes_and_files_that_were_ignored(record: Record) -> None:
    plain = report_on(record, a_result(test=[0, 0, 1, 1]), ()).notes
    assert plain == ["Training scores are means over each epoch on augmented images, so they can lie below validation."]
    odd = replace(record, warnings=("be wary",), data=replace(record.data, ignored_files=3))
    first, missed, ignored, last = report_on(odd, a_result(test=[0, 0, 0, 0]), ()).notes
    assert (first, last) == ("be wary", *plain)
    assert "finds 0 % of the 2 test images of 'b'" in missed
    assert "3 files" in ignored
