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


@dataclass(frozen=True)
class Check:
    """Something that an audit looks for.

    Attributes:
        title: names it in a sentence.
        look: gives what it finds; findings of nothing need not be given.
        finds: the names of all its findings, of which programs get the count, 0 too.
        needs_classifier: it asks for :attr:`~resnetkit.audit.subject.Subject.features`, and is left out, said so, where
            no classifier was given.
        with_classifier: names what it looks for only where one was given.
    """

    title: str
    look: Callable[[Subject], Iterable[Finding]]
    finds: tuple[str, ...]
    needs_classifier: bool = False
    with_classifier: str = ""

    def missed(self, *, has_classifier: bool) -> str:
        """The name of all that is not looked for; empty where nothing is missed."""
        return "" if has_classifier else self.title if self.needs_classifier else self.with_classifier


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
    "label_issues": Check("wrong labels", find_label_issues, ("label_issues",), needs_classifier=True),
    "odd_images": Check("odd images", find_odd_images, ("unreadable", *(oddity.name for oddity in ODDITIES))),
}
