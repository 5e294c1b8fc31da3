"""Labels that are probably wrong, as an audit with a classifier finds them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.audit.altered import picture, save
from tests.audit.flipped import NUM_CLASSES, Flipped, flipped_digits

from resnetkit.audit.auditing import Audit, audit_data
from resnetkit.audit.findings import Finding
from resnetkit.audit.label_issues import COLUMNS
from resnetkit.audit.writing import LABELS, write_audit
from resnetkit.data.given import GivenData
from resnetkit.data.spec import DataSpec
from resnetkit.sources.weights import open_embedder


@pytest.fixture(scope="module")
def digits() -> Flipped:
    return flipped_digits(45, num_images=900)


def audit_of(digits: Flipped, run: Path | None, *, has_met_them: bool = False) -> Audit:
    embedder = None if run is None else open_embedder(str(run))
    if embedder is not None and not has_met_them:
        embedder = replace(embedder, seen=None)
    names = tuple(map(str, range(NUM_CLASSES)))
    return audit_data(GivenData(digits.images, digits.labels, names), embedder=embedder)


def issues_of(audit: Audit) -> Finding:
    (finding,) = (one for one in audit.findings if one.name == "label_issues")
    return finding


@pytest.fixture(scope="module")
def audit(digits: Flipped, pretrained: Path) -> Audit:
    return audit_of(digits, pretrained)


def is_wrong(audit: Audit, digits: Flipped, row: int) -> bool:
    """Tell whether the label of a row of the audit is one that was changed; rows are in the order of splits."""
    return bool(digits.is_wrong[int(audit.subject.identifiers[row])])


def test_most_of_the_first_are_wrong(audit: Audit, digits: Flipped) -> None:
    assert not any("labels" in name for name in audit.left_out), "all were judged"
    first = [is_wrong(audit, digits, mark.row) for mark in issues_of(audit).marks[:20]]
    assert np.mean(first) > 0.8


def test_programs_get_labels_and_suggestions(audit: Audit, digits: Flipped) -> None:
    found = audit.as_dict()
    (told,) = (finding for finding in found["findings"] if finding["name"] == "label_issues")
    assert found["num_label_issues"] == told["count"] == len(told["images"]) > 20
    assert all(image["class"] == str(digits.labels[int(image["path"])]) for image in told["images"])
    is_true = [image["suggested"] == str(digits.true[int(image["path"])]) for image in told["images"][:20]]
    assert np.mean(is_true) > 0.7
    scores = [image["score"] for image in told["images"]]
    assert scores == sorted(scores, reverse=True)
    json.dumps(found)


def test_a_table_ranks_every_label(audit: Audit, digits: Flipped, tmp_path: Path) -> None:
    folder = write_audit(audit, tmp_path / "audit", "resnetkit audit")
    with open(folder / LABELS, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(digits.labels)
    probabilities = [float(row["label_probability"]) for row in rows]
    assert probabilities == sorted(probabilities)
    assert np.mean([digits.is_wrong[int(row["path"])] for row in rows[:45]]) > 0.5
    assert sum(row["is_suspect"] == "true" for row in rows) == issues_of(audit).count
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Labels that are probably wrong" in page
    assert ", rather" in page


def test_images_that_the_network_was_trained_on_are_counted(digits: Flipped, pretrained: Path, audit: Audit) -> None:
    embedder = open_embedder(str(pretrained))
    assert embedder.seen is not None
    told = audit_of(digits, pretrained, has_met_them=True)
    number = int(embedder.seen.trained_on(told.subject.digests).sum())
    assert number > 400
    assert f"trained on {number:,} of these {len(digits.labels):,} images" in issues_of(told).advice
    assert "trained on" not in issues_of(audit).advice


def test_without_a_classifier_they_are_not_looked_for(digits: Flipped, tmp_path: Path) -> None:
    audit = audit_of(digits, None)
    assert "wrong labels" in audit.left_out
    assert "num_label_issues" not in audit.as_dict()
    assert not (write_audit(audit, tmp_path / "audit", "resnetkit audit") / LABELS).exists()


def test_how_many_could_not_be_judged_is_told(pretrained: Path) -> None:
    """Else a count of 0 would say that none of their labels is wrong."""
    few = audit_of(flipped_digits(0, num_images=30), pretrained)
    assert few.counts["label_issues"] == 0
    assert "enough other images of their classes" in few.left_out["wrong labels of 30 images"]
    assert "wrong labels of 30 images" in few.as_dict()["left_out"]


def test_images_of_one_object_or_picture_do_not_confirm_each_other(tmp_path: Path) -> None:
    """They are one set, which no fold of any check divides: as groups say it, and as copies are found."""
    for number in range(6):
        name, split = f"thing{number // 2}_{number}", ("train", "val")[number % 2]
        save(picture(number), tmp_path / split / "ab"[number < 2] / f"{name}.png")
    save(picture(5), tmp_path / "train" / "a" / "thing9_0.jpg", quality=70)  # of what thing2_5 in val shows
    spec = DataSpec(str(tmp_path), group_by=r"([^/_]+)_\d+")
    subject = audit_data(spec).subject
    sets = dict(zip((Path(name).stem for name in subject.identifiers), subject.sets.tolist(), strict=True))
    assert sets["thing0_0"] == sets["thing0_1"] != sets["thing1_2"] == sets["thing1_3"]
    assert sets["thing2_4"] == sets["thing2_5"] == sets["thing9_0"] != sets["thing1_2"]
