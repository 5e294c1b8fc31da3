"""Find the folders that hold each split's classes: read where it is plain, refused with the way to say it where not.

A folder's name alone decides nothing. It is read together with what it holds: a *divided* folder holds folders of
images, a flat one holds images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from resnetkit.errors import Code, did_you_mean, require
from resnetkit.folders.folder_tree import Folder
from resnetkit.folders.layout_option import CLASSES, KEYS, SPLITS_BY_NAME, UNSPLIT, Places, parse_layout
from resnetkit.folders.layout_refusals import Refusals
from resnetkit.folders.names import one_form
from resnetkit.folders.split_words import PLAIN, read_name, says_nothing, split_names
from resnetkit.terminal import listed, quoted


@dataclass(frozen=True)
class Reading:
    """Splits and classes that a layout tells of.

    Attributes:
        places: by split (or only ``all``), the folders that hold its class folders, relative to the root; the part
            ``*`` of a path stands for the class.
        unlabelled: by split, folders of images without classes.
        notes: what the user should be told of how the folders were read.
    """

    places: Places
    unlabelled: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayoutReader:
    """Reads the layout below ``root``.

    Attributes:
        known: class names that are known already, because a classifier is to be scored; no training images are
            needed then, and the names settle what the folders are.
        by_name: folders whose names stand for splits are splits, and whatever lies beside them is left aside.
    """

    root: Path
    known: frozenset[str] = frozenset()
    by_name: bool = False

    def read(self, at: Folder) -> Reading:
        """The layout of a folder in the tree."""
        refuse = Refusals(self.root, at)
        found = split_names(folder.name for folder in at.filled)
        marks = {name: meaning for name, meaning in found.items() if meaning != "part"}
        marked = [folder for folder in at.filled if folder.name in marks]
        others = [folder for folder in at.filled if folder.name not in marks]
        if self.by_name and (marks or len(at.filled) != 1):
            return self._splits(at, marks)
        if self._are_known(at.filled) and not any(self._are_known(folder.filled) for folder in at.filled):
            return Reading({UNSPLIT: (at.path,)})
        if not marks:
            return self._classes(at, all_parts=len(found) == len(others) > 1)
        if not any(class_root(folder) for folder in marked):
            return self._flat(at, marks, others)
        if others:
            raise refuse.side_by_side(marks, others)
        return self._splits(at, marks)

    def _are_known(self, folders: Sequence[Folder]) -> bool:
        return bool(folders) and all(one_form(folder.name) in self.known for folder in folders)

    def _classes(self, at: Folder, *, all_parts: bool) -> Reading:
        """Folders none of which is named as a split: classes, unless something speaks against it."""
        refuse, tops = Refusals(self.root, at), at.filled
        if not tops:
            raise refuse.unsorted(at)
        if len(tops) == 1 and (not self.known or is_divided(tops[0])):
            return self._only_one(at, tops[0])
        shared = set.intersection(*({folder.name for folder in top.filled} for top in tops))
        if len(tops) > 1 and len(shared) > 1 and all(map(is_divided, tops)):
            raise refuse.nested(tops, shared)
        if all_parts:
            raise refuse.parts(tops)
        return Reading({UNSPLIT: (at.path,)})

    def _only_one(self, at: Folder, inner: Folder) -> Reading:
        """A folder in which one other holds all images."""
        if not inner.filled:
            raise Refusals(self.root, at).unsorted(inner)
        holds_train = any(read_name(folder.name).meaning == "train" and class_root(folder) for folder in inner.filled)
        if not (holds_train or self._are_known(inner.filled) or says_nothing(inner.name) or inner.name == at.name):
            raise Refusals(self.root, at).only_one(inner)
        reading = self.read(inner)
        return replace(reading, notes=(f"the data are in the folder {quoted(inner.path)}", *reading.notes))

    def _flat(self, at: Folder, marks: Mapping[str, str], others: Sequence[Folder]) -> Reading:
        """Folders named as splits, but all without class folders."""
        refuse = Refusals(self.root, at)
        if not others:
            trains = [folder for folder in at.filled if marks[folder.name] == "train"]
            raise refuse.unsorted((trains or at.filled)[0])
        # Images to train on would be sorted; images to test on often have no labels.
        if list(marks.values()) == ["train"]:
            note = f"{listed(list(marks))} is read as a class: it holds images, and no class folders"
            return Reading({UNSPLIT: (at.path,)}, notes=(note,))
        raise refuse.split_or_class(marks, others)

    def _splits(self, at: Folder, marks: Mapping[str, str]) -> Reading:
        """Folders that are splits by their names, each with class folders or without labels."""
        refuse = Refusals(self.root, at)
        roots: dict[str, list[Folder]] = {}
        unlabelled: dict[str, tuple[str, ...]] = {}
        for folder in (folder for folder in at.filled if folder.name in marks):
            meaning, inner = marks[folder.name], class_root(folder)
            if inner is None and meaning != "train":
                split = meaning if meaning in ("val", "test") else "test"
                unlabelled[split] = (*unlabelled.get(split, ()), folder.path)
            elif meaning in ("unlabelled", "val or test"):
                raise refuse.which_split(folder, marks)
            else:
                roots.setdefault(meaning, []).append(inner or folder)
        for split, folders in roots.items():
            if len(folders) > 1:
                raise refuse.twice(split, roots)
        if "train" not in roots and not self.known:
            raise refuse.no_train(roots, marks)
        if "train" in roots and class_root(roots["train"][0]) is None:
            raise refuse.unsorted(roots["train"][0])
        places: Places = {split: (roots[split][0].path,) for split in ("train", "val", "test") if split in roots}
        read = [
            f"{quoted(path)} as {split}"
            for split, (path,) in places.items()
            if path.rpartition("/")[2].lower() not in PLAIN
        ]
        return Reading(places, unlabelled, (f"read {', '.join(read)}",) if read else ())


def read_layout(tree: Folder, root: Path, layout: str, known: Sequence[str] = ()) -> Reading:
    """The layout of a whole tree, decided by what is there or as ``layout`` says.

    Raises:
        ResnetkitError: where more than one reading is likely, with what to type for each; or where folders that
            ``layout`` names are missing.
    """
    if layout == CLASSES:
        return Reading({UNSPLIT: ("",)})
    places = parse_layout(layout)
    if places is None:
        return LayoutReader(root, frozenset(map(one_form, known)), layout == SPLITS_BY_NAME).read(tree)
    require(
        bool(known or {"train", UNSPLIT} & set(places)),
        f"the layout {layout} names no folder for train",
        fix="add train=FOLDER",
    )
    labelled: Places = {}
    unlabelled: dict[str, tuple[str, ...]] = {}
    for split, paths in places.items():
        for path in paths:
            folder = _existing(tree, root, path)
            target = labelled if "*" in path or folder.filled or split in ("train", UNSPLIT) else unlabelled
            target[split] = (*target.get(split, ()), path if "*" in path else folder.path)
    return Reading({split: labelled[split] for split in KEYS if split in labelled}, unlabelled)


def is_divided(folder: Folder) -> bool:
    """Tell whether most of a folder's images lie in folders of it."""
    return 2 * len(folder.images) < folder.num_images


def class_root(folder: Folder) -> Folder | None:
    """The folder in and below a split's own that holds its class folders; None where its images have no classes.

    A folder between them, of the same name (``train/train/cat``) or of one that says nothing (``train/images/cat``),
    is passed through.
    """
    inner = folder.filled[0] if len(folder.filled) == 1 and not folder.images else None
    if inner and (says_nothing(inner.name) or inner.name == folder.name):
        return class_root(inner)
    return folder if is_divided(folder) else None


def _existing(tree: Folder, root: Path, path: str) -> Folder:
    """The folder that a layout names; of a path with ``*``, the one in front of it."""
    front = path.split("*")[0].rstrip("/")
    folder = tree.find(front)
    require(
        folder is not None,
        f"the layout names the folder {quoted(front)}, but {root} has no such folder",
        fix=did_you_mean(front, sorted(each.path for each in tree.folders)),
        code=Code.DATA,
    )
    assert folder is not None
    return folder
