"""Odd images: such as hardly show anything, are far from the others in size, or are not read as they are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resnetkit.audit.findings import Finding, Mark, Severity
from resnetkit.audit.subject import Subject
from resnetkit.images.file_traits import FileTraits

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

BLANK_LEVELS = 2  # between the darkest and the brightest of a thumbnail
DARK_LEVEL, BRIGHT_LEVEL = 32, 239  # nearly all of the image is below, or above
NEARLY_ALL = 95  # percent
FAINT_SPREAD = 8.0  # standard deviation in grey levels
SMALL_SHARE = 0.25  # of the median of the shorter sides
LONG_RATIO, LONGER_THAN_MOST = 3.0, 2.0  # of the sides, and times that of the usual image


@dataclass(frozen=True)
class Oddity:
    """A way in which images can be odd.

    Attributes:
        tells: how one is, and several are, completing "1 image …" and "7 images …".
        advice: what training makes of them.
        find: by row, how odd an image is, from 0 (not at all) on; the oddest are shown first.
        note: says of one image what it has.
    """

    name: str
    severity: Severity
    title: str
    tells: tuple[str, str]
    advice: str
    find: Callable[[Subject], Numbers]
    note: Callable[[Subject, int], str]

    def look(self, subject: Subject) -> Finding:
        """The finding of all images that are odd in this way."""
        odd = self.find(subject)
        rows = np.flatnonzero(odd > 0)
        order = rows[np.argsort(-odd[rows], kind="stable")].tolist()
        count = len(order)
        sentence = f"1 image {self.tells[0]}" if count == 1 else f"{count:,} images {self.tells[1]}"
        marks = tuple(Mark(row, None, self.note(subject, row), float(odd[row])) for row in order)
        return Finding(self.name, self.severity, self.title, count, sentence, self.advice, marks)


def find_odd_images(subject: Subject) -> Iterator[Finding]:
    """Look for images that are odd in any of the :data:`ODDITIES`, and for files that cannot be read."""
    if subject.bad_images:
        yield _unreadable(subject)
    for oddity in ODDITIES:
        finding = oddity.look(subject)
        if finding.count:
            yield finding


def _unreadable(subject: Subject) -> Finding:
    count = len(subject.bad_images)
    return Finding(
        "unreadable",
        "warning",
        "Not readable",
        count,
        f"{count:,} {'file' if count == 1 else 'files'} cannot be read",
        "Training stops at them, unless it is told to leave them out (--on-bad-image skip).",
        unread=subject.bad_images,
    )


def _levels(subject: Subject) -> Numbers:
    """Grey levels between the darkest and the brightest place of each thumbnail, in any colour."""
    flat = subject.thumbnails.reshape(len(subject), 3, -1)
    levels: Numbers = (flat.max(2).astype(np.float64) - flat.min(2)).max(1)
    return levels


def _percentile(subject: Subject, percent: float) -> Numbers:
    return np.percentile(subject.grey.reshape(len(subject), -1), percent, axis=1).astype(np.float64)


def _blank(subject: Subject) -> Numbers:
    return np.where(_levels(subject) <= BLANK_LEVELS, 1.0, 0.0)


def _dark(subject: Subject) -> Numbers:
    depth = np.maximum(0.0, DARK_LEVEL - _percentile(subject, NEARLY_ALL))
    return np.where(_blank(subject) > 0, 0.0, depth)


def _bright(subject: Subject) -> Numbers:
    height = np.maximum(0.0, _percentile(subject, 100 - NEARLY_ALL) - BRIGHT_LEVEL)
    return np.where(_blank(subject) > 0, 0.0, height)


def _faint(subject: Subject) -> Numbers:
    spread = subject.grey.reshape(len(subject), -1).std(1)
    is_told = (_blank(subject) > 0) | (_dark(subject) > 0) | (_bright(subject) > 0)
    return np.where(is_told, 0.0, np.maximum(0.0, FAINT_SPREAD - spread))


def _shorter_sides(subject: Subject) -> Numbers:
    assert subject.traits is not None
    return np.array([min(traits.width, traits.height) for traits in subject.traits], np.float64)


def _tiny(subject: Subject) -> Numbers:
    if not subject.traits:
        return np.zeros(len(subject))
    sides = _shorter_sides(subject)
    return np.maximum(0.0, SMALL_SHARE * np.median(sides) - sides)


def _long(subject: Subject) -> Numbers:
    ratios = np.abs(np.log(subject.aspect_ratios.astype(np.float64)))
    usual = np.abs(np.log(subject.aspect_ratios) - np.median(np.log(subject.aspect_ratios)))
    is_long = (ratios > np.log(LONG_RATIO)) & (usual > np.log(LONGER_THAN_MOST))
    return np.where(is_long, np.exp(ratios), 0.0)


def _stored(test: Callable[[FileTraits], bool]) -> Callable[[Subject], Numbers]:
    """Images whose files have something; none in data that are no files."""

    def find(subject: Subject) -> Numbers:
        if subject.traits is None:
            return np.zeros(len(subject))
        return np.array([float(test(traits)) for traits in subject.traits], np.float64)

    return find


def _note_nothing(subject: Subject, row: int) -> str:
    return ""


def _note_size(subject: Subject, row: int) -> str:
    assert subject.traits is not None
    return f"{subject.traits[row].width} × {subject.traits[row].height}"


def _note_ratio(subject: Subject, row: int) -> str:
    ratio = float(subject.aspect_ratios[row])
    return f"{ratio:.1f} : 1" if ratio > 1 else f"1 : {1 / ratio:.1f}"


def _note_mode(subject: Subject, row: int) -> str:
    assert subject.traits is not None
    return f"{subject.traits[row].format}, {subject.traits[row].mode}"


ODDITIES = (
    Oddity(
        "blank", "warning", "Blank", ("is of one colour", "are of one colour"),
        "There is nothing to learn from them but that colour.", _blank, _note_nothing,
    ),
    Oddity(
        "dark", "warning", "Nearly black", ("is nearly black", "are nearly black"),
        "Hardly anything can be seen on them.", _dark, _note_nothing,
    ),
    Oddity(
        "bright", "warning", "Nearly white", ("is nearly white", "are nearly white"),
        "Hardly anything can be seen on them.", _bright, _note_nothing,
    ),
    Oddity(
        "low_contrast", "info", "Low contrast", ("has hardly any contrast", "have hardly any contrast"),
        "They are trained on as they are.", _faint, _note_nothing,
    ),
    Oddity(
        "tiny", "warning", "Far smaller than the others",
        ("is far smaller than the others", "are far smaller than the others"),
        "They are enlarged to the size of the others, and stay blurred.", _tiny, _note_size,
    ),
    Oddity(
        "extreme_aspect", "warning", "Long and narrow", ("is long and narrow", "are long and narrow"),
        "Of photographs the middle square is seen, and the rest is cut off (preprocessing.fit=pad keeps all of it).",
        _long, _note_ratio,
    ),
    Oddity(
        "transparent", "info", "Transparent", ("has transparency", "have transparency"),
        "They are laid on white.", _stored(lambda traits: traits.has_transparency), _note_mode,
    ),
    Oddity(
        "palette", "info", "With a palette", ("is stored with a palette", "are stored with a palette"),
        "They have 256 colours at most, and are read as all others.",
        _stored(lambda traits: traits.mode in ("P", "PA")), _note_mode,
    ),
    Oddity(
        "deep", "info", "More than 8 bits", ("has more than 8 bits", "have more than 8 bits"),
        "They are scaled to 8 bits by one range for all of them.",
        _stored(lambda traits: traits.bits > 8), _note_mode,
    ),
    Oddity(
        "turned", "info", "Turned by EXIF", ("is turned upright by EXIF", "are turned upright by EXIF"),
        "They are read upright, as viewers show them; a tool that ignores EXIF sees them otherwise.",
        _stored(lambda traits: traits.orientation != 1), _note_mode,
    ),
    Oddity(
        "several", "info", "Several pages or frames", ("holds several pages or frames", "hold several pages or frames"),
        "The first of each is read.", _stored(lambda traits: traits.has_several), _note_mode,
    ),
)  # fmt: skip
