"""Facts that are known without a look at what images show: of their files, their frames, their backgrounds."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from resnetkit.audit.subject import Subject
from resnetkit.images.file_traits import FileTraits
from resnetkit.images.types import Indices, UInt8Images

# file: how it is stored; frame: steps along its edges, as a border makes them; background: the colours at its edges,
# which a class may have by its nature.
Group = Literal["file", "frame", "background"]
Numbers = npt.NDArray[np.float64]

RINGS = 4  # of a thumbnail's pixels, from the edge inwards, that frames are looked for in
FLAT_LEVELS = 2.0  # standard deviation within a side that is of one colour
STEP_LEVELS = 0.1  # keeps shares of steps defined where there are none


@dataclass(frozen=True, eq=False)
class Fact:
    """Something known of each of N images.

    Attributes:
        name: as in "the file format alone".
        values: float64 ``(N, V)``; a category is a number of its own.
        tell: says the value of one of them in a few words.
    """

    name: str
    group: Group
    values: Numbers
    tell: Callable[[int], str] = lambda _: ""

    @property
    def varies(self) -> bool:
        """False where all images have the same values."""
        return bool((self.values != self.values[:1]).any())


def gather_facts(subject: Subject, rows: Indices) -> list[Fact]:
    """The facts about the images at some rows that are not the same for all of them."""
    is_small = subject.source.shapes.shorter_px < subject.thumbnails.shape[3]  # which magnifies its edges
    edges = [] if is_small else list(_facts_of_edges(subject.thumbnails[rows]))
    if subject.traits is None:
        return [fact for fact in edges if fact.varies]
    traits = [subject.traits[row] for row in rows.tolist()]
    names = _name_patterns([subject.identifiers[row] for row in rows.tolist()], subject.class_names)
    return [
        fact
        for fact in (*_facts_of_files(traits), _category("the pattern of file names alone", names), *edges)
        if fact.varies
    ]


def _facts_of_files(traits: Sequence[FileTraits]) -> Iterator[Fact]:
    widths, heights, sizes = (
        np.array([getattr(one, name) for one in traits], np.float64) for name in ("width", "height", "num_bytes")
    )
    yield _category("the file format alone", [one.format for one in traits])
    yield _category("the kind of pixels alone", [f"{one.mode}, {one.bits} bits" for one in traits])
    yield _category("the EXIF orientation alone", [str(one.orientation) for one in traits])
    yield _category("the camera alone", [one.camera or "none" for one in traits])
    yield _number("the file size alone", sizes, lambda row: f"{sizes[row] / 1000:,.0f} kB")
    per_pixel = sizes / (widths * heights)
    yield _number("the number of bytes a pixel alone", per_pixel, lambda row: f"{per_pixel[row]:.2f} bytes a pixel")
    yield Fact(
        "the size in pixels alone",
        "file",
        np.stack([widths, heights], 1),
        lambda row: f"{widths[row]:.0f} × {heights[row]:.0f}",
    )
    yield _number("the aspect ratio alone", widths / heights, lambda row: f"{widths[row] / heights[row]:.2f} : 1")


def _number(name: str, values: Numbers, tell: Callable[[int], str]) -> Fact:
    return Fact(name, "file", values[:, None], tell)


def _category(name: str, texts: Sequence[str]) -> Fact:
    _, codes = np.unique(np.array(texts, dtype=object).astype(str), return_inverse=True)
    return Fact(name, "file", codes[:, None].astype(np.float64), lambda row: texts[row])


def _name_patterns(identifiers: Sequence[str], class_names: Sequence[str]) -> list[str]:
    """The name of each file without what tells one image from another: digits and names of classes.

    >>> _name_patterns(["cat/cat_0017.jpg", "dog/DSC0012a.png", "dog/dog-1f3e.png"], ["cat", "dog"])
    ['@_#.jpg', 'DSC#.png', '@-#.png']
    """
    classes = re.compile("|".join(map(re.escape, sorted(class_names, key=len, reverse=True))), re.IGNORECASE)
    found = []
    for identifier in identifiers:
        without = classes.sub("@", os.path.basename(identifier))
        found.append(re.sub(r"\d[0-9a-fA-F]*|\b[a-fA-F]+\d[0-9a-fA-F]*", "#", without))
    return found


def _facts_of_edges(thumbnails: UInt8Images) -> Iterator[Fact]:
    rings = [_ring(thumbnails, depth) for depth in range(RINGS)]
    steps = np.stack([np.abs(one - next_in).mean((2, 3)) for one, next_in in pairwise(rings)])
    shares = steps / (steps.sum(0) + STEP_LEVELS)  # of a border there is one large step, wherever the picture is
    is_flat = rings[0].std(3).mean(2) < FLAT_LEVELS
    frame = np.concatenate([*shares[:-1], is_flat], 1)
    yield Fact("a frame around the picture alone", "frame", frame)
    colours = rings[0].mean((1, 3))
    yield Fact("the colour along the edges alone", "background", np.concatenate([colours, rings[0].std(3).mean(2)], 1))
    corners = thumbnails[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].reshape(len(thumbnails), -1).astype(np.float64)
    yield Fact("the colour in the corners alone", "background", corners)


def _ring(thumbnails: UInt8Images, depth: int) -> npt.NDArray[Any]:
    """The four sides so deep in each thumbnail, without their corners, float64 ``(N, 4, 3, n)``."""
    last, inner = thumbnails.shape[2] - 1 - depth, slice(RINGS, -RINGS)
    sides = [
        thumbnails[:, :, depth, inner],
        thumbnails[:, :, last, inner],
        thumbnails[:, :, inner, depth],
        thumbnails[:, :, inner, last],
    ]
    return np.stack(sides, 1).astype(np.float64)
