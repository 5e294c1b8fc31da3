"""Labels judged by networks that are trained for it: each on one half of the training images, to judge the other."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from resnetkit.audit.feature_judge import judge_rows
from resnetkit.audit.features import compute_features
from resnetkit.audit.label_judgement import Judgement, can_judge
from resnetkit.audit.subject import TRAIN, Subject
from resnetkit.data.folds import folds_in_order
from resnetkit.data.source import DataSource
from resnetkit.errors import Code, require
from resnetkit.images.spec import SMALL_PX
from resnetkit.images.types import Indices
from resnetkit.pages.formatting import duration
from resnetkit.recipes.advice import choose
from resnetkit.recipes.named import quick
from resnetkit.recipes.recipe import Chosen
from resnetkit.runs.events import Listener, StepReport
from resnetkit.sources.weights import Embedder, open_embedder
from resnetkit.terminal import progress_bar, tell
from resnetkit.training.distributed import require_single_process
from resnetkit.training.interruption import stopping_as_others_do
from resnetkit.training.planning import summarize_data
from resnetkit.training.preparing import RunStart
from resnetkit.training.run import run_chosen

NUM_PARTS = 2  # three take twice the time, and find hardly more (benchmarks/trust.md)
LEAST_UPDATES = 200  # of each: few images are seen in more epochs, for a network that has learned little tells little
WARM_UPDATES = 10  # after so many, their pace tells how long all of them take


def judge_by_training(source: DataSource) -> TrainedJudge:
    """A judge that trains networks on the images that are to be judged.

    Raises:
        ResnetkitError: where there are no images to train on.
    """
    require_single_process("the networks of an audit are trained by a single process", fix="leave out torchrun")
    require(
        TRAIN in source.listings,
        f"{source.name} has no training images, so no network can be trained to judge its labels",
        fix="leave --train out, or give --classifier in place of it",
        code=Code.DATA,
    )
    return TrainedJudge()


class TrainedJudge:
    """Trains a network on each half of the training images, and judges by it all images that belong to the other.

    What shows the same, as copies do and images of one group, is in one half, whichever splits it is in. So each image
    of train, val and test is judged by a network that has met training images alone, and neither it nor a copy of it:
    a wrong label that a network knows by heart is not confirmed by it. The networks are gone afterwards.

    What they see is judged as of any other network, by linear heads that are fitted to other images of the same half:
    these find a little more than the networks' own answers (benchmarks/trust.md).
    """

    def judge(self, subject: Subject) -> Judgement:
        """Train the networks, and judge all labels."""
        halves = folds_in_order(subject.labels, subject.sets, NUM_PARTS)
        probabilities = np.zeros((len(subject), len(subject.class_names)))
        is_judged = np.zeros(len(subject), np.bool_)
        planned = _plan_all(subject, [np.flatnonzero(halves == half) for half in range(NUM_PARTS)])
        if planned:
            tell("training networks, each on one half of the training images, to judge the labels of the other")
        left: int | None = sum(one.num_updates for one in planned)
        for number, one in enumerate(planned, start=1):
            words = f"training network {number} of {len(planned)}"
            with progress_bar(words, one.num_updates, wanted=subject.progress) as advance:
                embedder = _train(one, _Progress(advance, left))
            images = [split.images for split in subject.as_splits(one.asked, embedder.preprocessing)]
            features = compute_features(embedder, images, progress=subject.progress)
            own, left = judge_rows(subject, one.asked, features), None
            probabilities[one.asked], is_judged[one.asked] = own.probabilities, own.is_judged
        return Judgement(subject.labels, probabilities, is_judged)

    def told(self, subject: Subject) -> str:
        """Say who has judged."""
        return (
            "Each was judged by a linear head fitted to the labels of other images, on what a network sees that was "
            "trained for it on half of the training images, which hold neither it nor a copy of it."
        )


class _Progress(Listener):
    """Moves a bar on with the updates, and tells after the first ones how long all of them take.

    Args:
        num_all: of all networks; None: that is told already.
    """

    def __init__(self, advance: Callable[[int], None], num_all: int | None) -> None:
        self.advance, self.num_all = advance, num_all
        self.done = 0
        self.warm: tuple[int, float] | None = None

    def step_ended(self, report: StepReport) -> None:
        """Move on."""
        self.advance(report.num_updates - self.done)
        self.done, now = report.num_updates, time.monotonic()
        if self.warm is None:  # the first one sets up what the others use
            self.warm = self.done, now
        elif self.num_all is not None and self.done >= self.warm[0] + WARM_UPDATES:
            seconds = (now - self.warm[1]) / (self.done - self.warm[0]) * self.num_all
            tell(f"training takes about {duration(seconds)} on this machine")
            self.num_all = None


@dataclass(frozen=True)
class _Planned:
    """A network to train.

    Attributes:
        asked: the rows to judge by it.
        source: what it is trained on.
    """

    asked: Indices
    source: DataSource
    chosen: Chosen

    @property
    def num_updates(self) -> int:
        """Number of updates of its training."""
        return self.chosen.recipe.epochs * (self.source.split_sizes[TRAIN] // self.chosen.recipe.batch_size)


def _plan_all(subject: Subject, halves: list[Indices]) -> list[_Planned]:
    """A network for each half that can be judged, where the training images of the other are of several classes."""
    train = subject.rows_of(TRAIN)
    pairs = [(asked, np.setdiff1d(train, asked)) for asked in halves if can_judge(subject.labels[asked])]
    return [_plan(subject, asked, rows) for asked, rows in pairs if len(np.unique(subject.labels[rows])) > 1]


def _plan(subject: Subject, asked: Indices, rows: Indices) -> _Planned:
    """Plan a training on images at some rows alone, by a short recipe that suits them."""
    source = subject.source
    spec = replace(source.spec, on_bad_image="stop", on_doubt="tell", check="first", cache="off")
    part = replace(source, spec=spec, listings={TRAIN: source.listings[TRAIN].select(subject.positions[rows])})
    name = quick.__name__ if source.shapes.shorter_px <= SMALL_PX else None
    chosen = choose(summarize_data(part, spec), spec, recipe=name)
    recipe = chosen.recipe
    least = math.ceil(LEAST_UPDATES / max(1, len(rows) // recipe.batch_size))
    return _Planned(asked, part, replace(chosen, recipe=replace(recipe, epochs=max(recipe.epochs, least))))


def _train(planned: _Planned, listener: Listener) -> Embedder:
    """Do a run in a folder that is gone afterwards, however it ends."""
    with stopping_as_others_do(), tempfile.TemporaryDirectory(prefix="resnetkit-audit-") as folder:
        result = run_chosen(planned.source, planned.chosen, RunStart(Path(folder), None), listener)
        return open_embedder(str(result.folder.path))
