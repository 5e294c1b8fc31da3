"""Checks of an audit, as a table: each is a function from the subject to what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from resnetkit.audit.classes import find_uneven_classes
from resnetkit.audit.copy_findings import look_for_copies
from resnetkit.audit.findings import Finding
from resnetkit.audit.label_issues import find_label_issues
from resnetkit.audit.oddities import ODDITIES, find_odd_images
from resnetkit.audit.shortcuts import find_shortcuts
from resnetkit.audit.subject import Subject
from resnetkit.pages.formatting import counted

A_NETWORK = "a network that knows such images (--classifier)"
NETWORKS = f"{A_NETWORK}, or some that are trained for it (--train)"
OTHERS = "enough other images of their classes, and of another class"


@dataclass(frozen=True)
class Check:
    """Something that an audit looks for.

    Attributes:
        title: names it in a sentence.
        look: gives what it finds; findings of nothing need not be given.
        finds: the names of all its findings, of which programs get the count, 0 too.
        needs_judge: it asks for :attr:`~resnetkit.audit.subject.Subject.judgement`, and is left out, said so, where
            nobody judges labels, and for images that could not be judged.
        with_classifier: names what it looks for only where a classifier was given, among
            :attr:`~resnetkit.audit.subject.Subject.is_laid_over`.
    """

    title: str
    look: Callable[[Subject], Iterable[Finding]]
    finds: tuple[str, ...]
    needs_judge: bool = False
    with_classifier: str = ""

    def missed(self, subject: Subject) -> tuple[str, str] | None:
        """The name of what is not looked for, and what that needs; None where nothing is missed."""
        if self.needs_judge:
            return (self.title, NETWORKS) if subject.label_judge is None else self._unjudged(subject)
        is_missed = self.with_classifier and subject.embedder is None and subject.is_laid_over.any()
        return (self.with_classifier, A_NETWORK) if is_missed else None

    def _unjudged(self, subject: Subject) -> tuple[str, str] | None:
        number = int((~subject.judgement.is_judged).sum())
        return (f"{self.title} of {counted(number, 'image')}", OTHERS) if number else None


CHECKS: dict[str, Check] = {
    "copies": Check(
        "copies of images",
        look_for_copies,
        ("leaks", "conflicts", "duplicates", "near_duplicates"),
        with_classifier="copies of which more than 5 % was cut off",
    ),
    "classes": Check(
        "sizes of classes",
        find_uneven_classes,
        ("rare_classes", "small_classes", "absent_from_val", "absent_from_test"),
    ),
    "shortcuts": Check("shortcuts", find_shortcuts, ("shortcuts", "weak_shortcuts", "background_shortcuts")),
    "label_issues": Check("wrong labels", find_label_issues, ("label_issues",), needs_judge=True),
    "odd_images": Check("odd images", find_odd_images, ("unreadable", *(oddity.name for oddity in ODDITIES))),
}
