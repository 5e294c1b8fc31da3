"""Reading the images that a network is shown: a split's, as it is scored on them, or one of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from resnetkit.analysis.sample import UNKNOWN, Sample
from resnetkit.classifier.classifier import Classifier
from resnetkit.data.loading import open_data
from resnetkit.data.reading import read_in_turn
from resnetkit.data.source import DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.data.splitting import choose_some
from resnetkit.data.types import LoadedData
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.evaluation.scoring import load_to_score, match_classes
from resnetkit.folders.names import one_form
from resnetkit.images.decoding import decode_for_use
from resnetkit.images.preprocessing import prepare_for_evaluation
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import UInt8Images, UnreadableImage

READ_AT_ONCE = 256


@dataclass(frozen=True)
class Choice:
    """Images to choose for a subject.

    Attributes:
        num_images: how many at most.
        split: ``train``, ``val``, ``test`` or ``all``; None: as ``evaluate`` chooses.
        data_dir: where the files of named data sets are, if not where they usually are.
        image: the file of the one that pictures are made of; None: one of the others.
    """

    num_images: int = 1000
    split: str | None = None
    data_dir: str | None = None
    image: str | None = None

    def __post_init__(self) -> None:
        require(self.num_images >= 1, f"num_images must be at least 1, got {self.num_images}")


USUAL = Choice()


class FoundSample(NamedTuple):
    """Images that were chosen, the split that they are of, and sentences the user should read about them."""

    sample: Sample
    split: str
    remarks: tuple[str, ...]


def read_sample(
    classifier: Classifier,
    spec: DataSpec,
    choice: Choice,
    *,
    num_recorded: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> FoundSample:
    """Choose images of a split, and read them as the classifier sees them.

    Args:
        num_recorded: as :func:`~resnetkit.evaluation.scoring.evaluate` takes it.

    Raises:
        ResnetkitError: where there is no such split, or images cannot be read.
    """
    split = choice.split
    if split is None and num_recorded is not None and spec.validation == "test":
        split = "val"  # the data's own test images, which watched over this training
    source = open_data(spec, classifier.class_names)
    theirs, known = ({one_form(name) for name in some.class_names} for some in (source, classifier))
    remarks: tuple[str, ...] = ()
    if theirs <= known:
        asked, loaded, _ = load_to_score(classifier, source, split=split, num_recorded=num_recorded, progress=progress)
    else:
        asked, loaded = _load_to_look_at(classifier, source, split, progress=progress)
        remarks = ("the classes of the data are not the classifier's: images are looked at, and nothing is scored",)
    sample = _choose(loaded, classifier, choice.num_images, seed, knows_classes=theirs <= known)
    remarks += loaded.warnings
    if sample.num_trained_on:
        remarks += (f"the weights were trained on {sample.num_trained_on:,} of the {len(sample):,} images",)
    return FoundSample(sample, asked, remarks)


def _load_to_look_at(
    classifier: Classifier, source: DataSource, split: str | None, *, progress: bool
) -> tuple[str, LoadedData]:
    """Images of other classes than the classifier's, prepared for it."""
    sizes = source.split_sizes
    asked = split or ("test" if "test" in sizes else "all")
    names = list(sizes) if asked == "all" else [asked]
    if not set(names) <= set(sizes):
        raise ResnetkitError(Code.DATA, f"{source.name} has no {asked} split", fix=did_you_mean(asked, [*sizes, "all"]))
    return asked, source.load(names, classifier.preprocessing, trained=(), whole=(), progress=progress)


def _choose(loaded: LoadedData, classifier: Classifier, num_images: int, seed: int, *, knows_classes: bool) -> Sample:
    """Some of the images of all splits that were loaded, with the classifier's labels where it knows their classes."""
    parts = list(loaded.splits.values())
    labels = np.concatenate([part.labels for part in parts])
    if knows_classes:
        labels = match_classes(loaded.class_names, classifier.class_names)[labels]
    identifiers = [name for part in parts for name in part.identifiers]
    rows = choose_some(identifiers, labels, seed=seed, num_images=num_images)
    pixels: list[UInt8Images] = []
    num_old = start = 0
    for part in parts:
        own = rows[(rows >= start) & (rows < start + len(part))] - start
        start += len(part)
        if not len(own):
            continue
        pixels += read_in_turn(part.images, np.array_split(own, -(-len(own) // READ_AT_ONCE)))
        num_old += 0 if classifier.seen is None else int(classifier.seen.trained_on(part.digests[own]).sum())
    chosen = labels[rows] if knows_classes else np.full(len(rows), UNKNOWN)
    return Sample(np.concatenate(pixels), chosen, classifier.preprocessing, num_old)


def read_image(path: str | None, preprocessing: Preprocessing, limits: Limits) -> Sample | None:
    """The image in a file, prepared as for an answer, without a label; None for none.

    Raises:
        ResnetkitError: where it cannot be read, with the reason.
    """
    if path is None:
        return None
    try:
        decoded = decode_for_use(path, limits, preprocessing)
    except UnreadableImage as error:
        raise ResnetkitError(Code.DATA, f"{path} cannot be used", why=str(error), fix="give another image") from None
    pixels = prepare_for_evaluation(decoded.image, preprocessing)
    return Sample(pixels[None], np.full(1, UNKNOWN), preprocessing)
