"""Findings of an audit as values: what was found, how bad it is, and the images it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from resnetkit.images.types import BadImage

# error: scores or labels cannot be trusted; warning: worth a look before training; info: good to know.
Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Mark:
    """An image that a finding is about, or a pair of them.

    Attributes:
        row: of the image in the :class:`~resnetkit.audit.subject.Subject`.
        other: row of the image that it is compared with; None where it stands alone.
        note: tells what is the matter with it, in a few words.
        score: puts the marks of a finding in order, the highest first; None where there is none.
        suggested: position of the class that it looks to be of; None where nothing is suggested.
    """

    row: int
    other: int | None = None
    note: str = ""
    score: float | None = None
    suggested: int | None = None


@dataclass(frozen=True)
class Finding:
    """One kind of thing that was found.

    Attributes:
        name: ``num_`` and this is the count's name for programs.
        count: of images, pictures or classes, as the sentence says.
        sentence: tells what was found.
        advice: tells what training makes of it, and what to do.
        marks: the images it is about, the most telling first.
        unread: files it is about that cannot be read.
    """

    name: str
    severity: Severity
    title: str
    count: int
    sentence: str
    advice: str = ""
    marks: tuple[Mark, ...] = ()
    unread: tuple[BadImage, ...] = ()


def worst_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The same findings, those that matter most first, else in their order.

    >>> info, error = Finding("a", "info", "", 1, ""), Finding("b", "error", "", 1, "")
    >>> [finding.name for finding in worst_first([info, error])]
    ['b', 'a']
    """
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
