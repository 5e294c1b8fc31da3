"""Images that a classifier is quantized by: some that its own run has trained on, or those of a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resnetkit.classifier.description import Description
from resnetkit.data.loading import open_data
from resnetkit.data.reading import read_in_turn
from resnetkit.data.splitting import choose_some
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.folders.image_list import find_labelled
from resnetkit.images.prepared_inputs import iter_prepared
from resnetkit.images.types import Indices, UInt8Images
from resnetkit.sources.locate import locate
from resnetkit.sources.own_data import find_data

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier

NUM_IMAGES = 300
SEED = 0  # the same images whenever a classifier is quantized
FIX = "--calibrate FOLDER, with some hundred images like those it will be asked for, none of which it is scored on"


@dataclass(frozen=True)
class CalibrationImages:
    """Images to find ranges on, and to check answers with.

    Attributes:
        pixels: uint8 ``(N, C, S, S)``, prepared as for use.
        labels: int64 ``(N,)``, positions in the classifier's class names; None where they are not known.
        words: what they are.
    """

    pixels: UInt8Images
    labels: Indices | None
    words: str


def find_images_for(
    classifier: Classifier | Description, folder: str, *, tell: Callable[[str], None]
) -> CalibrationImages:
    """Find images to quantize a classifier by: those of a folder, or where none is named, of its own run.

    Of a run they are training images, never those of validation or test.

    Raises:
        ResnetkitError: where no folder is named and the classifier's file lies in no run's, or the run's images are
            gone; for a folder without an image that can be read.
    """
    return _of_folder(classifier, folder, tell) if folder else _of_run(classifier)


def _of_folder(classifier: Classifier | Description, folder: str, tell: Callable[[str], None]) -> CalibrationImages:
    files = list(find_labelled(folder))
    require(bool(files), f"no images in {folder}", fix=FIX, code=Code.DATA)
    drawn = choose_some(files, np.zeros(len(files), np.int64), seed=SEED, num_images=NUM_IMAGES)
    chosen = [files[row] for row in _mixed(drawn)]
    batches = iter_prepared(chosen, classifier.preprocessing, classifier.limits, batch_size=32)
    found = [image for batch in batches for image in batch]
    readable = [image.pixels for image in found if image.pixels is not None]
    require(bool(readable), f"no image in {folder} can be read", fix=FIX, code=Code.DATA)
    if len(readable) < len(found):
        tell(f"{len(found) - len(readable)} of {len(found)} images to calibrate on cannot be read, and are left out")
    return CalibrationImages(np.stack(readable), None, f"{len(readable)} images of {folder}")


def _of_run(classifier: Classifier | Description) -> CalibrationImages:
    file = classifier.file if isinstance(classifier, Description) else Path()
    if not (file.parent / "recipe.json").is_file() or file == Path():
        raise ResnetkitError(
            Code.USAGE,
            "int8 needs images to calibrate on, and this classifier is in no run's folder",
            why="ranges of values are measured on images like those of its training",
            fix=FIX,
        )
    located = locate(str(file.parent))
    try:
        spec, _ = find_data(located, None, classifier.limits)
        source = open_data(replace(spec, on_bad_image="skip", cache="off"), classifier.class_names)
    except ResnetkitError as error:
        raise ResnetkitError(error.code, error.what, why=error.why, fix=FIX) from None
    train = source.listings["train"]
    rows = _mixed(choose_some(train.identifiers, train.labels, seed=SEED, num_images=NUM_IMAGES))
    drawn = replace(source, listings={"train": train.select(rows)})
    split = drawn.load(["train"], classifier.preprocessing, trained=(), whole=()).splits["train"]
    pixels = np.concatenate(list(read_in_turn(split.images, [np.arange(len(split))])))
    labels = split.labels if source.class_names == classifier.class_names else None
    return CalibrationImages(pixels, labels, f"{len(pixels)} training images of {located.text}")


def _mixed(rows: Indices) -> Indices:
    """In an order of its own, so that no range is that of one class alone."""
    return np.random.default_rng(SEED).permutation(rows)
