"""The run before on the same data: found, compared on the images of both, and passed over where it says nothing."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.comparing.test_answers import answers_of as answers_for
from tests.html_page import Page
from tests.small_reports import answers_of, report_of

from resnetkit.comparing.answers import compare_answers
from resnetkit.comparing.sides import Side
from resnetkit.config import to_dict
from resnetkit.evaluation.answers import Answers, score_answers
from resnetkit.evaluation.paired import resampled_top1
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.previous import find_previous
from resnetkit.runs.record import Record
from resnetkit.runs.report import render_report

GOLDEN = Path(__file__).parents[1] / "golden" / "earlier_recipe.json"
NAMES = ("cat", "dog", "fish")


@pytest.fixture
def record(tmp_path: Path) -> Record:
    (tmp_path / "recipe.json").write_bytes(GOLDEN.read_bytes())
    return RunFolder(tmp_path).read_record()


def a_run(parent: Path, name: str, record: Record, answers: Answers | None) -> RunFolder:
    """The folder of a run; without answers it has not ended."""
    folder = RunFolder(parent / name)
    folder.path.mkdir(parents=True)
    folder.write_record(record)
    if answers is not None:
        folder.write_answers([answers])
        scores = score_answers(answers)
        folder.record("end", step=1, seconds=1.0, scores={"test": to_dict(scores)})
    return folder


def test_it_is_the_last_one_before_on_the_same_data(tmp_path: Path, record: Record) -> None:
    other = replace(record, data=replace(record.data, fingerprint="another"))
    answers = answers_of(NAMES, 50)
    for number, kind, given in ((1, record, answers), (2, record, answers), (3, record, None), (4, other, answers)):
        a_run(tmp_path / "runs", f"000{number}-run", kind, given)
    own, later = (a_run(tmp_path / "runs", f"000{number}-run", record, answers) for number in (5, 6))
    for folder, name in ((own, "0002-run"), (later, "0005-run")):
        found = find_previous(folder, record, answers)
        assert found is not None
        assert found.name == name
    assert find_previous(RunFolder(tmp_path / "runs" / "0001-run"), record, answers) is None


def test_only_images_that_count_for_both_are_compared(tmp_path: Path, record: Record) -> None:
    earlier, later = answers_of(NAMES, 80), answers_of(NAMES, 80, skill=4.0)
    earlier = replace(earlier, trained_on=np.arange(80) < 10)
    later = replace(later, trained_on=np.arange(80) >= 75).select(np.arange(80)[::-1])  # another order, too
    a_run(tmp_path / "runs", "0001-run", record, earlier)
    own = a_run(tmp_path / "runs", "0002-run", replace(record, recipe=replace(record.recipe, seed=7)), later)
    found = find_previous(own, own.read_record(), later)
    assert found is not None
    both = np.arange(10, 75)
    assert found.difference == resampled_top1(earlier.is_right[both], later.is_right[::-1][both])
    assert [(one.field, one.b) for one in found.changed] == [("seed", "7")]
    scores = score_answers(earlier)
    assert scores is not None
    assert found.scores == {"test": scores.top1}
    page = Page(render_report(replace(report_of(later), previous=found)))
    assert "previous" in page.sections
    assert f"On the 65 images that both were scored on, top-1 differs by {found.difference}" in page.text


def test_a_report_and_a_comparison_count_the_same_images(tmp_path: Path, record: Record) -> None:
    """With copies, the same picture under two classes, images that one lacks or was trained on, in another order."""
    random = np.random.default_rng(1)
    size = 60
    digests = np.arange(1, size + 1)
    digests[50:55] = digests[:5]  # copies
    labels = np.arange(size) % 3
    labels[50:53], labels[53:55] = labels[:3], (labels[3:5] + 1) % 3  # of which two are of another class
    first, second = (
        answers_for(labels.tolist(), random.integers(0, 3, size).tolist(), digests=digests.tolist()) for _ in range(2)
    )
    first = replace(first, trained_on=np.arange(size) == 20)
    order = random.permutation(size - 3)  # it lacks the last three
    second = second.select(order)
    a_run(tmp_path / "runs", "0001-run", record, first)
    own = a_run(tmp_path / "runs", "0002-run", record, second)
    previous = find_previous(own, record, second)
    (pair,) = compare_answers([Side("A", first), Side("B", second)]).pairs
    assert previous is not None
    assert previous.difference is not None
    found = previous.difference
    assert found.num_images == size - 5 - 2 - 1 - 3
    assert found == pair.top1
    assert previous.notes == (
        "the run before answered 3 more, which another did not",
        "1 that one was trained on are left out",
        "3 copies count once",
        "2 with two different classes are left out",
    )


def test_without_common_images_and_changes_it_says_so(tmp_path: Path, record: Record) -> None:
    earlier = answers_of(NAMES, 20)
    earlier = replace(earlier, digests=earlier.digests + np.uint64(1000))
    a_run(tmp_path / "runs", "0001-run", record, earlier)
    own = a_run(tmp_path / "runs", "0002-run", record, answers_of(NAMES, 20))
    found = find_previous(own, record, answers_of(NAMES, 20))
    assert found is not None
    assert found.difference is None
    page = Page(render_report(replace(report_of(earlier), previous=found)))
    assert "They have no image in common" in page.text
    assert "Nothing has changed that either run wrote down" in page.text


def test_a_run_is_not_before_itself(tmp_path: Path, record: Record) -> None:
    """As it would be by a link that someone made to the best of their runs."""
    answers = answers_of(NAMES, 20)
    own = a_run(tmp_path / "runs", "0002-run", record, answers)
    (tmp_path / "runs" / "0001-best").symlink_to(own.path)
    assert find_previous(own, record, answers) is None


def test_a_damaged_run_is_passed_over(tmp_path: Path, record: Record) -> None:
    answers = answers_of(NAMES, 20)
    a_run(tmp_path / "runs", "0001-run", record, answers)
    (a_run(tmp_path / "runs", "0002-run", record, answers).recipe_file).write_text("{")
    (a_run(tmp_path / "runs", "0003-run", record, answers).answers_file).write_bytes(b"no archive")
    own = a_run(tmp_path / "runs", "0004-run", record, answers)
    found = find_previous(own, record, answers)
    assert found is not None
    assert found.name == "0001-run"
    assert json.loads(own.recipe_file.read_text())


def test_a_run_that_is_not_ours_to_read_is_passed_over(
    tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("0001-a", "0002-b"):
        a_run(tmp_path, name, record, None)
    read = RunFolder.read_record

    def refused(folder: RunFolder) -> Record:
        if folder.path.name == "0001-a":
            raise PermissionError(13, "Permission denied")
        return read(folder)

    monkeypatch.setattr(RunFolder, "read_record", refused)
    assert find_previous(RunFolder(tmp_path / "0002-b"), record, None) is None


def test_answers_that_are_selected_keep_what_belongs_to_each() -> None:
    whole = replace(answers_of(NAMES, 4), familiarity=np.arange(4, dtype=np.float32))
    chosen = whole.select(np.array([3, 1])).familiarity
    assert chosen is not None
    assert chosen.tolist() == [3, 1]
