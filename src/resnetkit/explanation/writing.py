"""Explanations as files: a page of all, or a picture or arrays of each."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from resnetkit.errors import Code, ResnetkitError
from resnetkit.explanation.explanation import Explanation, HeatMap
from resnetkit.explanation.methods import METHODS
from resnetkit.explanation.page import Heading, render_page
from resnetkit.explanation.sheet import render_png, render_svg
from resnetkit.files import MAX_NAME_LENGTH, durable_file, io_errors, write_durably

Form = Literal["html", "png", "svg", "npz"]

PAGE = "explanations.html"
SIGN = "by resnetkit"
SIGNS = (SIGN.encode(), SIGN.encode("utf-32-le"))  # numpy's texts are in the latter
SIGN_WITHIN_BYTES = 1024

README = """explained by resnetkit: heat maps of one image

maps           float32 (M, S, S): M maps over the square of S x S pixels that the network was given
methods        (M,): the method of each map
layers         (M,): the feature map that it read; empty: the pixels
units          (M,): the unit of its values, and their sign
window         float64 (4,): left, top, width and height of that square in the upright image, in its pixels; it reaches
               beyond the image where the square was padded
image_size     int64 (2,): height and width of the upright image, in pixels
checks         float64 (M, 8): of each map the areas by deletion and insertion, in [0, 1], those of a blob in the centre
               and of random places, and the rank correlations with maps of the network with its head, and with head and
               last stage, drawn anew; not a number where they were not asked for
probabilities  float32 (K,): of the classes, from 0 to 1
class_names    (K,): their names
class_name     the class that the maps explain
against        the class that it is explained against; empty: none
source         the image's path
"""


def plan_files(sources: Sequence[str], form: Form) -> list[str]:
    """Name the file of each image; the same image names from two folders get numbers.

    >>> plan_files(["a/cat.jpg", "b/cat.jpg", "b/Cat.png"], "png")
    ['cat.png', 'cat-2.png', 'Cat-3.png']
    """
    if form == "html":
        return [PAGE] * len(sources)
    taken: set[str] = set()
    return [f"{_free_name(source, taken)}.{form}" for source in sources]


def check_files(paths: Iterable[Path]) -> None:
    """Refuse to write where something is that we did not write.

    Raises:
        ResnetkitError: with the first such file.
    """
    for path in paths:
        if os.path.lexists(path) and not _is_ours(path):
            fix = "give another folder, or leave --out out: then a new one is made"
            raise ResnetkitError(Code.USAGE, f"{path} is there already, and no explanation of ours", fix=fix)


def write_all(
    explanations: Iterable[Explanation], folder: Path, names: Sequence[str], form: Form, heading: Heading
) -> None:
    """Write what comes, each file whole or not at all; a page holds unreadable images too, they have no other file.

    Args:
        names: those of :func:`plan_files`, in the order of the explanations.
    """
    if form == "html":
        with durable_file(folder / PAGE) as file:
            for piece in render_page(heading, explanations):
                file.write(piece.encode())
        return
    for explanation, name in zip(explanations, names, strict=True):
        if explanation.status != "error":
            write_durably(folder / name, _render(explanation, form))


def _render(explanation: Explanation, form: Form) -> bytes:
    if form == "npz":
        return _arrays(explanation)
    return render_png(explanation) if form == "png" else render_svg(explanation).encode()


def _arrays(explanation: Explanation) -> bytes:
    image, window, maps = explanation.image, explanation.window, explanation.maps
    assert image is not None
    assert window is not None
    content = io.BytesIO()
    # Not packed: what a file is, its first bytes tell.
    np.savez(
        content,
        README=np.array(README),
        maps=np.stack([heat.values for heat in maps]),
        methods=np.array([heat.method for heat in maps]),
        layers=np.array([heat.layer or "" for heat in maps]),
        units=np.array([_unit(heat) for heat in maps]),
        checks=np.stack([_checks(heat) for heat in maps]),
        window=np.array([window.left, window.top, window.width, window.height], np.float64),
        image_size=np.array(image.shape[:2], np.int64),
        probabilities=explanation.probabilities,
        class_names=np.array(explanation.class_names),
        class_name=np.array(maps[0].class_name),
        against=np.array(maps[0].against or ""),
        source=np.array(explanation.source),
    )
    return content.getvalue()


def _checks(heat: HeatMap) -> npt.NDArray[np.float64]:
    check = heat.check
    if check is None:
        return np.full(8, np.nan)
    areas = [area for one in (check.own, check.blob, check.random) for area in (one.deletion, one.insertion)]
    return np.array([*areas, check.head_anew, check.last_stage_anew], np.float64)


def _unit(heat: HeatMap) -> str:
    method = METHODS[heat.method]
    # Two probabilities have no difference worth telling where one is near 1: it is that of their logits.
    unit = "logits" if method.unit == "probability" and heat.against is not None else method.unit
    if method.is_relative:
        return f"{unit}; only differences within the map mean something"
    return f"{unit}; below 0: against the class" if method.is_signed else f"{unit}; 0 or more"


def _free_name(source: str, taken: set[str]) -> str:
    """A name after the image's own that no other has, on systems too that take large letters for small ones."""
    stem = re.sub(r"[^\w.]+", "-", Path(source).stem).strip("-.") or "image"
    stem = stem.encode("utf-8", "replace")[:MAX_NAME_LENGTH].decode("utf-8", "ignore")
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with io_errors(f"read {path}"), open(path, "rb") as file:
        head = file.read(SIGN_WITHIN_BYTES)
    return any(sign in head for sign in SIGNS)
