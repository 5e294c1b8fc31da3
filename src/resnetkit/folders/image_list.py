"""A list of images as data: a table with a row for each, its path and label, and perhaps its split and group."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.folders.image_folder import ImageFolder, Listing, find_images
from resnetkit.folders.layout_option import UNSPLIT
from resnetkit.folders.list_columns import Columns, check_labelled, find_columns
from resnetkit.folders.listed import SPLITS, as_folder
from resnetkit.folders.listed_files import ListedFiles, files_of, holds_image
from resnetkit.folders.names import apart, lookalikes, one_form
from resnetkit.folders.split_words import read_name
from resnetkit.folders.table_file import Table, is_table, read_table, tell_lines
from resnetkit.pages.formatting import counted
from resnetkit.terminal import first_few, quoted

HELD_APART = re.compile(r"\s*[|;,]\s*")  # between the labels of an image that has several


@dataclass(frozen=True)
class Row:
    """One image of a list: ``cell`` is what its path is written as, ``path`` the file that is meant, from the list's
    folder on; ``split`` is one of train, val and test, or ``all`` where the list says none.
    """

    line: int
    cell: str
    path: str
    label: str
    split: str
    group: str | None


def scan_list(
    file: Path, known: Sequence[str] = (), *, column: str | None = None, group_by: str | None = None
) -> ImageFolder:
    """The images that a list names, by split and class, without opening any of them.

    Args:
        known: the classes of the classifier that is to be scored; one of them and no training images are enough then.
        column: the one of labels, where its name does not say so.
        group_by: the column of groups; what is no column is left to others.

    Raises:
        ResnetkitError: for what is no such list; for rows without a path, file, label or split, with several labels,
            or that say different things of one file: all of a kind together.
    """
    table = read_table(file)
    columns = find_columns(table, file, known, label=column, group=group_by)
    check_labelled(table, file, columns)
    require(bool(table.rows), f"{file} has no rows", fix="add a row for each image", code=Code.DATA)
    rows, base = _find_rows(file, table, columns)
    kept, warnings = _each_once(file, _labelled(file, rows))
    _refuse_several_labels(file, kept)
    splits: dict[str, Listing] = {}
    for row in kept:
        splits.setdefault(row.split, Listing()).add(row.path, row.label, row.group)
    unlabelled = sorted({row.split for row in rows} - splits.keys())
    notes = [f"{quoted(file.name)}: {columns.told()}"]
    notes += [f"paths start from the folder {quoted(base)} beside {quoted(file.name)}"] if base else []
    notes += [f"the images of {name} have no labels and are left aside" for name in unlabelled]
    alike = [apart(group) for group in lookalikes(sorted({row.label for row in kept}))]
    warnings += [f"labels that differ only in letter case, spaces or invisible signs: {'; '.join(alike)}"] * bool(alike)
    found = as_folder(file, splits, known=known, unlabelled=unlabelled, notes=notes)
    return replace(found, root=Path(_folder_of(file)), warnings=(*found.warnings, *warnings))


def list_images(file: Path, known: Sequence[str] = ()) -> dict[str, str]:
    """The paths of the images that a list names, each with its label, or an empty one where it has none.

    What is not there has the path that it would have.

    Args:
        known: the classes of a classifier, by which the column of labels is found too.

    Raises:
        ResnetkitError: for what is no list, or has no column of paths.
    """
    table = read_table(file)
    columns = find_columns(table, file, known)
    cells, labels = table.column(columns.path), _labels(table, columns)
    files = files_of(_folder_of(file), cells)
    pairs = ((cell, label) for cell, label in zip(cells, labels, strict=True) if cell.strip())
    return {str(file.parent / (files.find(cell) or cell)): label for cell, label in pairs}


def find_labelled(place: str, known: Sequence[str] = ()) -> dict[str, str]:
    """The paths of the images in a folder, sorted, or of a list, with the labels that it gives them.

    Args:
        known: as of :func:`list_images`.

    Raises:
        ResnetkitError: for what is neither.
    """
    if is_table(place):
        return list_images(Path(place), known)
    require(os.path.isdir(place), f"there is no folder or list {place}", fix="give a folder of images", code=Code.DATA)
    return dict.fromkeys(find_images(Path(place))[0], "")


def _folder_of(file: Path) -> str:
    return os.path.dirname(os.path.abspath(file))


def _find_rows(file: Path, table: Table, columns: Columns) -> tuple[list[Row], str]:
    """The rows with the files that they name, and the folder that these paths start from."""
    cells, lines = table.column(columns.path), table.lines
    _refuse(
        file,
        "without a path",
        "write the path of an image into each, or remove them",
        ((line, str(row)) for line, cell, row in zip(lines, cells, table.rows, strict=True) if not cell.strip()),
    )
    files = files_of(_folder_of(file), cells)
    paths = [files.find(cell) for cell in cells]
    _refuse(
        file,
        "whose file is not there",
        f"paths start from {os.path.join(files.root, files.base)}, or from /: correct these rows, or remove them",
        ((line, cell) for line, cell, path in zip(lines, cells, paths, strict=True) if path is None),
    )
    there = [path for path in paths if path is not None]
    _refuse(
        file,
        "whose file is no image",
        "remove these rows",
        ((line, path) for line, path in zip(lines, there, strict=True) if not holds_image(_whole(files, path))),
    )
    splits = _splits(file, table, columns.split)
    groups = _groups(file, table, columns.group)
    rows = zip(lines, cells, there, _labels(table, columns), splits, groups, strict=True)
    return [Row(*row) for row in rows], files.base


def _whole(files: ListedFiles, path: str) -> str:
    return os.path.join(files.root, path)


def _labels(table: Table, columns: Columns) -> list[str]:
    """The label of each row; empty where there is none."""
    cells = [""] * len(table.rows) if columns.label is None else table.column(columns.label)
    return [one_form(cell.strip()) for cell in cells]


def _splits(file: Path, table: Table, column: str | None) -> list[str]:
    """The split of each row."""
    if column is None:
        return [UNSPLIT] * len(table.rows)
    cells = table.column(column)
    meanings = {cell: read_name(cell).meaning for cell in set(cells)}
    _refuse(
        file,
        f"without a split that is known in the column {quoted(column)}",
        "write train, val or test into each of them",
        (
            (line, repr(cell) if cell.strip() else "nothing")
            for line, cell in zip(table.lines, cells, strict=True)
            if meanings[cell] not in SPLITS
        ),
    )
    return [meanings[cell] or "" for cell in cells]


def _groups(file: Path, table: Table, column: str | None) -> Sequence[str | None]:
    """The group of each row."""
    if column is None:
        return [None] * len(table.rows)
    cells = [cell.strip() for cell in table.column(column)]
    _refuse(
        file,
        f"without a group in the column {quoted(column)}",
        "write one into each of them: images that stand for themselves each have a group of their own",
        ((line, str(row)) for line, cell, row in zip(table.lines, cells, table.rows, strict=True) if not cell),
    )
    return cells


def _labelled(file: Path, rows: Sequence[Row]) -> list[Row]:
    """The rows with labels; those of a split to validate or test on may all be without."""
    needed = {row.split for row in rows if row.label} | {UNSPLIT, "train"}
    _refuse(
        file,
        "without a label",
        "label them, or remove them; only the whole of val or test may have none",
        ((row.line, row.cell) for row in rows if not row.label and row.split in needed),
    )
    return [row for row in rows if row.label]


def _each_once(file: Path, rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Each file once, and a sentence about those that are named again."""
    first: dict[str, Row] = {}
    again: list[Row] = []
    differing: list[Row] = []
    for row in rows:
        earlier = first.setdefault(row.path, row)
        if earlier is not row:
            same = (earlier.label, earlier.split, earlier.group) == (row.label, row.split, row.group)
            (again if same else differing).append(row)
    _refuse(
        file,
        "at odds with an earlier row of the same file",
        "keep one row for each file, with one label, split and group",
        ((row.line, f"{row.path} ({_differences(first[row.path], row)})") for row in differing),
    )
    told = [f"line {row.line:,} ({row.path})" for row in again]
    return list(first.values()), [f"files that are named again are read once: {first_few(told, 5)}"] if told else []


def _differences(earlier: Row, row: Row) -> str:
    pairs = ((earlier.label, row.label), (earlier.split, row.split), (earlier.group, row.group))
    told = [f"{quoted(str(new))}, and {quoted(str(old))} in line {earlier.line:,}" for old, new in pairs if old != new]
    return "; ".join(told)


def _refuse_several_labels(file: Path, rows: Sequence[Row]) -> None:
    """Refuse rows whose label is made of other labels, or is a list: one image has one label here."""
    parts = {label: HELD_APART.split(label) for label in {row.label for row in rows}}
    with_part: dict[str, set[str]] = {}
    for label, words in parts.items():
        for word in words:
            with_part.setdefault(word, set()).add(label)
    several = {
        label
        for label, words in parts.items()
        if (label[:1] == "[" and label[-1:] == "]")
        or (len(set(words)) > 1 and all(len(with_part[word]) > 1 for word in words))
    }
    _refuse(
        file,
        "with several labels",
        "a classifier tells one class of each image: keep one label in each row",
        ((row.line, f"{row.cell} ({row.label})") for row in rows if row.label in several),
    )


def _refuse(file: Path, what: str, fix: str, rows: Iterable[tuple[int, str]]) -> None:
    """Refuse all rows of a kind together, where there are any."""
    found = list(rows)
    if found:
        lines, cells = zip(*found, strict=True)
        why = tell_lines(list(lines), list(cells))
        raise ResnetkitError(Code.DATA, f"{file} has {counted(len(found), 'row')} {what}", why=why, fix=fix)
