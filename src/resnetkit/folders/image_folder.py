"""Image folders: one folder per class, with or without folders for train, val and test above them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.folders.folder_tree import Folder, natural_key, read_tree
from resnetkit.folders.layout import Reading, is_divided, read_layout
from resnetkit.folders.layout_option import AUTO, CLASSES, UNSPLIT, type_layout
from resnetkit.folders.layout_refusals import WANTED
from resnetkit.folders.names import alike, apart, lookalikes, one_form
from resnetkit.images.image_files import LeftOut, count_unread
from resnetkit.pages.formatting import counted
from resnetkit.terminal import listed, quoted

SHOWN_ASIDES = 5
SHOWN_GROUPS = 10


@dataclass
class Listing:
    """The image files of one split: paths relative to the root, with ``/``, and their class names.

    Attributes:
        empty_folders: those beside the class folders that hold no image.
        groups: of each file; empty where nothing says them.
    """

    paths: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    empty_folders: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def add(self, path: str, name: str, group: str | None) -> None:
        """Add a file with its class, and its group if a table has a column of them."""
        self.paths.append(path)
        self.classes.append(name)
        self.groups += [] if group is None else [group]


@dataclass(frozen=True)
class ImageFolder:
    """Findings of a scan.

    Attributes:
        splits: those of ``train``, ``val`` and ``test`` that exist, or only ``all`` for classes without a split.
        unlabelled: the splits that have images, but no class folders, and so are left aside.
        ignored_files: hidden files and folders, and files that are known to be no images.
        notes: how the folders were read, and what was left aside as it has to be.
        warnings: what is not read although it looks as if it should be.
    """

    root: Path
    class_names: tuple[str, ...]
    splits: dict[str, Listing]
    unlabelled: tuple[str, ...]
    ignored_files: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def scan(root: Path, layout: str = AUTO, known: Sequence[str] = ()) -> ImageFolder:
    """The images below ``root`` by split and class, without opening any of them.

    Args:
        layout: as :attr:`~resnetkit.data.spec.DataSpec.layout`.
        known: the classes of the classifier that is to be scored; one of them and no training images are enough then.

    Raises:
        ResnetkitError: if the layout can be read in more than one way, if there are fewer than two classes, if a split
            has classes that train lacks, or if a class has only files that are not read.
    """
    require(root.is_dir(), f"there is no folder {root}", code=Code.DATA, fix="check the path")
    tree = read_tree(root)
    reading = read_layout(tree, root, layout, known)
    found = {split: _class_folders(tree, reading, split) for split in reading.places}
    splits = {split: _list(root, folders) for split, folders in found.items()}
    named = splits.values() if known else [next(iter(splits.values()))]
    class_names = tuple(sorted({name for listing in named for name in listing.classes}, key=natural_key))
    check_number(root / next(iter(reading.places.values()))[0], class_names, least=1 if known else 2)
    warnings = []
    if not known:
        _check_same_classes(root, reading, class_names, splits)
        warnings += _alike(root, layout, reading, class_names) + tell_absent(class_names, splits)
    left_out = tree.all_left_out()
    empty = [path for listing in splits.values() for path in listing.empty_folders if _last(path) not in known]
    warnings += [f"folders without any image are no classes: {listed(empty)}"] if empty else []
    warnings += [f"not read: {count_unread(left_out.unread)}"] if left_out.unread else []
    warnings += _outside(tree, found, reading)
    notes = (*reading.notes, *_merged(found), *_inside(found), *_without_labels(tree, reading))
    return ImageFolder(root, class_names, splits, tuple(reading.unlabelled), left_out.beside, notes, tuple(warnings))


def find_images(folder: Path) -> tuple[list[str], LeftOut]:
    """The images in and below a folder, sorted, and what else there is."""
    tree = read_tree(folder)
    return [str(folder / path) for path in tree.all_images()], tree.all_left_out()


def _class_folders(tree: Folder, reading: Reading, split: str) -> list[tuple[str, Folder]]:
    """The folders of a split's classes, each with the name of its class."""
    taken = {path for places in (*reading.places.values(), *reading.unlabelled.values()) for path in places}
    found = []
    for place in reading.places[split]:
        front, _, back = place.partition("*")
        at = tree.find(front)
        assert at is not None
        for folder in at.folders:
            inner = folder.find(back) if "*" in place else folder
            if inner is not None and not any(f"{path}/".startswith(f"{folder.path}/") for path in taken):
                found.append((one_form(folder.name), inner))
    return sorted(found, key=lambda each: natural_key(each[0]))


def _last(path: str) -> str:
    return one_form(path.rpartition("/")[2])


def _list(root: Path, folders: Sequence[tuple[str, Folder]]) -> Listing:
    listing = Listing()
    for name, folder in folders:
        paths, unread = folder.all_images(), folder.all_left_out().unread
        require(
            bool(paths) or not unread,
            f"no file of class {quoted(name)} is read: {root / folder.path} holds {count_unread(unread)}",
            why="a class must not vanish because of the kind of its files",
            fix="convert them, e.g. to JPEG or PNG; or move the folder away",
            code=Code.DATA,
        )
        listing.paths += paths
        listing.classes += [name] * len(paths)
        listing.empty_folders += [] if paths else [folder.path]
    return listing


def check_number(where: Path, class_names: Sequence[str], least: int) -> None:
    """Refuse fewer classes than ``least``, saying where they were looked for."""
    require(len(class_names) > 0, f"no images in class folders below {where}", code=Code.DATA, fix=WANTED)
    require(
        len(class_names) >= least,
        f"only one class, {quoted(class_names[0])}, below {where}",
        why="a classifier needs at least two classes to tell apart",
        code=Code.DATA,
        fix=WANTED,
    )


def _check_same_classes(
    root: Path, reading: Reading, class_names: Sequence[str], splits: Mapping[str, Listing]
) -> None:
    """Refuse a split with classes that train lacks."""
    for name, listing in splits.items():
        extra = sorted(set(listing.classes) - set(class_names), key=natural_key)
        if not extra:
            continue
        near = [apart([one, other]) for one in extra for other in class_names if alike(one) == alike(other)]
        others = {split: places for split, places in reading.places.items() if split != name}
        fix = f"rename or remove these class folders; or {type_layout(others)} (leaves {name} aside)"
        if set(listing.classes).isdisjoint(class_names):
            fix += f"; or {type_layout(CLASSES)} (these folders are the classes themselves)"
        raise ResnetkitError(
            Code.DATA,
            f"the classes of {name} and train differ in {root}",
            why=f"train has no class {listed(extra)}" + (f"; alike are {', '.join(near[:3])}" if near else ""),
            fix=fix,
        )


def _alike(root: Path, layout: str, reading: Reading, class_names: Sequence[str]) -> list[str]:
    """Refuse names that may be one class in several spellings; a warning where a layout was given."""
    groups = [apart(group) for group in lookalikes(class_names)]
    if not groups:
        return []
    text = f"class names that differ only in letter case, spaces or invisible signs: {'; '.join(groups[:5])}"
    require(
        layout != AUTO,
        f"{text}, in {root}",
        why="they may be one class in several spellings",
        fix=f"give the folders one name; or {type_layout(reading.places)} (they are classes of their own)",
        code=Code.DATA,
    )
    return [text]


def tell_absent(class_names: Sequence[str], splits: Mapping[str, Listing]) -> list[str]:
    """Tell of splits without an image of some class."""
    found = []
    for name, listing in splits.items():
        absent = sorted(set(class_names) - set(listing.classes), key=natural_key)
        found += [f"{name} has no images of class {listed(absent)}: it is scored over the others"] if absent else []
    return found


def _merged(found: Mapping[str, Sequence[tuple[str, Folder]]]) -> list[str]:
    """Tell of folders whose names are one name in two Unicode forms."""
    notes = []
    for folders in found.values():
        spellings: dict[str, set[str]] = {}
        for name, folder in folders:
            spellings.setdefault(name, set()).add(folder.name)
        notes += [
            f"{apart(sorted(names))} are one name in two Unicode forms, and read as one class"
            for names in spellings.values()
            if len({one_form(name) for name in names}) < len(names)
        ]
    return notes


def _inside(found: Mapping[str, Sequence[tuple[str, Folder]]]) -> list[str]:
    """Tell of folders of images inside class folders, which may have been meant as classes."""
    used = [folder for folders in found.values() for _, folder in folders if folder.num_images]
    inner = [each.path for folder in used if len(folder.filled) > 1 for each in folder.filled]
    if not inner:
        return []
    note = f"folders inside a class folder belong to its class: {listed(inner, 3)}"
    if set(found) == {UNSPLIT} and all(map(is_divided, used)) and len(used) <= SHOWN_GROUPS:
        note += f" ({type_layout({UNSPLIT: [folder.path for folder in used]})} makes them the classes)"
    return [note]


def _without_labels(tree: Folder, reading: Reading) -> list[str]:
    return [
        f"{quoted(place)} holds {_count(tree.find(place))}, but no class folders: without labels they are left aside"
        for places in reading.unlabelled.values()
        for place in places
    ]


def _outside(tree: Folder, found: Mapping[str, Sequence[tuple[str, Folder]]], reading: Reading) -> list[str]:
    """Tell of images that are in no class folder."""
    used = {folder.path for folders in found.values() for _, folder in folders}
    used |= {place for places in reading.unlabelled.values() for place in places}
    above = {path.rsplit("/", depth)[0] for path in used for depth in range(1, path.count("/") + 1)} | {""}
    strays: list[str] = []
    asides: list[Folder] = []
    for folder in _pruned(tree, used):
        if folder.path in above:
            strays += folder.images
        elif folder.path.rpartition("/")[0] in above and folder.num_images:
            asides.append(folder)
    warnings = [f"not read: {quoted(folder.path)} ({_count(folder)})" for folder in asides[:SHOWN_ASIDES]]
    warnings += [f"not read: {len(asides) - SHOWN_ASIDES:,} more folders"] if len(asides) > SHOWN_ASIDES else []
    text = "1 image in no class folder is" if len(strays) == 1 else f"{len(strays):,} images in no class folder are"
    return warnings + ([f"{text} not read: {listed(strays, 3)}"] if strays else [])


def _pruned(folder: Folder, used: Set[str]) -> Iterator[Folder]:
    """The folders of a tree but those that are used, and what is in them."""
    if folder.path in used:
        return
    yield folder
    for inner in folder.folders:
        yield from _pruned(inner, used)


def _count(folder: Folder | None) -> str:
    return counted(folder.num_images if folder else 0, "image")
