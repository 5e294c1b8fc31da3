"""Audit of data: every check of the table, run on images that are looked at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from resnetkit.audit.checks import CHECKS
from resnetkit.audit.consequences import Consequence, find_answers, weigh_findings
from resnetkit.audit.feature_judge import FeatureJudge
from resnetkit.audit.findings import Finding, Mark, Severity, worst_first
from resnetkit.audit.subject import FindEmbedder, FindLabelJudge, Subject, open_subject
from resnetkit.data.given import GivenData
from resnetkit.data.source import DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.sources.locate import Located
from resnetkit.sources.weights import Embedder


@dataclass(frozen=True)
class Audit:
    """All that an audit found.

    Attributes:
        findings: those that matter most first.
        counts: by name of a finding, 0 too.
        left_out: names of what was not looked for, each with what that needs.
        consequences: of findings for the score of the run or classifier that was given.
        remarks: sentences on what could not be told.
    """

    subject: Subject
    findings: tuple[Finding, ...]
    counts: dict[str, int]
    left_out: Mapping[str, str] = field(default_factory=dict)
    consequences: tuple[Consequence, ...] = ()
    remarks: tuple[str, ...] = ()

    def of_severity(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        subject = self.subject
        return {
            "data": subject.source.spec.source,
            "class_names": list(subject.class_names),
            "num_images": {name: len(subject.rows_of(name)) for name in subject.split_names},
            **{f"num_{name}": count for name, count in self.counts.items()},
            "left_out": list(self.left_out),
            "scores": [consequence.as_dict() for consequence in self.consequences],
            "remarks": list(self.remarks),
            "findings": [self._as_dict(finding) for finding in self.findings],
        }

    def _as_dict(self, finding: Finding) -> dict[str, Any]:
        return {
            "name": finding.name,
            "severity": finding.severity,
            "count": finding.count,
            "sentence": finding.sentence,
            "advice": finding.advice,
            "images": [_marked(self.subject, mark) for mark in finding.marks],
            "unread": [{"path": bad.path, "reason": bad.reason} for bad in finding.unread],
        }


def audit_data(
    data: str | DataSpec | GivenData,
    *,
    embedder: Embedder | FindEmbedder | None = None,
    find_judge: FindLabelJudge | None = None,
    judged: Located | None = None,
    on_opened: Callable[[DataSource], None] = lambda source: None,
    progress: bool = False,
) -> Audit:
    """Look at all images of some data, and tell what is the matter with them. Nothing of them is changed.

    Args:
        data: name of a data set, path of an image folder, how to find and split either, or images at hand.
        embedder: the network for the checks that go by what images show, or who finds one for the data, as
            :func:`~resnetkit.audit.weights_at_hand.embedder_at_hand` does; None: they are left out.
        find_judge: finds who judges the labels of the data in place of the embedder, as
            :func:`~resnetkit.audit.trained_judge.judge_by_training` does.
        judged: the run or classifier whose score is told with the images that were found, and without.
        on_opened: called with the data before any image is looked at, and may refuse them.

    Raises:
        ResnetkitError: where there is no such data, or none of it can be read.
    """
    given = data if isinstance(data, GivenData) else None
    spec = data.spec if isinstance(data, GivenData) else DataSpec(data) if isinstance(data, str) else data
    subject = open_subject(spec, embedder, find_judge, given=given, on_opened=on_opened, progress=progress)
    if subject.label_judge is None and subject.embedder is not None:
        subject = replace(subject, label_judge=FeatureJudge())
    run = {name: check for name, check in CHECKS.items() if subject.label_judge is not None or not check.needs_judge}
    found = [finding for check in run.values() for finding in check.look(subject)]
    counts = {name: 0 for check in run.values() for name in check.finds}
    counts |= {finding.name: finding.count for finding in found}
    left_out = dict(filter(None, (check.missed(subject) for check in CHECKS.values())))
    audit = Audit(subject, worst_first(found), counts, left_out)
    if judged is None:
        return audit
    answers, why_not = find_answers(subject, judged)
    remarks = (f"no score of {judged.text} without what was found: {why_not}",) if why_not else ()
    return replace(audit, consequences=weigh_findings(subject, audit.findings, answers), remarks=remarks)


def _marked(subject: Subject, mark: Mark) -> dict[str, Any]:
    """An image, or a pair of them, as JSON-ready values."""
    known = {**_image(subject, mark.row), "note": mark.note, "score": mark.score}
    if mark.suggested is not None:
        known["suggested"] = subject.class_names[mark.suggested]
    return known if mark.other is None else {**known, "other": _image(subject, mark.other)}


def _image(subject: Subject, row: int) -> dict[str, str]:
    return {"path": subject.identifiers[row], "split": subject.split_of(row), "class": subject.class_of(row)}
