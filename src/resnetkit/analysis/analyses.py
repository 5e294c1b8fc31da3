"""All that a network can be asked why it works: a table of measurements, and the call that runs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from resnetkit.analysis.branches import show_ratios
from resnetkit.analysis.figure import Figure
from resnetkit.analysis.gradients import show_gradients
from resnetkit.analysis.landscape_figure import show_landscape
from resnetkit.analysis.lesions import show_lesions
from resnetkit.analysis.norms import show_norms
from resnetkit.analysis.paths import show_paths
from resnetkit.analysis.pictures import show_filters, show_stages
from resnetkit.analysis.responses import show_responses
from resnetkit.analysis.sample_reading import Choice
from resnetkit.analysis.similarity import LEAST_IMAGES, show_similarity
from resnetkit.analysis.subject import Subject, open_subject
from resnetkit.classifier.classifier import Classifier
from resnetkit.config import frozen
from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.sources.locate import Source

Need = Literal["weights", "images", "several images", "labels", "image"]


@dataclass(frozen=True)
class Measurement:
    """A measurement that gives one figure.

    Attributes:
        needs: ``weights`` that were trained, ``images``, ``several images`` to compare by, ``labels`` of these among
            the network's classes, or one ``image``.
        takes_long: whether it is made only where it is asked for.
    """

    show: Callable[[Subject], Figure]
    needs: tuple[Need, ...] = ()
    takes_long: bool = False

    def missing(self, subject: Subject) -> tuple[Need, ...]:
        """Needs that a subject does not meet."""
        sample = subject.sample
        met = {
            "weights": subject.is_trained,
            "images": sample is not None,
            "several images": sample is None or len(sample) >= LEAST_IMAGES,
            "labels": sample is None or sample.is_labelled,
            "image": sample is not None or subject.image is not None,
        }
        return tuple(need for need in self.needs if not met[need])


FIGURES: dict[str, Measurement] = {
    "responses": Measurement(show_responses, ("images",)),
    "branches": Measurement(show_ratios, ("images",)),
    "gradients": Measurement(show_gradients),
    "lesions": Measurement(show_lesions, ("weights", "images", "labels")),
    "paths": Measurement(show_paths),
    "similarity": Measurement(show_similarity, ("images", "several images")),
    "norms": Measurement(show_norms, ("weights", "images")),
    "filters": Measurement(show_filters, ("weights",)),
    "stages": Measurement(show_stages, ("image",)),
    "landscape": Measurement(show_landscape, ("weights", "images", "labels"), takes_long=True),
}
USUAL = tuple(name for name, measurement in FIGURES.items() if not measurement.takes_long)
"""Names of the figures that are made if none are asked for."""


@frozen
class LeftOut:
    """A figure that could not be made, and why."""

    name: str
    reason: str


@frozen
class Analysis:
    """Measurements of a network.

    Attributes:
        source: as it was given.
        is_trained: False where the weights are fresh, drawn from ``seed``.
        data: where the images are from; empty where there were none.
        left_out: of the figures that were asked for.
        seconds: of processor time, by figure.
        remarks: sentences the user should read.
    """

    source: str
    is_trained: bool
    data: str
    num_images: int
    seed: int
    figures: tuple[Figure, ...]
    left_out: tuple[LeftOut, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def analyze(
    source: Source | Classifier,
    data: str | None = None,
    *,
    figures: Sequence[str] = (),
    num_images: int = 1000,
    split: str | None = None,
    data_dir: str | None = None,
    image: str | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    reading: Mapping[str, Any] | None = None,
) -> Analysis:
    """Measure why a network works: one figure for each experiment of the papers.

    Args:
        source: a run folder, a classifier (its file too), third-party weights, ``hf://OWNER/NAME``, or a network's
            name, which stands for fresh weights.
        data: a data set or folder to show it; None: a run's own, and none for anything else.
        figures: names of :data:`FIGURES`; none: all that can be made, but for those that take long.
        num_images: how many images at most, the same share of each class.
        split: ``train``, ``val``, ``test`` or ``all``; None: as :func:`resnetkit.evaluate` chooses.
        data_dir: where the files of named data sets are, if not where they usually are.
        image: the file of the image that pictures are made of; None: one of the others.
        seed: of all that is drawn: images, fresh weights, blocks to leave out.
        reading: what a third-party weight file does not say, as :func:`resnetkit.open_classifier` takes it.

    Raises:
        ResnetkitError: for an unknown figure, and as :func:`resnetkit.evaluate` does.
    """
    check_names(figures)
    choice = Choice(num_images, split, data_dir, image)
    return analyze_subject(open_subject(source, data, choice, seed=seed, device=device, reading=reading), figures)


def check_names(figures: Sequence[str]) -> None:
    """Refuse names that no figure has."""
    for name in figures:
        if name not in FIGURES:
            raise ResnetkitError(Code.USAGE, f"unknown figure '{name}'", fix=did_you_mean(name, FIGURES))


def analyze_subject(
    subject: Subject,
    figures: Sequence[str] = (),
    *,
    measurements: Mapping[str, Measurement] = FIGURES,
    tell: Callable[[str], None] | None = None,
) -> Analysis:
    """Measure a subject that is open; the network is afterwards as it was.

    Args:
        figures: names of :data:`FIGURES`; none: :data:`USUAL`.
        measurements: what makes each of them.
        tell: called with the name of each figure before it is measured.
    """
    check_names(figures)
    made, left_out, seconds = [], [], {}
    for name in figures or USUAL:
        missing = measurements[name].missing(subject)
        if missing:
            left_out.append(LeftOut(name, _reason(missing)))
            continue
        if tell is not None:
            tell(name)
        start = time.process_time()
        made.append(measurements[name].show(subject))
        seconds[name] = time.process_time() - start
    num_images = 0 if subject.sample is None else len(subject.sample)
    return Analysis(
        subject.name,
        subject.is_trained,
        subject.data,
        num_images,
        subject.seed,
        tuple(made),
        tuple(left_out),
        seconds,
        subject.remarks,
    )


def _reason(missing: tuple[Need, ...]) -> str:
    words = {
        "weights": "trained weights (give a run, a classifier or a weight file)",
        "images": "images (give data)",
        "several images": f"at least {LEAST_IMAGES} images (give more)",
        "labels": "images of the network's classes (give other data)",
        "image": "an image (give one, or data)",
    }
    return f"needs {' and '.join(words[need] for need in missing)}"
