"""The work that is timed: the steps of training, and a classifier's own answers, on images made up.

What the images show changes no speed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from resnetkit.classifier.prediction import Predictor
from resnetkit.data.types import LoadedData, Split
from resnetkit.images.types import ArrayImages, Images, Indices, UInt8Images, empty_images
from resnetkit.machine.peaks import synchronize
from resnetkit.machine.runtime import Runtime
from resnetkit.recipes.recipe import Recipe
from resnetkit.training.state import Progress, TrainingState
from resnetkit.training.steps import Steps

# Random labels at a full learning rate can diverge, which says nothing about speed.
LEARNING_RATE = 1e-6
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


@dataclass
class TrainingWork:
    """The steps of ``train``: reading the batch, augmentation, network, loss, update and average.

    The next batch, on a GPU the next group, is made ready before a step counts as done, so each time this is asked it
    prepares one more than it trains on.
    """

    recipe: Recipe
    state: TrainingState
    data: LoadedData
    runtime: Runtime

    def __post_init__(self) -> None:
        in_memory = replace(self.recipe, data=replace(self.recipe.data, num_workers=0))
        self._steps = Steps(in_memory, self.state, self.data, self.runtime)

    @property
    def engine(self) -> str:
        """Engine that computes."""
        return "torch"

    def __call__(self, num_steps: int) -> list[float]:
        """Do at least that many steps; the seconds each took: on a GPU, the mean of some that it was given together.

        Raises:
            ResnetkitError: where the loss or the gradient is out of bounds.
        """
        seconds: list[float] = []
        while len(seconds) < num_steps:
            self.state.progress = Progress()
            started = time.perf_counter()
            for num_done in self._steps.updates(lambda _: LEARNING_RATE):
                divergence = self._steps.read().divergence
                if divergence is not None:
                    raise divergence.as_error(self.recipe)
                synchronize(self.runtime.device)
                now = time.perf_counter()
                seconds += [(now - started) / num_done] * num_done
                started = now
                if len(seconds) >= num_steps:
                    break
        return seconds


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
        """Engine that computes."""
        return self.predictor.engine.name

    def __call__(self, num_steps: int) -> list[float]:
        """Answer that many times; the seconds each took."""
        seconds = []
        for _ in range(num_steps):
            started = time.perf_counter()
            self.predictor.probabilities(self._pixels)
            seconds.append(time.perf_counter() - started)
        return seconds
