"""Take a first look at what weights know of some classes, within a minute and before they are trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch

from resnetkit.data.augmentation import crop_and_flip
from resnetkit.data.batches import read_batches
from resnetkit.data.folds import folds_in_order, ranks_in_class, sets_of
from resnetkit.data.randomness import Purpose, uniform
from resnetkit.data.seen import contains
from resnetkit.data.spec import Augmentation
from resnetkit.data.types import LoadedData, Split
from resnetkit.images.digests import Digests
from resnetkit.images.normalization import normalize
from resnetkit.images.spec import SMALL_PX
from resnetkit.images.types import Indices
from resnetkit.machine.runtime import Runtime
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Recipe
from resnetkit.recipes.schedule import num_frozen_parts
from resnetkit.runs.first_look import FEW_PER_CLASS, FirstLook
from resnetkit.training.frozen_features import FrozenParts, group_size

NUM_FOLDS = 5
MOST_IMAGES, MOST_SECONDS = 1500, 45.0  # that are looked at, and that reading them may take
RIDGE = 0.1  # for features of length 1: of photographs, ten times less or more makes little difference
SMALLEST_LENGTH = 1e-12
LONG_EPOCH_SECONDS = 120.0  # a look computes what training computes again: a score that comes soon is not worth that

Features = npt.NDArray[np.float32]


def take_first_look(
    recipe: Recipe,
    network: ResNet,
    data: LoadedData,
    seen: Digests,
    computing: Runtime,
    clock: Callable[[], float] = time.monotonic,
) -> FirstLook | None:
    """Score a linear head on what a network makes of training images, where the first epoch says less or comes late.

    That is for photographs, of which the head alone trains at first: where a class has few images, or where an epoch
    takes more than two minutes, by the first ones. As many of each class are looked at, as many as the time allows.

    Args:
        seen: images that the weights were trained on, ascending; they are not looked at.
    """
    split = data.splits["train"]
    order = _drawn(split, seen, recipe.seed) if _is_for(recipe, data) else np.empty(0, np.int64)
    per_class = len(split) / len(data.class_names)
    is_few = per_class < FEW_PER_CLASS
    num_epoch = len(split) + len(data.splits.get("val", ()))
    times, read = [clock()], list[Features]()
    size = group_size(computing.device)
    groups = [order[first : first + size] for first in range(0, len(order), size)]
    for features in _features(recipe, network, split, groups, computing):
        read.append(features)
        times.append(clock())
        # By the second ones: what is set up with the first is no measure.
        if len(read) == 2 and not is_few and (times[2] - times[1]) / len(features) * num_epoch < LONG_EPOCH_SECONDS:
            return None
        if times[-1] - times[0] > MOST_SECONDS:
            break
    if not read or (len(read) < 2 and not is_few):
        return None
    looked_at = order[: sum(map(len, read))]
    return _score(np.concatenate(read), split.select(looked_at), per_class)


def _is_for(recipe: Recipe, data: LoadedData) -> bool:
    is_photo, is_checked = recipe.preprocessing.image_size_px > SMALL_PX, data.is_checked
    is_head_alone = num_frozen_parts(recipe.fine_tuning, recipe.parts, 0) == len(recipe.parts) - 1
    return recipe.fine_tuning.weights is not None and is_photo and is_checked and is_head_alone


def _drawn(split: Split, seen: Digests, seed: int) -> Indices:
    """Images to look at, at most so many: any first ones of them are about as many of each class."""
    draws = uniform(seed, 0, np.arange(len(split)), Purpose.FIRST_LOOK, 1)[:, 0]
    order = np.argsort(draws, kind="stable")
    order = order[~contains(seen, split.digests[order])]
    return order[np.argsort(ranks_in_class(split.labels[order]), kind="stable")][:MOST_IMAGES]


def _features(
    recipe: Recipe, network: ResNet, split: Split, groups: list[Indices], computing: Runtime
) -> Iterator[Features]:
    """Pooled features ``(n, F)`` of training images as in use, group by group."""
    below, frozen = len(recipe.parts) - 1, FrozenParts(network)
    for batch in read_batches(split, groups, num_workers=recipe.data.num_workers):
        whole, ratios = batch.images.to(computing.device), split.squeezed[batch.indices]
        pixels = crop_and_flip(whole, ratios, Augmentation(), recipe.preprocessing, recipe.seed, 0, batch.indices)
        in_precision = torch.autocast(computing.device.type, torch.bfloat16, enabled=computing.bf16)
        with torch.inference_mode(), in_precision:
            pooled = frozen.run(normalize(pixels, recipe.preprocessing), 0, below)
        yield pooled.flatten(1).float().cpu().numpy()


def _score(features: Features, split: Split, per_class: float) -> FirstLook | None:
    """Cross-validated score of a linear head; None where no head has two classes to learn.

    Images of the same pixels, and of one group, are in one fold.
    """
    labels, ways = split.labels, [way for way in (split.digests.tolist(), split.groups) if way is not None]
    folds, num_correct = folds_in_order(labels, sets_of(len(labels), ways), NUM_FOLDS), 0
    num_folds = int(folds.max()) + 1
    for fold in range(num_folds):
        held = folds == fold
        if len(np.unique(labels[~held])) < 2:
            return None
        num_correct += int((_answers(features[~held], labels[~held], features[held]) == labels[held]).sum())
    return FirstLook(num_correct, len(labels), num_folds, per_class) if num_folds > 1 else None


def _answers(features: Features, labels: Indices, asked: Features) -> Indices:
    """Answers of a linear head, fitted to features of known labels."""
    from sklearn.linear_model import RidgeClassifier  # a second that other runs need not wait

    head = RidgeClassifier(alpha=RIDGE).fit(of_length_one(features), labels)
    return np.asarray(head.predict(of_length_one(asked)), np.int64)


def of_length_one(features: Features) -> Features:
    """Features ``(N, F)``, each divided by its length."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scaled: Features = (features / np.maximum(lengths, SMALLEST_LENGTH)).astype(np.float32)
    return scaled
