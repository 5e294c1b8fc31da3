"""Columns of a list of images: which of them holds paths, labels, splits and groups, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.folders.names import one_form
from resnetkit.folders.table_file import Table
from resnetkit.images.image_files import is_image
from resnetkit.terminal import listed, quoted

# By what a column holds, the names that it may have; of several that are there, the first.
PATH = (
    *("path", "file_name", "filename", "file", "filepath", "file_path", "image_path", "image_file"),
    *("image", "image_name", "image_id", "img", "img_path", "id"),
)
LABEL = ("label", "class", "class_name", "category")
SPLIT = ("split", "subset")
GROUP = ("group",)


@dataclass(frozen=True)
class Columns:
    """Names of the columns that are read; None for one that is not there."""

    path: str
    label: str | None = None
    split: str | None = None
    group: str | None = None

    def told(self) -> str:
        """The columns in words.

        >>> Columns("id", "breed").told()
        "paths from 'id', labels from 'breed'"
        """
        held = {"paths": self.path, "labels": self.label, "splits": self.split, "groups": self.group}
        return ", ".join(f"{what} from {quoted(name)}" for what, name in held.items() if name is not None)


def find_path_column(table: Table, file: Path) -> str:
    """The column that holds paths.

    Raises:
        ResnetkitError: where none has a name for such.
    """
    found = _named(table.columns, PATH)
    if found is not None:
        return found
    if any(map(is_image, table.columns)):
        why, fix = "its first row names an image", "put a first line above that names the columns: path,label"
    else:
        why, fix = f"its columns are {listed(table.columns)}" if table.columns else "it is empty", f"call one {PATH[0]}"
    raise ResnetkitError(Code.DATA, f"{file} has no column of paths", why=why, fix=f"{fix} ({', '.join(PATH)})")


def find_columns(
    table: Table, file: Path, known: Sequence[str] = (), *, label: str | None = None, group: str | None = None
) -> Columns:
    """The columns of a list.

    Args:
        known: the classes of the classifier that is to be scored: of several columns, the one that has them is meant.
        label: the column of labels; None: one with a name for such, or the only one that is left, if there is one.
        group: the column of groups, or a pattern for paths, which is none; None: one that is called ``group``.

    Raises:
        ResnetkitError: where one that is needed or asked for is not there.
    """
    path = find_path_column(table, file)
    for option, name in (("label_column", label), ("group_by", group)):
        # A pattern has signs that names of columns do not have.
        is_name = name is not None and (option == "label_column" or re.fullmatch(r"[\w -]+", name))
        require(
            not is_name or name in table.columns,
            f"{file} has no column {name} (data.{option})",
            why=f"its columns are {listed(table.columns)}",
            fix=did_you_mean(name or "", table.columns),
            code=Code.DATA,
        )
    split, named_group = _named(table.columns, SPLIT), _named(table.columns, GROUP)
    asked_group = group if group in table.columns else None
    rest = _others(table, path, split, asked_group or named_group) or _others(table, path, split)
    label = label or _find_label(table, rest, known)
    # What its name alone makes a column of groups is none where it is needed for labels.
    usual_group = named_group if group is None and named_group != label else None
    return Columns(path, label, split, asked_group or usual_group)


def check_labelled(table: Table, file: Path, columns: Columns) -> None:
    """Refuse a list without a column of labels."""
    rest = _others(table, columns.path, columns.split, columns.group)
    require(
        columns.label is not None,
        f"{file} has no column of labels",
        why=f"of its columns, {listed(rest)} may be meant" if rest else f"its columns are {listed(table.columns)}",
        fix=f"say which: --set data.label_column={rest[0]}; or call it {LABEL[0]}"
        if rest
        else f"add a column {LABEL[0]}",
        code=Code.DATA,
    )


def _find_label(table: Table, names: Sequence[str], known: Sequence[str]) -> str | None:
    """The one of these columns that holds labels; None where several may.

    Where only one is called so, it is meant, unless it has other classes than the known ones: a column beside it may
    hold what a classifier has answered, which fits better than the truth.
    """
    held = {name: {one_form(cell.strip()) for cell in table.column(name)} - {""} for name in names}
    called = [name for name in names if _named([name], LABEL)]
    called = [name for name in called if not known or not held[name] or held[name] & set(known)]
    fits = [name for name in names if held[name] and held[name] <= set(known)]
    return next((each[0] for each in (called, fits, names) if len(each) == 1), None) or _named(names, LABEL)


def _others(table: Table, *taken: str | None) -> list[str]:
    """The columns with a name that are not taken."""
    return [name for name in table.columns if name and name not in taken]


def _named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column with the first of these names, however it is written."""
    written = {re.sub(r"[\s-]", "_", name.strip().casefold()): name for name in reversed(columns)}
    return next((written[name] for name in names if name in written), None)
