"""Ways to tell the layout of an image folder: ``auto``, ``classes``, ``splits``, or folders by name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from resnetkit.errors import require

AUTO, CLASSES, SPLITS_BY_NAME = "auto", "classes", "splits"
UNSPLIT = "all"
KEYS = (UNSPLIT, "train", "val", "test")
FORMS = (
    "give auto, classes (the folders are the classes), splits (folders whose names stand for train, val and test do), "
    "or the folders by name: train=FOLDER,val=FOLDER,test=FOLDER, or all=FOLDER to divide its images"
)

Places = dict[str, tuple[str, ...]]


def parse_layout(text: str) -> Places | None:
    """The folders of each split, or None where the layout only has a name.

    A folder is a path below the data's, ``.`` for that itself; its sub-folders are the classes, or those that stand
    for ``*`` in it. A split that is named again has several folders.

    >>> parse_layout("train=part1,train=part 2,test=held, out")
    {'train': ('part1', 'part 2'), 'test': ('held, out',)}
    >>> parse_layout("splits")

    Raises:
        ResnetkitError: for anything else.
    """
    if text in (AUTO, CLASSES, SPLITS_BY_NAME):
        return None
    places: Places = {}
    for assignment in re.split(rf",(?=(?:{'|'.join(KEYS)})=)", text):
        split, _, folder = assignment.partition("=")
        path = "/".join(part for part in folder.split("/") if part not in ("", ".")) or "."
        is_whole = split in KEYS and folder != "" and ".." not in path.split("/")
        require(is_whole and path.split("/").count("*") == path.count("*") <= 1, f"'{text}' is no layout", fix=FORMS)
        places[split] = (*places.get(split, ()), path)
    require(UNSPLIT not in places or len(places) == 1, f"'{text}' divides images that others stand beside", fix=FORMS)
    return places


def type_layout(layout: str | Mapping[str, Sequence[str]]) -> str:
    """The option to type for a layout.

    >>> print(type_layout({"train": ["training set"], "test": ["."]}))
    --layout 'train=training set,test=.'
    """
    if not isinstance(layout, str):
        layout = ",".join(f"{split}={folder or '.'}" for split, folders in layout.items() for folder in folders)
    return f"--layout {shlex.quote(layout)}"
