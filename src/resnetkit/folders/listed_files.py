"""Files that the cells of a list name: from its folder on or absolute, as Windows writes them, or without an ending."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from resnetkit.errors import Code, require
from resnetkit.images.image_files import format_of, is_image
from resnetkit.terminal import listed

LOOKED_AT = 20  # rows that tell which folder paths start from
LONGEST_SIGNATURE = 256


@dataclass(frozen=True)
class ListedFiles:
    """The files below ``root`` that a list names.

    Attributes:
        root: the folder of the list, from the root of the disk on.
        base: the folder in it that paths start from; empty for itself.
    """

    root: str
    base: str = ""
    by_stem: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def find(self, cell: str) -> str | None:
        """The path of the file that a cell names, relative to ``root`` where it is below it; None where there is none.

        Of a cell without the ending of an image, the file with the one that is there.

        Raises:
            ResnetkitError: where a cell without an ending stands for several files.
        """
        for form in _forms(cell):
            path = os.path.normpath(os.path.join(self.base, form))
            whole = os.path.join(self.root, path)
            if os.path.isfile(whole):
                return self._from_root(path)
            if not is_image(path) and (endings := self._with_endings(whole)):
                require(
                    len(endings) == 1,
                    f"{cell} stands for several files: {listed(endings)}",
                    fix="write the whole names into the list",
                    code=Code.DATA,
                )
                return self._from_root(os.path.join(os.path.dirname(path), endings[0]))
        return None

    @cached_property
    def _front(self) -> str:
        return self.root.rstrip("/") + "/"

    def _from_root(self, path: str) -> str:
        return path.removeprefix(self._front)

    def _with_endings(self, whole: str) -> Sequence[str]:
        """Names of the images that are called as a path is, but for their ending."""
        folder, stem = os.path.split(whole)
        if folder not in self.by_stem:
            self.by_stem[folder] = _images_by_stem(folder)
        return self.by_stem[folder].get(stem, ())


def files_of(root: str, cells: Sequence[str]) -> ListedFiles:
    """The files of a list, whose paths start from its folder, or from the one in it where the first of them lie.

    Raises:
        ResnetkitError: where they may start from several folders.
    """
    first = [cell for cell in cells if cell.strip()][:LOOKED_AT]
    if any(map(ListedFiles(root).find, first)):
        return ListedFiles(root)
    bases = [base for base in _folders(root) if any(map(ListedFiles(root, base).find, first))]
    require(
        len(bases) < 2,
        f"files such as {listed(first, 1)} are in several folders of {root}: {listed(bases)}",
        fix=f"write the folder into the list too: {bases[0] if bases else ''}/{first[0] if first else ''}",
        code=Code.DATA,
    )
    return ListedFiles(root, bases[0] if bases else "")


def holds_image(whole: str) -> bool:
    """Tell whether a file is an image, by its name or else by its first bytes."""
    if is_image(whole):
        return True
    try:
        with open(whole, "rb") as file:
            return format_of(file.read(LONGEST_SIGNATURE)) is not None
    except OSError:
        return False


def _forms(cell: str) -> Iterator[str]:
    """Ways to read a cell as a path, the plainest first."""
    yield cell
    plain = cell.strip()
    if plain != cell:
        yield plain
    if "\\" in plain:
        yield plain.replace("\\", "/")


def _folders(root: str) -> list[str]:
    with os.scandir(root) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _images_by_stem(folder: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        names = sorted(os.listdir(folder))
    except (OSError, ValueError):  # no such folder, or what no path can be
        names = []
    for name in filter(is_image, names):
        found.setdefault(name.rpartition(".")[0], []).append(name)
    return found
