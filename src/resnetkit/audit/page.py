"""One self-contained HTML page about an audit, written while its pictures are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from resnetkit.audit.auditing import Audit
from resnetkit.audit.findings import Finding, Mark
from resnetkit.audit.subject import Subject
from resnetkit.errors import ResnetkitError
from resnetkit.images.types import BadImage
from resnetkit.pages.raster import photo_image
from resnetkit.pages.templates import stream_template

# Of each finding; so that a page stays below 15 MB, whatever the data. All are in the table beside it.
SHOWN_MARKS, SHOWN_PATHS, SHOWN_UNREAD = 20, 1000, 50
PICTURE_PX = 192


@dataclass(frozen=True)
class ShownImage:
    """An image on the page."""

    picture: Markup
    class_name: str
    split: str
    path: str


@dataclass(frozen=True)
class Card:
    """An image that a finding is about, or a pair."""

    one: ShownImage
    other: ShownImage | None
    note: str


@dataclass(frozen=True)
class Section:
    """One finding on the page; its pictures are read when the page comes to them."""

    subject: Subject
    finding: Finding

    @property
    def cards(self) -> list[Card]:
        """The first images or pairs."""
        return [_card(self.subject, mark) for mark in self.finding.marks[:SHOWN_MARKS]]

    @property
    def has_pairs(self) -> bool:
        """True where two images stand side by side."""
        return any(mark.other is not None for mark in self.finding.marks)

    @property
    def num_more(self) -> int:
        """Number of images or pairs that are not shown."""
        return max(0, len(self.finding.marks) - SHOWN_MARKS) + max(0, len(self.finding.unread) - SHOWN_UNREAD)

    @property
    def paths(self) -> list[str]:
        """The paths of the first images, to be copied."""
        return [self.subject.identifiers[mark.row] for mark in self.finding.marks[:SHOWN_PATHS]]

    @property
    def unread(self) -> Sequence[BadImage]:
        """The first files that cannot be read."""
        return self.finding.unread[:SHOWN_UNREAD]


def render_page(audit: Audit, command: str, table: str) -> Iterator[str]:
    """Yield the page piece by piece. All names in it are escaped.

    Args:
        table: the name of the file that has all images of all findings.
    """
    subject = audit.subject
    sizes = ", ".join(f"{name} {len(subject.rows_of(name)):,}" for name in subject.split_names)
    facts = [("images", sizes), ("classes", f"{len(subject.class_names):,}")]
    left_out = [f"Not looked for: {name}. That needs {needed}." for name, needed in audit.left_out.items()]
    return stream_template(
        "audit/audit.html.jinja",
        title=subject.source.name,
        facts=facts,
        notes=[*subject.source.notes, *left_out, *audit.remarks],
        consequences=audit.consequences,
        sections=[Section(subject, finding) for finding in audit.findings],
        command=command,
        table=table,
    )


def _card(subject: Subject, mark: Mark) -> Card:
    other = None if mark.other is None else _shown(subject, mark.other)
    return Card(_shown(subject, mark.row), other, mark.note)


def _shown(subject: Subject, row: int) -> ShownImage:
    path = subject.identifiers[row]
    return ShownImage(_picture(subject, row), subject.class_of(row), subject.split_of(row), path)


def _picture(subject: Subject, row: int) -> Markup:
    """An ``<img>`` that holds the image; a word in its place where its file is gone since."""
    try:
        pixels = subject.picture(row, PICTURE_PX)
    except ResnetkitError:
        return Markup("<p>no longer readable</p>")
    return photo_image(pixels, subject.identifiers[row])
