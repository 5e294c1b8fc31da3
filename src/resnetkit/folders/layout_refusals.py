"""Reasons why a layout is not read, what it is likely meant to be, and what to type then."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resnetkit.errors import Code, ResnetkitError
from resnetkit.folders.folder_tree import Folder
from resnetkit.folders.layout_option import CLASSES, UNSPLIT, type_layout
from resnetkit.folders.split_words import says_nothing, split_names
from resnetkit.folders.table_file import SUFFIXES as LISTS
from resnetkit.images.image_files import count_unread
from resnetkit.terminal import listed, quoted

WANTED = "put the images in FOLDER/train/CLASS/ (and FOLDER/val/CLASS/, FOLDER/test/CLASS/), or in FOLDER/CLASS/"
TABLES = (".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".parquet")
MOST_CLASSES_IN_FILE_NAMES = 20


@dataclass(frozen=True)
class Refusals:
    """The errors about the folder ``at`` in the tree below ``root``."""

    root: Path
    at: Folder

    @property
    def place(self) -> str:
        """The folder's whole path."""
        return str(self.root / self.at.path)

    def unsorted(self, folder: Folder) -> ResnetkitError:
        """Images that no class folders tell apart."""
        place = self.root / folder.path
        if folder.path and not says_nothing(folder.name):
            what = f"only one class, {quoted(folder.name)}, below {place.parent}"
            return _error(what, "a classifier needs at least two classes to tell apart", WANTED)
        if not folder.num_images:
            unread = folder.all_left_out().unread
            why = f"there are {count_unread(unread)}, which are not read" if unread else ""
            return _error(f"no images in class folders below {place}", why, WANTED)
        what = f"no images in class folders below {place}: {len(folder.images):,} images lie in one folder"
        classes = classes_in_file_names([path.rsplit("/", 1)[-1] for path in folder.images])
        tables = sorted(entry.name for entry in self.root.iterdir() if entry.suffix.lower() in TABLES)
        if classes:
            why = f"their names begin with {listed(classes)}: these look like the classes"
            return _error(what, why, f"sort them into folders: {sorting_command(place, classes)}")
        if tables:
            why = f"their classes may be in {listed(tables, 3)}"
            lists = [shlex.quote(str(self.root / name)) for name in tables if name.lower().endswith(LISTS)]
            sort = f"put each image into {place}/CLASS/, as the table says"
            return _error(what, why, f"if it lists them, give the table: {lists[0]}; or {sort}" if lists else sort)
        return _error(what, "a class is told by the folder that an image is in", WANTED)

    def only_one(self, inner: Folder) -> ResnetkitError:
        """A single folder, whose own folders may be the classes."""
        names = listed([folder.name for folder in inner.filled], 5)
        return _error(
            f"only one class, {quoted(inner.name)}, below {self.place}",
            f"it holds the folders {names}",
            f"if these are the classes, give {shlex.quote(str(self.root / inner.path))}",
        )

    def split_or_class(self, marks: Mapping[str, str], others: Sequence[Folder]) -> ResnetkitError:
        """A flat folder named as a split beside class folders."""
        names = list(marks)
        asides = [name for name in names if marks[name] != "train"]
        return _error(
            f"{listed(names)} in {self.place} may be a class or a part of the data",
            f"it holds images directly, as {listed([folder.name for folder in others], 3)} beside it do, "
            "but has the name of a part",
            _either(
                (type_layout(CLASSES), f"{listed(names)} is a class like the others"),
                (
                    type_layout({"train": [self.at.path], "test": [self._path(name) for name in asides]}),
                    "the others are the classes to train on; images without labels are left aside",
                ),
            ),
        )

    def side_by_side(self, marks: Mapping[str, str], others: Sequence[Folder]) -> ResnetkitError:
        """Divided folders named as splits, and other folders of images."""
        named = {folder.name: folder for folder in self.at.filled if folder.name in marks}
        other_names = [folder.name for folder in others]
        splits = self._mapping(marks)
        choices = [(type_layout(CLASSES), f"the classes are {listed([each.name for each in self.at.filled], 5)}")]
        if "train" in splits:
            choices.append((type_layout(splits), f"only these, without {listed(other_names, 5)}"))
            classes = {folder.name for name in named if marks[name] == "train" for folder in named[name].filled}
            choices += [
                (type_layout({**splits, "test": [other.path]}), f"{quoted(other.name)} is for testing")
                for other in others
                if classes & {folder.name for folder in other.filled} and "test" not in splits
            ]
        else:
            choices.append(
                (type_layout({"train": [self.at.path], **splits}), f"{listed(other_names, 5)} are to train on")
            )
        return _error(
            f"{self.place} may be read in more than one way",
            f"{listed(list(marks))} has the name of a part of the data and holds folders of images, but "
            f"{listed(other_names, 5)} beside it hold images too",
            _either(*choices),
        )

    def nested(self, tops: Sequence[Folder], shared: set[str]) -> ResnetkitError:
        """Folders that all hold folders of the same names."""
        top_names, inner_names = [folder.name for folder in tops], sorted(shared)
        what = f"the classes in {self.place} may be {listed(top_names, 5)}, or {listed(inner_names, 5)} in them"
        marks = split_marks(inner_names)
        if not marks:
            together = {UNSPLIT: [folder.path for folder in tops]}
            apart = {"train": [folder.path for folder in tops[:-1]], "test": [tops[-1].path]}
            choices = [
                (type_layout(CLASSES), f"the classes are {listed(top_names, 5)}"),
                (type_layout(together), f"the classes are {listed(inner_names, 5)}, from all these folders"),
                (type_layout(apart), f"the same, {quoted(tops[-1].name)} for testing"),
            ]
            return _error(what, "all of these folders hold folders of the same names", _either(*choices))
        if any(folder.filled for top in tops for folder in top.filled):
            paths = [shlex.quote(str(self.root / folder.path)) for folder in tops]
            why = f"each of {listed(top_names, 5)} is a data set of its own"
            return _error(f"{self.place} holds several data sets", why, f"give one of them: {', '.join(paths[:5])}")
        front = f"{self.at.path}/" if self.at.path else ""
        below = {
            meaning: [f"{front}*/{name}" for name in marks if marks[name] == meaning] for meaning in marks.values()
        }
        choices = [
            (type_layout(below), f"the classes are {listed(top_names, 5)}, each divided as its folders say"),
            (type_layout(CLASSES), "the same classes, divided anew"),
        ]
        return _error(what, "each of these folders is divided by itself", _either(*choices))

    def parts(self, tops: Sequence[Folder]) -> ResnetkitError:
        """Flat folders that are numbered parts of something."""
        names = listed([folder.name for folder in tops], 5)
        return _error(
            f"{names} in {self.place} look like parts of one set, not like classes",
            "they are numbered, and hold images directly",
            _either((type_layout(CLASSES), "they are the classes"), ("sort the images into FOLDER/CLASS/", "else")),
        )

    def which_split(self, folder: Folder, marks: Mapping[str, str]) -> ResnetkitError:
        """A divided folder whose name may stand for val or for test."""
        splits = self._mapping({name: meaning for name, meaning in marks.items() if name != folder.name})
        choices = [
            (type_layout({**splits, split: [*splits.get(split, ()), folder.path]}), use)
            for split, use in (("val", "it chooses the epoch"), ("test", "it is read once, at the end"))
        ]
        what = f"{quoted(folder.name)} in {self.place} may be for validation or for testing"
        return _error(what, "its name says neither", _either(*choices))

    def twice(self, split: str, roots: Mapping[str, Sequence[Folder]]) -> ResnetkitError:
        """Two folders for one split."""
        paths = [folder.path for folder in roots[split]]
        everything = {name: [folder.path for folder in folders] for name, folders in roots.items()}
        first = {name: folders[:1] if name == split else folders for name, folders in everything.items()}
        return _error(
            f"two folders for {split} in {self.place}: {listed(paths)}",
            "",
            _either((type_layout(everything), "all of them"), (type_layout(first), f"only {quoted(paths[0])}")),
        )

    def no_train(self, roots: Mapping[str, Sequence[Folder]], marks: Mapping[str, str]) -> ResnetkitError:
        """Divided folders for testing alone."""
        names = list(marks) or [folder.name for folder in self.at.filled]
        paths = [folder.path for folders in roots.values() for folder in folders]
        give = f"give {shlex.quote(str(self.root / paths[0]))} itself to divide its images" if paths else WANTED
        choices = [(type_layout(CLASSES), f"the classes are {listed(names, 5)}")] if len(names) > 1 else []
        return _error(
            f"{self.place} has class folders in {listed(paths or names, 5)}, but no folder train that holds any",
            "these names stand for parts of the data, each with the class folders in it",
            _either(*choices, (give, "they are classes of images to train on")),
        )

    def _path(self, name: str) -> str:
        return next(folder.path for folder in self.at.filled if folder.name == name)

    def _mapping(self, marks: Mapping[str, str]) -> dict[str, list[str]]:
        """The folders of the splits that names say plainly."""
        found: dict[str, list[str]] = {}
        for split in ("train", "val", "test"):
            for name, meaning in marks.items():
                if meaning == split:
                    found.setdefault(split, []).append(self._path(name))
        return found


def classes_in_file_names(names: Sequence[str]) -> list[str]:
    """Names that files are called after, as in ``cat.0.jpg`` or ``dog_12.png``; none where they tell no classes.

    >>> classes_in_file_names(["cat.0.jpg", "cat.1.jpg", "dog_12.png"])
    ['cat', 'dog']
    >>> classes_in_file_names(["IMG_1.jpg", "0.jpg"])
    []
    """
    starts = Counter(found[1] for name in names if (found := re.match(r"([^\W\d_]+)[._ -]\d+\.", name)))
    is_plain = 2 <= len(starts) <= MOST_CLASSES_IN_FILE_NAMES and starts.total() == len(names)
    return sorted(starts) if is_plain else []


def sorting_command(folder: Path, classes: Sequence[str]) -> str:
    """A shell command that moves files into folders by what their names begin with."""
    place = shlex.quote(str(folder))
    return (
        f"for class in {' '.join(map(shlex.quote, classes))}; do mkdir -p {place}/$class && "
        f'find {place} -maxdepth 1 -type f -name "$class[._ -]*" -exec mv {{}} {place}/$class/ \\; ; done'
    )


def split_marks(names: Sequence[str]) -> dict[str, str]:
    """The split that each of some names stands for; nothing if one of them stands for none."""
    found = {name: meaning for name, meaning in split_names(names).items() if meaning in ("train", "val", "test")}
    return found if len(found) == len(names) else {}


def _either(*choices: tuple[str, str]) -> str:
    return "; or ".join(f"{command} ({meaning})" for command, meaning in choices)


def _error(what: str, why: str, fix: str) -> ResnetkitError:
    return ResnetkitError(Code.DATA, what, why=why, fix=fix)
