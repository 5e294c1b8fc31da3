"""Data sets of the Hugging Face hub on the disk: Parquet files, and the Arrow folders of ``save_to_disk``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.folders.folder_tree import natural_key, read_tree
from resnetkit.folders.image_folder import ImageFolder, Listing
from resnetkit.folders.layout_option import UNSPLIT
from resnetkit.folders.listed import as_folder, check_groups, split_folders, split_of
from resnetkit.folders.names import one_form
from resnetkit.foreign_json import parse_json
from resnetkit.images.image_rows import SUFFIXES, USUAL_NAMES, Table, image_columns, open_table
from resnetkit.terminal import listed

LABEL = "label"
OWN_FILES = ("cache-", "indices-", "indices_", ".")  # of datasets, beside its tables
DAMAGED = (OSError, ValueError, RecursionError)


def scan_tables(
    root: Path, known: Sequence[str] = (), column: str | None = None, group_by: str | None = None
) -> ImageFolder | None:
    """The images in the tables of a folder, by split and class, without reading any of them; None without a table.

    A split is named by a table's name (``data/train-00000-of-00001.parquet``) or its folder (``train/…``), classes by
    the features that the hub's library writes into a table; a column ``label`` of texts names them too.

    Args:
        known: the classes of the classifier that is to be scored: of several columns, the one that has them is meant.
        column: the one of labels.
        group_by: the column of groups; what is no column is left to others.

    Raises:
        ResnetkitError: for tables that are damaged, or have not one column of images and one of labels.
    """
    tables = _find(root)
    if not tables or read_tree(root).num_images:
        return None
    read = {table: _read(root, table, known, column, group_by) for table in tables}
    names = next(iter(read.values())).names
    for table, rows in read.items():
        require(
            rows.names == names, f"the tables in {root} name other classes: {table}", code=Code.DATA,
            fix="give a folder with the tables of one data set",
        )  # fmt: skip
    splits: dict[str, Listing] = {}
    left_aside = dict.fromkeys(tables.values(), 0)
    for table, split in tables.items():
        left_aside[split] += read[table].num_unlabelled
        if read[table].rows:
            listing = splits.setdefault(split, Listing())
            listing.paths += [f"{table}/{row}" for row in read[table].rows]
            listing.classes += read[table].classes
            listing.groups += read[table].groups
    check_groups(root, splits, group_by)
    require(bool(splits), f"no image in the tables of {root} has a label", code=Code.DATA, fix="check the column label")
    notes = [f"{_count(tables)} of the Hugging Face hub"]
    notes += [
        f"{count:,} images of {split} have no label and are left aside" for split, count in left_aside.items() if count
    ]
    unlabelled = [split for split in left_aside if split not in splits]
    return as_folder(root, splits, known=known, order=names, unlabelled=unlabelled, notes=notes)


def _find(root: Path) -> dict[str, str]:
    """Tables, from the root on, with the split of each."""
    found = {}
    for place, split in split_folders(root).items():
        with os.scandir(root / place) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(SUFFIXES) and entry.is_file()]
        for name in sorted(names, key=natural_key):
            if not name.startswith(OWN_FILES):
                own = split_of(name.rpartition(".")[0]) if split == UNSPLIT else None
                found[f"{place}/{name}" if place else name] = own or split
    return found


@dataclass
class _Rows:
    """The rows of a table that have a label, with their classes; names are those that the table gives all classes."""

    names: tuple[str, ...] | None
    rows: list[int] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    num_unlabelled: int = 0


def _read(root: Path, name: str, known: Sequence[str], wanted: str | None, group_by: str | None) -> _Rows:
    try:
        table = open_table(str(root / name))
        column, names = _label_column(root / name, table, known, wanted)
        found = _Rows(names)
        groups = table.column(group_by) if group_by is not None and group_by in table.schema.names else []
        for row, label in enumerate(table.column(column)):
            text = _class_of(label, names)
            if text is None:
                found.num_unlabelled += 1
            else:
                found.rows.append(row)
                found.classes.append(text)
                found.groups += ["" if groups[row] is None else str(groups[row])] if groups else []
    except DAMAGED as error:
        raise ResnetkitError(
            Code.DATA, f"cannot read the table {root / name}", why=str(error), fix="fetch it again, or move it away"
        ) from None
    return found


def _class_of(label: object, names: tuple[str, ...] | None) -> str | None:
    """The class that a label means; None for none, which test images of competitions have."""
    if label is None or label == -1:
        return None
    if names is None:
        return one_form(str(label))
    if not isinstance(label, int) or not 0 <= label < len(names):
        raise ValueError(f"a label is {label!r}, and there are names for 0 to {len(names) - 1}")
    return names[label]


def _label_column(
    path: Path, table: Table, known: Sequence[str], wanted: str | None
) -> tuple[str, tuple[str, ...] | None]:
    """The column of labels, and the names of the classes in their order, where the table gives them."""
    images = image_columns(table.schema)
    require(
        len(images) == 1 or any(name in images for name in USUAL_NAMES),
        f"{path} has several columns of images: {listed(images)}",
        fix="keep one of them, or call it image",
        code=Code.DATA,
    )
    names = {
        name: tuple(one_form(str(text)) for text in one["names"])
        for name, one in _features(table).items()
        if one.get("_type") == "ClassLabel" and isinstance(one.get("names"), list) and one["names"]
    }
    there = table.schema.names
    columns = [name for name in there if name in names or name == (wanted or LABEL)]
    # Where what is called so has some of the known classes, a column that has them all may be answers to it.
    is_meant = LABEL in columns and set(known) & set(names.get(LABEL, ()))
    fits = [name for name in columns if known and set(known) <= set(names.get(name, ())) and not is_meant]
    choices = (
        [[name for name in there if name == wanted]] if wanted else [fits, [LABEL] if LABEL in columns else columns]
    )
    chosen = next((choice[0] for choice in choices if len(choice) == 1), None)
    if chosen is None:
        found = f"no column {wanted}" if wanted else "several columns" if columns else "no column"
        raise ResnetkitError(
            Code.DATA,
            f"{path} has {found} of labels",
            why=f"its columns are {listed(there)}",
            fix=f"say which: --set data.label_column={columns[0] if columns else 'NAME'}",
        )
    return chosen, names.get(chosen)


def _features(table: Table) -> Mapping[str, Any]:
    """The features that the hub's library wrote down; none in other tables."""
    features: Any = parse_json((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    for key in ("info", "features"):
        features = features.get(key) if isinstance(features, dict) else None
    if not isinstance(features, dict):
        return {}
    return {name: features[name] for name in table.schema.names if isinstance(features.get(name), dict)}


def _count(tables: Sequence[str] | Mapping[str, str]) -> str:
    return "a table" if len(tables) == 1 else f"{len(tables):,} tables"
