"""Images whose classes are listed, and not the folders they lie in: in a table beside them, or that holds them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.folders.folder_tree import natural_key, read_tree
from resnetkit.folders.image_folder import ImageFolder, Listing, tell_absent
from resnetkit.folders.layout_option import UNSPLIT
from resnetkit.folders.names import one_form
from resnetkit.folders.split_words import read_name
from resnetkit.folders.table_file import read_table
from resnetkit.images.image_files import is_image
from resnetkit.pages.formatting import counted
from resnetkit.terminal import listed

TABLES = ("metadata.csv", "metadata.jsonl")  # the hub's names for them
PATH, LABEL = "file_name", "label"
SPLITS = ("train", "val", "test")


def split_of(name: str) -> str | None:
    """The split that the name of a file or folder stands for; None for a name that says none.

    >>> split_of("validation-00000-of-00002"), split_of("train"), split_of("birds")
    ('val', 'train', None)
    """
    meaning = read_name(name.partition("-0")[0]).meaning
    return meaning if meaning in SPLITS else None


def split_folders(root: Path) -> dict[str, str]:
    """Folders in which a split's files can lie, with the split: the root itself, ``data``, and those named so."""
    with os.scandir(root) as entries:
        inner = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    named = {name: split_of(name) for name in inner}
    return {"": UNSPLIT, **{name: split or UNSPLIT for name, split in named.items() if split or name == "data"}}


def scan_listed(
    root: Path, known: Sequence[str] = (), column: str | None = None, group_by: str | None = None
) -> ImageFolder | None:
    """The images that ``metadata.csv`` or ``metadata.jsonl`` list by ``file_name`` with a ``label``, as the hub has it.

    None where there is no such table, or where the folders say the same.

    Args:
        column: in place of ``label``.
        group_by: the column of groups; what is no column is left to others.

    Raises:
        ResnetkitError: for a table that cannot be read, or lists a file outside the folder or no classes.
    """
    folders = split_folders(root)
    splits: dict[str, Listing] = {}
    tables = [f"{place}/{name}" if place else name for place in folders for name in TABLES]
    there = {table: root / table for table in tables if (root / table).is_file()}
    used = {table: rows for table, file in there.items() if (rows := _rows(file, column, group_by))}
    for table, rows in used.items():
        for path, label, group in rows:
            whole = _inside(root / table, table.rpartition("/")[0], path)
            listing = splits.setdefault(folders.get(whole.partition("/")[0], UNSPLIT), Listing())
            listing.add(whole, one_form(label), group)
    check_groups(root, splits, group_by)
    pairs = [pair for one in splits.values() for pair in zip(one.paths, one.classes, strict=True)]
    says_groups = any(one.groups for one in splits.values())
    if not says_groups and all(path.split("/")[-2:-1] == [name] for path, name in pairs):
        return None
    tree = read_tree(root)
    others = set(tree.all_images()).difference(path for path, _ in pairs)
    warnings = [f"not read: {counted(len(others), 'image')} that {listed(used)} does not list"] if others else []
    notes = [f"classes as {listed(used)} says them, file by file"]
    found = as_folder(root, splits, known=known, notes=notes)
    return replace(found, ignored_files=tree.all_left_out().beside, warnings=(*found.warnings, *warnings))


def as_folder(
    root: Path,
    splits: Mapping[str, Listing],
    *,
    known: Sequence[str] = (),
    order: Sequence[str] | None = None,
    unlabelled: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> ImageFolder:
    """Everything that is listed, as a scan of folders finds it.

    Args:
        known: the classes of the classifier that is to be scored; one of them and no training images are enough then.
        order: the classes in their order; left out, they are sorted.

    Raises:
        ResnetkitError: for fewer than two classes, or a split with classes that train lacks.
    """
    splits = {name: splits[name] for name in (UNSPLIT, *SPLITS) if name in splits}
    if UNSPLIT in splits and len(splits) > 1:
        raise ResnetkitError(
            Code.DATA,
            f"some tables in {root} name a split, others none",
            why=listed(splits[UNSPLIT].paths, 3),
            fix="name them train-…, validation-… and test-…, or move the others away",
        )
    deciding = splits.values() if known else list(splits.values())[:1]
    there = {name for listing in deciding for name in listing.classes}
    class_names = tuple(name for name in order if name in there) if order else tuple(sorted(there, key=natural_key))
    require(
        len(class_names) >= (1 if known else 2),
        f"{root} lists only one class, {listed(class_names)}"
        if class_names
        else f"no image that {root} lists has a label",
        why="a classifier needs at least two classes to tell apart",
        fix="add images of other classes, or name another column: --set data.label_column=NAME",
        code=Code.DATA,
    )
    for name, listing in splits.items():
        extra = sorted(set(listing.classes) - there, key=natural_key)
        require(
            not extra,
            f"the classes of {name} and train differ in {root}",
            why=f"train has no class {listed(extra)}",
            fix="take them out, or add such images to train",
            code=Code.DATA,
        )
    warnings = [] if known else tell_absent(class_names, splits)
    return ImageFolder(root, class_names, dict(splits), tuple(unlabelled), 0, tuple(notes), tuple(warnings))


def _rows(file: Path, wanted: str | None, group_by: str | None) -> list[tuple[str, str, str | None]]:
    """Paths of images with their labels and groups; none from a table that has other columns."""
    table, column = read_table(file), wanted or LABEL
    if PATH not in table.columns or (column not in table.columns and not wanted):
        return []
    require(
        column in table.columns,
        f"{file} has no column {column} (data.label_column)",
        why=f"its columns are {listed(table.columns)}",
        fix="name one of them",
        code=Code.DATA,
    )
    cells = [table.column(PATH), table.column(column)]
    for name, held in zip((PATH, column), cells, strict=True):
        without = [line for line, cell in zip(table.lines, held, strict=True) if not cell]
        require(
            not without,
            f"{file} has {len(without):,} rows without {name}, the first in line {without[0] if without else 0:,}",
            fix="fill them, or remove them",
            code=Code.DATA,
        )
    groups = table.column(group_by) if group_by in table.columns else [None] * len(table.rows)
    return [row for row in zip(*cells, groups, strict=True) if is_image(row[0])]


def check_groups(root: Path, splits: Mapping[str, Listing], column: str | None) -> None:
    """Refuse a column of groups that some of the tables have, and others lack, and rows without one."""
    with_groups = sum(len(one.groups) for one in splits.values())
    without = [path for one in splits.values() for path, group in zip(one.paths, one.groups, strict=False) if not group]
    require(
        not without,
        f"{len(without):,} rows of tables in {root} have no group in the column {column}",
        why=listed(without, 5),
        fix="write one into each of them: images that stand for themselves each have a group of their own",
        code=Code.DATA,
    )
    require(
        with_groups in (0, sum(len(one.paths) for one in splits.values())),
        f"some tables in {root} have no column {column} (data.group_by)",
        fix="add it to all of them",
        code=Code.DATA,
    )


def _inside(table: Path, place: str, path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ResnetkitError(
            Code.DATA, f"{table} lists a file outside its folder: {path}", fix="list paths below it, without .."
        )
    return f"{place}/{path}" if place else path
