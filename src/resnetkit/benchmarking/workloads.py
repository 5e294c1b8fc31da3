"""The work that is timed: the training loop's own steps, and a classifier's own answers, on images made up.

What the images show changes no speed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from resnetkit.classifier.prediction import Predictor
from resnetkit.data.batches import Shard
from resnetkit.data.types import LoadedData, Split
from resnetkit.images.types import ArrayImages, Images, Indices, UInt8Images, empty_images
from resnetkit.machine.peaks import synchronize
from resnetkit.machine.runtime import Runtime
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.folder import RunFolder
from resnetkit.training.loop import Loop
from resnetkit.training.state import Progress, TrainingState

FOREVER = 10**9
NUM_STEPS = 50  # in an epoch of made-up images
NUM_DIFFERENT = 16


@dataclass(frozen=True)
class MadeUpImages:
    """As many images as wanted, which are few: a step copies its batch out of memory, whatever stands there."""

    pixels: UInt8Images
    num_images: int

    def __len__(self) -> int:
        return self.num_images

    def read(self, indices: Indices) -> UInt8Images:
        """The images at ``indices``, uint8 ``(n, C, H, W)``."""
        return self.pixels[indices % len(self.pixels)]


def make_data(recipe: Recipe, device: torch.device) -> LoadedData:
    """A train split for a recipe: random images of the size it reads, with random labels.

    On a GPU it holds every image by itself, as data in memory do, for a run keeps there what fits.
    """
    draw = np.random.default_rng(0)
    side, num_classes = recipe.preprocessing.resize_px, recipe.model.num_classes
    num_images = NUM_STEPS * recipe.batch_size
    assert num_classes is not None
    pixels = empty_images(NUM_DIFFERENT, (recipe.preprocessing.channels, side, side))
    pixels[:] = draw.integers(0, 256, pixels.shape, dtype=np.uint8)
    images: Images = MadeUpImages(pixels, num_images)
    if device.type == "cuda":
        images = ArrayImages(images.read(np.arange(num_images)))
    split = Split(
        "train",
        images,
        draw.integers(0, num_classes, num_images),
        [str(number) for number in range(num_images)],
        np.ones(num_images, np.float32),
        np.zeros(num_images, np.uint64),
    )
    return LoadedData(tuple(str(label) for label in range(num_classes)), {"train": split}, fingerprint="")


class _EnoughSteps(Exception):  # noqa: N818 - the way out of a loop that has done what was asked for
    pass


class _Stopwatch(Listener):
    """Times steps, and leaves the loop when it has seen enough of them, or before an epoch ends."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.wanted = 0
        self.seconds: list[float] = []
        self.start()

    def start(self) -> None:
        """From here on time runs, before the first step of an epoch."""
        self._mark, self._step = time.perf_counter(), 0

    def step_ended(self, report: StepReport) -> None:
        """Note the time; a GPU's steps are reported some at a time."""
        synchronize(self.device)
        now, num_steps = time.perf_counter(), report.step - self._step
        self.seconds += [(now - self._mark) / num_steps] * num_steps
        self._mark, self._step = now, report.step
        if len(self.seconds) >= self.wanted or report.step == report.num_steps:
            raise _EnoughSteps


@dataclass
class TrainingWork:
    """Steps of :class:`~resnetkit.training.loop.Loop`, as ``train`` runs it, without its ends of epochs.

    Reading the batch, augmentation, network, loss, update and average are in them; validation and checkpoints are not.
    The loop reads ahead, so each time it is asked it prepares one batch, on a GPU one group, more than it trains on.
    """

    recipe: Recipe
    state: TrainingState
    data: LoadedData
    runtime: Runtime
    scratch: Path

    def __post_init__(self) -> None:
        # Random labels at a full learning rate can diverge, which says nothing about speed; and no time runs out.
        recipe = replace(
            self.recipe,
            epochs=FOREVER,
            checkpoint_seconds=float(FOREVER),
            early_stopping_epochs=0,
            data=replace(self.recipe.data, num_workers=0),  # as for all images in memory
            optimizer=replace(self.recipe.optimizer, learning_rate=1e-6),
        )
        self._stopwatch = _Stopwatch(self.runtime.device)
        # The folder is for the checkpoint that the loop writes when it is interrupted; nothing else goes there.
        self._loop = Loop(
            recipe, RunFolder(self.scratch), self.state, self.data, self.runtime, Shard(), self._stopwatch, {}
        )

    @property
    def engine(self) -> str:
        """What computes."""
        return "torch"

    def __call__(self, num_steps: int) -> list[float]:
        """Do that many steps; the seconds each took."""
        watch = self._stopwatch
        watch.wanted, watch.seconds = num_steps, []
        while len(watch.seconds) < num_steps:
            self.state.progress = Progress()
            watch.start()
            try:
                self._loop.run_all()
            except _EnoughSteps:
                continue
        return watch.seconds


@dataclass
class PredictionWork:
    """Answers for one batch of preprocessed images: uint8 in, probabilities out."""

    predictor: Predictor
    batch_size: int

    def __post_init__(self) -> None:
        shape = (self.batch_size, *self.predictor.preprocessing.image_shape)
        self._pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    @property
    def engine(self) -> str:
        """What computes."""
        return self.predictor.engine.name

    def __call__(self, num_steps: int) -> list[float]:
        """Answer that many times; the seconds each took."""
        seconds = []
        for _ in range(num_steps):
            started = time.perf_counter()
            self.predictor.probabilities(self._pixels)
            seconds.append(time.perf_counter() - started)
        return seconds
