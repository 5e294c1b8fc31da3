"""Scores with and without what was found: by the answers that a run has kept, or that a classifier gives now."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.audit.altered import picture, save, write_photos

from resnetkit.audit.auditing import Audit, audit_data
from resnetkit.audit.consequences import ALL, find_answers, weigh_findings
from resnetkit.audit.findings import Finding, Mark
from resnetkit.evaluation.answers import Answers
from resnetkit.runs.folder import RunFolder
from resnetkit.sources.locate import locate_weights


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    folder = write_photos(tmp_path_factory.mktemp("photos"))
    save(picture(4), folder / "val/cat/leak.png")
    save(picture(1000), folder / "val/dog/conflict.png")
    return audit_data(str(folder))


def answers_of(audit: Audit, wrong: set[str], *, trained_on: set[str] = frozenset()) -> Answers:
    """Answers for val: right but for some images."""
    rows = audit.subject.rows_of("val")
    names = [audit.subject.identifiers[row] for row in rows]
    labels = audit.subject.labels[rows]
    is_wrong = np.array([Path(name).name in wrong for name in names])
    probabilities = np.eye(2, dtype=np.float32)[np.where(is_wrong, 1 - labels, labels)]
    old = np.array([Path(name).name in trained_on for name in names])
    return Answers("val", ("cat", "dog"), names, audit.subject.digests[rows], labels, old, probabilities)


def test_scores_are_of_all_of_these_and_of_the_others(audit: Audit) -> None:
    answers = answers_of(audit, {"conflict.png", "1001.png", "1003.png"})
    found = {one.finding: one for one in weigh_findings(audit.subject, audit.findings, {"val": answers})}
    assert set(found) == {"leaks", "conflicts", ALL}
    assert {(one.split, one.whole.correct, one.whole.num_images) for one in found.values()} == {("val", 11, 14)}
    leaks, conflicts, both = found["leaks"], found["conflicts"], found[ALL]
    assert (leaks.of_these.correct, leaks.of_these.num_images) == (1, 1)
    assert leaks.without is not None
    assert (leaks.without.correct, leaks.without.num_images) == (10, 13)
    assert (conflicts.of_these.correct, conflicts.of_these.num_images) == (1, 2), "both images of the picture"
    assert both.without is not None
    assert (both.without.correct, both.without.num_images) == (9, 11)


def test_images_that_were_trained_on_are_leaks_too(audit: Audit) -> None:
    answers = answers_of(audit, set(), trained_on={"1005.png"})
    found = {one.finding: one for one in weigh_findings(audit.subject, audit.findings, {"val": answers})}
    assert found["leaks"].of_these.num_images == 2


def test_nothing_is_weighed_where_nothing_was_found(audit: Audit) -> None:
    assert weigh_findings(audit.subject, (), {"val": answers_of(audit, set())}) == ()


def test_there_may_be_no_others(audit: Audit) -> None:
    answers = answers_of(audit, set(), trained_on={Path(name).name for name in audit.subject.identifiers})
    found = weigh_findings(audit.subject, (), {"val": answers})
    assert [one.without for one in found] == [None]
    assert "there are no others" in str(found[0])


def test_doubtful_labels_are_said_to_be_chosen(audit: Audit) -> None:
    leaks = next(finding for finding in audit.findings if finding.name == "leaks")
    (found,) = weigh_findings(audit.subject, [replace(leaks, name="label_issues")], {"val": answers_of(audit, set())})
    assert "owed to the choice" in str(found)


def test_doubtful_labels_among_others_are_said_to_be_chosen_too(audit: Audit) -> None:
    leaks = next(finding for finding in audit.findings if finding.name == "leaks")
    findings = [*audit.findings, replace(leaks, name="label_issues")]
    found = weigh_findings(audit.subject, findings, {"val": answers_of(audit, set())})
    chosen = {one.finding for one in found if "owed to the choice" in str(one)}
    assert chosen == {"label_issues", ALL}
    assert {one.finding for one in found} == {"leaks", "conflicts", "label_issues", ALL}


def test_an_image_that_is_in_a_later_split_too_is_no_leak_of_its_own(tmp_path: Path) -> None:
    folder = write_photos(tmp_path)
    save(picture(1000), folder / "test/cat/leak.png")
    audit = audit_data(str(folder))
    assert audit.counts["leaks"] == 1
    val = answers_of(audit, set())
    assert weigh_findings(audit.subject, audit.findings, {"val": val}) == ()
    (found,) = weigh_findings(audit.subject, audit.findings, {"test": val})
    assert (found.split, found.of_these.num_images) == ("test", 1)


def test_a_run_says_what_it_has_kept(pretrained: Path) -> None:
    """The first fifty test images of digits, put beside themselves among the training images."""
    kept = RunFolder(pretrained).read_answers()["test"]
    audit = audit_data("digits", judged=locate_weights(str(pretrained)))
    assert not audit.remarks
    marks = tuple(Mark(int(row)) for row in audit.subject.rows_of("test")[:50])
    leaks = Finding("leaks", "error", "", len(marks), "", marks=marks)
    (found,) = weigh_findings(audit.subject, [leaks], {"test": kept})
    assert found.whole.num_images == len(kept)
    assert found.of_these.num_images == 50


def test_a_classifier_answers_now_as_its_run_did(pretrained: Path, tmp_path: Path) -> None:
    audit = audit_data("digits")
    file = RunFolder(pretrained).classifier_file
    answers, why_not = find_answers(audit.subject, locate_weights(str(file)))
    kept = RunFolder(pretrained).read_answers()
    assert not why_not
    assert {name: own.predicted.tolist() for name, own in answers.items()} == {
        name: own.predicted.tolist() for name, own in kept.items()
    }


def test_a_classifier_of_other_classes_has_no_score(audit: Audit, pretrained: Path) -> None:
    folder = audit.subject.source.root
    judged = audit_data(str(folder), judged=locate_weights(str(RunFolder(pretrained).classifier_file)))
    assert judged.consequences == ()
    assert "the classes of the data are not the classifier's" in judged.remarks[0]
    told = audit_data(str(folder), judged=locate_weights(str(pretrained)))
    assert "of other images" in told.remarks[0]
    assert told.as_dict()["remarks"] == list(told.remarks)
