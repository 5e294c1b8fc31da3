"""A list of images to train on, without what an audit found: ``resnetkit train LIST`` takes it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from resnetkit.audit.auditing import Audit
from resnetkit.audit.classes import count_classes
from resnetkit.audit.copy_findings import find_repeated
from resnetkit.audit.findings import Mark
from resnetkit.audit.subject import TRAIN, Subject
from resnetkit.data.source import DataSource
from resnetkit.errors import require
from resnetkit.files import write_durably
from resnetkit.terminal import csv_line, first_few, quoted

COLUMNS = ("path", "label", "split", "suspect")
GROUP = "group"  # one more, where the data have groups
CONFLICT, LEAK, COPY, SUSPECT = (
    "a picture that is under two classes",
    "in a later split too",
    "the same pixels again",
    "with a label that is probably wrong",
)


@dataclass(frozen=True)
class CleanList:
    """Images that are kept, and why the others are not.

    Attributes:
        kept: rows of the subject, ascending.
        left_out: of each row that is not, the reason.
        suspects: of rows whose label is probably wrong, the class that was suggested.
    """

    subject: Subject
    kept: tuple[int, ...]
    left_out: dict[int, str]
    suspects: dict[int, str]

    def told(self) -> tuple[str, ...]:
        """Sentences on what is in the list and what is not, and why."""
        subject = self.subject
        kept = Counter(subject.split_of(row) for row in self.kept)
        parts = ", ".join(f"{name} {kept[name]:,}" for name in subject.split_names)
        lines = [f"{len(self.kept):,} of {len(subject):,} images are in the list ({parts}); no file was changed"]
        out = Counter((reason, subject.split_of(row)) for row, reason in self.left_out.items())
        lines += [f"left out of {split}: {count:,} {reason}" for (reason, split), count in out.items()]
        if LEAK in self.left_out.values():
            lines.append(
                "leaks are taken out of the earlier split, and never out of test, whose score keeps its meaning"
            )
        num_kept = len(self.suspects.keys() - self.left_out.keys())
        if num_kept:
            lines.append(f"{num_kept:,} labels that are probably wrong are in the list, marked in the column suspect")
        if subject.bad_images:
            count = len(subject.bad_images)
            lines.append(f"not in the list: {count:,} {'file' if count == 1 else 'files'} that cannot be read")
        return tuple(lines)


def clean(audit: Audit, *, without_suspects: bool = False) -> CleanList:
    """Choose the images that an audit has nothing against.

    Pictures that are under two classes are left out. Of a picture in several splits, the copies in the latest of them
    stay; of the same pixels in one split, the first. Pictures that only look alike within a split and class stay.

    Args:
        without_suspects: leave images whose label is probably wrong out of train too; never out of what is scored,
            where what is hard for a network must stay.
    """
    subject = audit.subject
    marks = {finding.name: finding.marks for finding in audit.findings}
    left_out = dict.fromkeys(_both(marks.get("conflicts", ())), CONFLICT)
    left_out |= {row: LEAK for row in _leaking(subject) if row not in left_out}
    left_out |= {row: COPY for row in _repeated(subject) if row not in left_out}
    names = {
        mark.row: subject.class_names[mark.suggested]
        for mark in marks.get("label_issues", ())
        if mark.suggested is not None
    }
    if without_suspects:
        left_out |= {row: SUSPECT for row in names if subject.split_of(row) == TRAIN and row not in left_out}
    kept = tuple(row for row in range(len(subject)) if row not in left_out)
    return CleanList(subject, kept, left_out, names)


def check_new_list(path: Path) -> None:
    """Refuse a list that is there already, or is called otherwise than a table."""
    require(path.suffix == ".csv", f"a list is a table, so {path} must end in .csv")
    require(not path.exists(), f"{path} is there already", fix="give a new name, or remove it first")


def check_listable(source: DataSource) -> None:
    """Refuse data of which an image is no file of its own, as in a table that holds the images."""
    places = (source.root / name for listing in source.listings.values() for name in listing.identifiers)
    require(
        all(map(os.path.isfile, places)),
        f"the images of {source.name} are no files of their own",
        why="a list names one file for each image",
        fix="leave --write-list out",
    )


def write_clean_list(path: Path, chosen: CleanList) -> None:
    """Write the images that were chosen to a new file, with paths from its folder on where they lie below it.

    Raises:
        ResnetkitError: where the file is there, the images are no files, or no training image of a class is left.
    """
    check_new_list(path)
    check_listable(chosen.subject.source)
    _check_classes(chosen)
    write_durably(path, "".join(map(csv_line, _lines(path, chosen))).encode("utf-8", "surrogateescape"))


def _check_classes(chosen: CleanList) -> None:
    subject = chosen.subject
    trained = [row for row in chosen.kept if subject.split_of(row) == TRAIN]
    left = np.bincount(subject.labels[trained], minlength=len(subject.class_names))
    emptied = np.flatnonzero((left == 0) & (count_classes(subject, TRAIN) > 0))
    names = first_few([quoted(subject.class_names[label]) for label in emptied.tolist()])
    require(
        not len(emptied),
        f"the list would have no training image of {names}",
        why="an audit has something against each of them",
        fix="look at its report, and mend the data or leave --write-list out",
    )


def _lines(path: Path, chosen: CleanList) -> Iterator[tuple[str, ...]]:
    subject, folder = chosen.subject, os.path.abspath(path.parent)
    has_groups = any(listing.groups is not None for listing in subject.source.listings.values())
    yield (*COLUMNS, *[GROUP] * has_groups)
    for row in chosen.kept:
        file = os.path.abspath(subject.source.root / subject.identifiers[row])
        is_below = os.path.commonpath([folder, file]) == folder
        place = os.path.relpath(file, folder).replace(os.sep, "/") if is_below else file
        told = (place, subject.class_of(row), subject.split_of(row), chosen.suspects.get(row, ""))
        yield (*told, *[subject.group_of(row)] * has_groups)


def _both(marks: tuple[Mark, ...]) -> Iterator[int]:
    for mark in marks:
        yield mark.row
        if mark.other is not None:
            yield mark.other


def _leaking(subject: Subject) -> list[int]:
    """Rows of which a copy is in a later split."""
    groups = subject.copies.groups
    latest: npt.NDArray[np.int64] = np.full(int(groups.max(initial=-1)) + 1, -1)
    np.maximum.at(latest, groups, subject.splits)
    return np.flatnonzero(subject.splits < latest[groups]).tolist()


def _repeated(subject: Subject) -> list[int]:
    """Rows with the pixels and class of an earlier one in their split."""
    return np.flatnonzero(find_repeated(subject) != np.arange(len(subject))).tolist()
