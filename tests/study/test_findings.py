"""What is concluded is true of the runs: their readings, the runs that are paired, and every word of a sentence."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.study.conftest import FakePlace

from resnetkit.runs.folder import RunFolder
from resnetkit.study.findings import ClaimFinding
from resnetkit.study.outcomes import Outcome, errors_by_image, read_outcome, read_value
from resnetkit.study.plan import Job
from resnetkit.study.reading_words import estimate_words
from resnetkit.study.running import report_study, run_study
from resnetkit.study.study import Claim, Study
from resnetkit.study.verdict import estimate_mean


@pytest.fixture
def outcome(pretrained: Path) -> Outcome:
    """A finished run as that of a study."""
    return read_outcome(Job("arm", 0, pretrained.parent, ()))


def test_readings_are_those_of_the_run(outcome: Outcome) -> None:
    assert outcome.result is not None
    scores = outcome.result.scores
    assert scores["test"].top1.value != scores["val"].top1.value
    assert read_value(outcome, "test_error") == pytest.approx(100 - 100 * scores["test"].top1.value)
    assert read_value(outcome, "val_error") == pytest.approx(100 - 100 * scores["val"].top1.value)
    assert read_value(outcome, "seconds") == outcome.result.seconds
    assert outcome.guess_error == pytest.approx(90)


def test_the_training_error_is_that_of_the_last_epoch(pretrained: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "arm-seed-0" / "0001-run")
    run.path.mkdir(parents=True)
    run.recipe_file.write_bytes(RunFolder(pretrained).recipe_file.read_bytes())
    run.answers_file.write_bytes(RunFolder(pretrained).answers_file.read_bytes())
    events = RunFolder(pretrained).events()
    first = next(event for event in events if event["event"] == "epoch") | {"train_top1": 0.01}
    run.metrics_file.write_text("".join(json.dumps(event) + "\n" for event in [first, *events]))
    last = RunFolder(pretrained).events("epoch")[-1]["train_top1"]
    value = read_value(read_outcome(Job("arm", 0, tmp_path / "arm-seed-0", ())), "train_error")
    assert value == pytest.approx(100 - 100 * last)


def test_errors_by_image_are_those_of_the_scores(outcome: Outcome) -> None:
    errors = errors_by_image([outcome, outcome])
    assert outcome.judged is not None
    assert errors is not None
    assert errors.mean() == pytest.approx(read_value(outcome, "test_error"))
    seen = np.zeros(len(outcome.judged), dtype=bool)
    seen[:9] = True
    other = replace(outcome, judged=replace(outcome.judged, trained_on=seen))
    assert errors_by_image([outcome, other]) == pytest.approx(errors[9:])
    diverged = replace(outcome, status="diverged", result=None, judged=None)
    assert errors_by_image([outcome, diverged]) == pytest.approx((errors + 90) / 2)


def conclude(
    study: Study, place: FakePlace, out: Path, errors: dict[str, Sequence[float]], claim: Claim, run: Sequence[str] = ()
) -> ClaimFinding:
    """The finding on a claim from these training errors, in percent, by arm and seed; ``run``: of some arms only."""
    place.ends = {(arm, i): (0, error / 100) for arm, own in errors.items() for i, error in enumerate(own)}
    arms = tuple(replace(study.arms[0], name=name, panel="") for name in errors)
    budgets = {"smoke": replace(study.budgets["smoke"], arms=tuple(run))}
    (found,) = run_study(replace(study, arms=arms, claims=(claim,), budgets=budgets), out=out, place=place).claims
    return found


def test_runs_of_one_seed_are_paired_in_the_order_of_the_claim(
    two_arms: Study, place: FakePlace, tmp_path: Path
) -> None:
    errors = {"plain": [32.0, 11.0, 24.5], "residual": [30.0, 10.0, 22.0]}
    found = conclude(two_arms, place, tmp_path / "study", errors, two_arms.claims[0])
    assert found.difference is not None
    theirs = stats.ttest_rel(errors["plain"], errors["residual"])
    assert found.difference.p_value == pytest.approx(theirs.pvalue)
    assert found.difference.value == pytest.approx(11 / 6)
    assert found.difference.num_seeds == 3
    assert found.figures.startswith("training error of plain minus that of residual: +1.83 points")


def test_a_trend_that_falls_between_two_arms_is_told(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    errors = {"one": [10.0, 11.0, 12.0], "two": [30.0, 31.0, 32.5], "three": [25.0, 26.5, 27.0]}
    claim = Claim("errors rise", ("one", "two", "three"), "train_error")
    study = replace(two_arms, source="a paper, Table 1")
    found = conclude(study, place, tmp_path / "study", errors, claim)
    assert found.sentence == "Same direction as the paper: errors rise."
    assert found.figures.endswith("3 seeds; yet two is above three")
    found = conclude(study, place, tmp_path / "some", errors, claim, ["one", "two"])
    assert found.figures.endswith("; without three, not run with this budget")
    found = conclude(study, place, tmp_path / "one", errors, claim, ["one"])
    assert found.sentence == "Not asked with this budget: whether errors rise."


def test_claims_that_cannot_be_decided_yet_count_among_those_that_are_tested(
    two_arms: Study, place: FakePlace, tmp_path: Path
) -> None:
    """A ruling must not be taken back when the others have come to their end."""
    place.ends = {("plain", i): (0, 0.6 + 0.05 * i) for i in range(3)} | {("last", i): (7, 0.5) for i in range(3)}
    claims = [
        replace(two_arms.claims[0], says=f"{name} is worse", ascending=("residual", name)) for name in ("plain", "last")
    ]
    last = replace(two_arms.arms[1], name="last")
    study = replace(two_arms, arms=(*two_arms.arms, last), claims=tuple(claims))
    with pytest.raises(Exception, match="3 of 9 runs failed"):
        run_study(study, out=tmp_path / "study", place=place)
    found = report_study(tmp_path / "study").claims
    assert found[0].difference is not None
    assert found[0].difference.p_value is not None
    assert 0.025 < found[0].difference.p_value < 0.05
    assert [one.standing for one in found] == ["not decided", "not yet"]
    assert "too little for 2" in found[0].figures
    # A claim that this budget does not ask is not among them.
    budget = replace(two_arms.budgets["smoke"], arms=("residual", "plain"))
    asked = run_study(replace(study, budgets={"smoke": budget}), out=tmp_path / "asked", place=place).claims
    assert [one.standing for one in asked] == ["same direction", "not asked"]


def test_what_claims_compare_is_in_the_table_too(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    study = replace(two_arms, readings=("seconds",))
    findings = run_study(study, out=tmp_path / "study", place=place)
    assert list(findings.arms[0].estimates) == ["seconds", "train_error", "test_error"]


def test_tables_have_half_of_the_interval() -> None:
    one = estimate_mean([8.0, 9.0, 10.0])
    assert estimate_words("test_error", one).replace("\N{NO-BREAK SPACE}", " ") == "9.00 ± 2.48 %"


def test_a_run_without_its_answers_is_damaged(two_arms: Study, place: FakePlace, tmp_path: Path) -> None:
    run_study(two_arms, out=tmp_path / "study", place=place)
    (tmp_path / "study" / "plain-seed-1" / "0001-run" / "answers.npz").write_bytes(b"PK")
    findings = report_study(tmp_path / "study")
    assert [(str(one.job), one.status) for one in findings.to_do] == [("plain, seed 1", "damaged")]
    assert "answers.npz" in findings.to_do[0].reason
    assert {finding.standing for finding in findings.claims} == {"not yet"}
