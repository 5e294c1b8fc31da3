"""Images that an export is proved on: those that watched over a run's training, or the user's, as files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resnetkit.classifier.classifier import Classifier
from resnetkit.data.loading import open_data
from resnetkit.data.prepared_images import PixelImages
from resnetkit.data.source import DataSource
from resnetkit.data.splitting import choose_some
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.evaluation.scoring import match_classes
from resnetkit.files import write_durably
from resnetkit.folders.image_list import find_labelled
from resnetkit.folders.names import one_form
from resnetkit.images.opening import read_content
from resnetkit.images.prepared_pixels import prepare_seen
from resnetkit.images.preprocessing import array_to_image
from resnetkit.images.spec import Limits
from resnetkit.images.types import Indices, UInt8Images, UnreadableImage
from resnetkit.sources.locate import Located
from resnetkit.sources.own_data import find_data

MAX_IMAGES = 1000
UNKNOWN = -1


@dataclass(frozen=True)
class ProofImages:
    """Image files.

    Attributes:
        paths: where they are now.
        names: what people call them.
        labels: int64 ``(N,)``, positions among the classifier's classes; :data:`UNKNOWN` where that is not known.
        told: where they are from, in words.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...]
    labels: Indices
    told: str

    def __len__(self) -> int:
        return len(self.paths)


@contextmanager
def open_proof_images(
    located: Located, classifier: Classifier, folder: str | None, *, max_images: int = MAX_IMAGES
) -> Iterator[ProofImages]:
    """Find the images to prove a classifier's export on; those that are no files are written as such for a while.

    Args:
        located: what the classifier was opened from.
        folder: the user's images, of which those are labelled that lie in folders with names of classes, or by their
            list; None: the run's own.
        max_images: of more, so many are chosen, the same share of every class.

    Raises:
        ResnetkitError: where there are none.
    """
    require(max_images >= 1, f"--max-images must be at least 1, got {max_images}", fix="leave it out: 1,000")
    with tempfile.TemporaryDirectory(prefix="resnetkit-") as place:
        if folder is not None:
            yield _of_folder(folder, classifier, max_images)
        else:
            yield _of_run(located, classifier, max_images, Path(place))


def _of_folder(folder: str, classifier: Classifier, max_images: int) -> ProofImages:
    labelled = find_labelled(folder, classifier.class_names)
    paths = list(labelled)
    require(bool(paths), f"no image files in {folder}", fix="give a folder or list that has some", code=Code.DATA)
    start = folder if os.path.isdir(folder) else os.path.dirname(folder) or "."
    names = [os.path.relpath(path, start) for path in paths]
    position = {one_form(name): index for index, name in enumerate(classifier.class_names)}
    told = [
        position.get(label, UNKNOWN) if label else _label(name, position)
        for name, label in zip(names, labelled.values(), strict=True)
    ]
    labels = np.array(told, np.int64)
    rows = choose_some(names, labels, seed=0, num_images=max_images)
    words = f"{_counted(len(rows), len(paths))} in {folder}"
    return ProofImages(tuple(paths[row] for row in rows), tuple(names[row] for row in rows), labels[rows], words)


def _label(name: str, position: dict[str, int]) -> int:
    """The class of the innermost folder on the way to a file that has the name of one."""
    folders = reversed(Path(name).parts[:-1])
    return next((position[one_form(part)] for part in folders if one_form(part) in position), UNKNOWN)


def _of_run(located: Located, classifier: Classifier, max_images: int, place: Path) -> ProofImages:
    if located.run is None:
        raise ResnetkitError(
            Code.DATA,
            f"which images should the export of {located.text} be proved on?",
            why="only a run has images of its own",
            fix="--images FOLDER, with photographs like those that it will be used on",
        )
    try:
        spec, _ = find_data(located, None, classifier.limits)
    except ResnetkitError as error:
        raise replace_fix(error, "say where images are: --images FOLDER") from None
    source = open_data(spec, classifier.class_names)
    split = next((name for name in ("val", "test") if name in source.listings), None)
    if split is None:
        raise ResnetkitError(Code.DATA, f"{located.text} held back no images", fix="give others: --images FOLDER")
    listing = source.listings[split]
    rows = choose_some(listing.identifiers, listing.labels, seed=0, num_images=max_images)
    chosen = listing.select(rows)
    labels = match_classes(source.class_names, classifier.class_names)[chosen.labels]
    told = f"{_counted(len(rows), len(listing.labels))} of the split {split} of {located.text}"
    originals = chosen.prepared(prepare_seen, classifier.preprocessing)
    if isinstance(originals, PixelImages):
        paths = _write_pixels(originals.as_array(), place)
    else:
        paths = _find_or_write(source, chosen.identifiers, spec.limits, place)
    return ProofImages(tuple(paths), tuple(chosen.identifiers), labels, told)


def replace_fix(error: ResnetkitError, fix: str) -> ResnetkitError:
    """The same error with another way out."""
    return ResnetkitError(error.code, error.what, why=error.why, fix=fix)


def _counted(number: int, of: int) -> str:
    return f"{number:,} images" if number == of else f"{number:,} of {of:,} images"


def _write_pixels(pixels: UInt8Images, place: Path) -> list[str]:
    """Write images ``(N, C, H, W)`` as files that lose nothing."""
    paths = [str(place / f"{number}.png") for number in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        array_to_image(image).save(path)
    return paths


def _find_or_write(source: DataSource, identifiers: Sequence[str], limits: Limits, place: Path) -> list[str]:
    """Paths of files; of images that are rows of tables, their bytes written as such."""
    paths = []
    for number, identifier in enumerate(identifiers):
        path = str(source.root / identifier)
        if not os.path.isfile(path):
            try:
                content = read_content(path, limits)
            except UnreadableImage:
                content = b""  # whoever reads it next says what is wrong
            path = str(place / str(number))
            write_durably(Path(path), content)
        paths.append(path)
    return paths
