"""Studies go on where they were, whatever became of their runs; what they find is what the runs hold."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from tests.study.conftest import FakePlace

from resnetkit.errors import Code, ResnetkitError
from resnetkit.files import locked
from resnetkit.runs.folder import RunFolder
from resnetkit.study.findings import Findings
from resnetkit.study.running import report_study, run_study
from resnetkit.study.session import StudyListener
from resnetkit.study.study import Study


class Heard(StudyListener):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def message(self, text: str) -> None:
        self.texts.append(text)

    def warning(self, text: str) -> None:
        self.texts.append(f"warning: {text}")


def run(study: Study, out: Path, place: FakePlace, heard: Heard | None = None, **options: int) -> Findings:
    return run_study(study, out=out, place=place, listener=heard, **options)  # type: ignore[arg-type]


def standings(findings: Findings) -> list[str]:
    return [finding.standing for finding in findings.claims]


def test_all_runs_are_started_by_commands_a_person_would_type(
    two_arms: Study, place: FakePlace, tmp_path: Path
) -> None:
    heard = Heard()
    findings = run(two_arms, tmp_path / "study", place, heard)
    assert len(place.asked) == 6
    assert {command[:3] for command in place.asked} == {("resnetkit", "train", "digits")}
    assert all("runtime.threads=1" in command for command in place.asked)
    assert [command[command.index("--out") + 1].rpartition("-")[2] for command in place.asked] == list("001122")
    seeds = [word.removeprefix("seed=") for command in place.asked for word in command if word.startswith("seed=")]
    assert seeds == list("001122")
    assert not findings.to_do
    assert any(text.startswith("6 runs") for text in heard.texts)
    assert any("(6 of 6 runs" in text for text in heard.texts)
    # All runs are copies of one: nothing can be told apart, and the page says so.
    assert standings(findings) == ["not decided"] * 2
    page = findings.page.read_text()
    for words in ("Which is better?", "Not decided with this budget", "residual-seed-2/0001-run/report.html", "8.75"):
        assert words in page


def test_what_is_finished_is_not_repeated(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    first = run(two_arms, tmp_path / "study", place).as_values()
    place.asked.clear()
    assert run(two_arms, tmp_path / "study", place).as_values() == first
    assert run_study(tmp_path / "study", place=place).as_values() == first
    assert place.asked == []


def test_a_shipped_study_is_meant_by_its_name_whatever_folder_has_the_same(
    two_arms: Study, place: FakePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(two_arms, Path("degradation"), place)
    with pytest.raises(ResnetkitError, match="has no budget 'none'"):
        run_study("degradation", budget="none", place=place)
    assert run_study(Path("degradation"), place=place).record.study == two_arms


def test_an_unfinished_run_is_resumed_and_a_lost_one_begun_again(
    two_arms: Study, place: FakePlace, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    run(two_arms, out, place)
    place.asked.clear()
    half, lost = out / "plain-seed-1" / "0001-run", out / "plain-seed-2" / "0001-run"
    metrics = [line for line in (half / "metrics.jsonl").read_text().splitlines() if '"end"' not in line]
    (half / "metrics.jsonl").write_text("\n".join(metrics) + "\n")
    (lost / "recipe.json").unlink()
    lost.rename(lost.with_name("0000-run"))
    unfinished = report_study(out)
    assert [str(one.job) for one in unfinished.to_do] == ["plain, seed 1", "plain, seed 2"]
    assert standings(unfinished) == ["not yet", "not yet"]
    assert "2 of 6 runs are to come" in unfinished.page.read_text()
    heard = Heard()
    assert not run(two_arms, out, place, heard).to_do
    assert [command[2] for command in place.asked] == ["--resume", "digits"]
    assert any("passed over" in text and "0000-run" in text for text in heard.texts)


def test_to_diverge_is_a_result(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    place.ends = {("plain", seed): (5, 0.9) for seed in range(3)}
    place.ends |= {("residual", seed): (0, 0.1 + 0.01 * seed) for seed in range(3)}
    findings = run(two_arms, tmp_path / "study", place)
    plain = findings.arms[1]
    assert plain.num_diverged == 3
    assert plain.estimates["train_error"] is not None
    assert plain.estimates["train_error"].mean == pytest.approx(90)
    assert plain.estimates["seconds"] is None
    assert standings(findings)[0] == "same direction"
    assert "did not converge in 3 of 3 runs" in findings.page.read_text()
    place.asked.clear()
    run(two_arms, tmp_path / "study", place)
    assert place.asked == []


def test_what_runs_show_decides(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    place.ends = {("plain", seed): (0, 0.1 + 0.01 * seed) for seed in range(3)}
    place.ends |= {("residual", seed): (0, 0.3 + 0.012 * seed) for seed in range(3)}
    findings = run(two_arms, tmp_path / "study", place)
    assert standings(findings) == ["opposite", "not decided"]
    assert findings.claims[0].sentence == "Opposite of what is claimed, namely that skips lower the training error."
    assert "−20.20 points (95 % interval" in findings.claims[0].figures
    # The same with one seed decides nothing, though it is the same to look at.
    one = run(two_arms, tmp_path / "one", place, num_seeds=1)
    assert standings(one) == ["not decided"] * 2
    assert "nobody can tell how far chance goes" in one.claims[0].figures


def test_a_failed_run_is_told_of_and_tried_again(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    place.ends[("plain", 1)] = (7, 0.5)
    with pytest.raises(ResnetkitError, match=r"1 of 6 runs failed") as told:
        run(two_arms, tmp_path / "study", place)
    assert "plain, seed 1: exit code 7: some words / ended with 7" in str(told.value)
    place.ends.clear()
    assert not run(two_arms, tmp_path / "study", place).to_do


def test_a_damaged_run_is_told_of_and_left_alone(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    run(two_arms, tmp_path / "study", place)
    damaged = tmp_path / "study" / "plain-seed-0" / "0001-run" / "recipe.json"
    damaged.write_text("{")
    with pytest.raises(ResnetkitError, match=r"recipe.json is damaged"):
        run(two_arms, tmp_path / "study", place)
    assert [(str(one.job), one.status) for one in report_study(tmp_path / "study").to_do] == [
        ("plain, seed 0", "damaged")
    ]


def test_a_folder_keeps_to_its_study(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    out = tmp_path / "study"
    run(two_arms, out, place)
    with pytest.raises(ResnetkitError, match=r"another study") as told:
        run(two_arms, out, place, num_seeds=4)
    assert "budget.num_seeds" in str(told.value)
    with pytest.raises(ResnetkitError, match=r"study.question"):
        run(replace(two_arms, question="Why?"), out, place)
    with pytest.raises(ResnetkitError, match=r"goes on as it was started"):
        run_study(out, num_seeds=4, place=place)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(ResnetkitError, match=r"not empty"):
        run(two_arms, tmp_path / "full", place)
    with pytest.raises(ResnetkitError, match=r"no folder of a study"):
        report_study(tmp_path)
    record = out / "study.json"
    content = json.loads(record.read_text())
    content["budget"]["settings"]["epochs"] = 3
    record.write_text(json.dumps(content))
    with pytest.raises(ResnetkitError, match=r"was changed since"):
        report_study(out)


def test_a_study_goes_on_when_another_budget_is_written_beside_its_own(
    two_arms: Study, place: FakePlace, tmp_path: Path
) -> None:
    first = run(two_arms, tmp_path / "study", place).as_values()
    more = replace(two_arms, budgets=two_arms.budgets | {"hours": replace(two_arms.budgets["smoke"], num_seeds=9)})
    again = run_study(more, budget="smoke", out=tmp_path / "study", place=place)
    assert (again.as_values(), len(place.asked)) == (first, 6)


def test_a_folder_has_one_study_at_a_time(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    with locked(tmp_path / "study", if_taken=ResnetkitError(Code.USAGE, "mine")):
        with pytest.raises(ResnetkitError) as told:
            run(two_arms, tmp_path / "study", place)
        assert "another process" in str(told.value)
    assert place.asked == []


def test_runs_of_different_images_are_not_compared(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    run(two_arms, tmp_path / "study", place)
    file = tmp_path / "study" / "plain-seed-0" / "0001-run" / "recipe.json"
    content = json.loads(file.read_text())
    content["data"]["fingerprint"] = "0" * 64
    file.write_text(json.dumps(content))
    with pytest.raises(ResnetkitError, match=r"different images") as told:
        report_study(tmp_path / "study")
    assert told.value.code == Code.DATA


def test_a_wrong_study_starts_nothing(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    budget = replace(two_arms.budgets["smoke"], settings={"batch_size": 10**6})
    arms = (two_arms.arms[0], replace(two_arms.arms[1], settings={"optimizer.momentm": 1}))
    for wrong in (replace(two_arms, budgets={"smoke": budget}, arms=arms), replace(two_arms, arms=arms)):
        with pytest.raises(ResnetkitError, match=r"arm 'plain'"):
            run(wrong, tmp_path / "study", place)
    with pytest.raises(ResnetkitError):
        run_study(two_arms, data="no/such/folder", out=tmp_path / "study", place=place)
    assert place.asked == []
    assert not (tmp_path / "study").exists()


def test_other_data_are_told_of(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    findings = run(two_arms, tmp_path / "study", place)
    assert findings.remarks[0].startswith("The published figures are of CIFAR-10, these runs of digits")
    same = replace(two_arms, published_on="Digits")
    assert not any("figures are of" in text for text in run(same, tmp_path / "same", place).remarks)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_validation_error_is_said_to_have_chosen_epochs_only_where_it_has(
    two_arms: Study, place: FakePlace, tmp_path: Path, keep: Literal["best", "last"]
) -> None:
    untested = RunFolder(Path(shutil.copytree(place.run, tmp_path / "untested")))
    record = untested.read_record()
    untested.write_record(replace(record, recipe=replace(record.recipe, epochs=9, keep=keep)))
    events = untested.events()
    events[-1]["scores"].pop("test")
    untested.metrics_file.write_text("".join(json.dumps(event) + "\n" for event in events))
    place.run = untested.path
    (told,) = (text for text in run(two_arms, tmp_path / "study", place).remarks if "no test images" in text)
    assert ("which chose epochs too" in told) == (keep == "best")


def test_the_page_escapes_what_names_hold(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    hostile = replace(two_arms, title="<script>alert(1)</script>", question="a & b")
    page = run(hostile, tmp_path / "study", place).page.read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "src=" not in page


def test_its_folder_can_be_moved(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    run(two_arms, tmp_path / "study", place)
    shutil.move(tmp_path / "study", tmp_path / "moved")
    assert not report_study(tmp_path / "moved").to_do
