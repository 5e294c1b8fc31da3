"""Classifiers that keep the numbers thresholds are set by, and images of which some are unknown or unsure to them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.yardstick import Yardstick
from resnetkit.inference.torch_engines import open_plain
from resnetkit.recipes.demands import Demands

# Such that of random images each status is that of some, and each size of set too.
MIXED = Demands(unknown_at=0.2, coverage=0.7, precision_at=0.8)


def with_yardstick(classifier: Classifier, num_images: int = 400) -> Classifier:
    """The classifier with the numbers of random images, of which it has the sure half right."""
    logits = open_plain(classifier, batch_size=64).logits(_prepared(classifier, num_images))
    chances = classifier.decision.probabilities(logits)
    is_sure = chances.max(1) >= np.median(chances.max(1))
    labels = np.where(is_sure, chances.argmax(1), chances.argsort(1)[:, -2])
    return replace(classifier, yardstick=Yardstick.of(logits, labels, classifier.decision, "val of drawn"))


def _prepared(classifier: Classifier, number: int) -> np.ndarray:
    """Random prepared images, each of another contrast."""
    p = classifier.preprocessing
    return np.stack([_blocks(seed, p.image_size_px, p.channels).transpose(2, 0, 1) for seed in range(number)])


def _blocks(seed: int, size: int, channels: int) -> np.ndarray:
    draws = np.random.default_rng(seed)
    values = 128 + draws.uniform(0, 127) * draws.uniform(-1, 1, (size, size, channels))
    return values.astype(np.uint8)


def images_in(folder: Path, classifier: Classifier, number: int = 40) -> list[Path]:
    """Image files of the size that the classifier looks at, other ones than the yardstick's."""
    p = classifier.preprocessing
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{seed:03}.png" for seed in range(number)]
    for seed, file in enumerate(files):
        Image.fromarray(_blocks(10_000 + seed, p.image_size_px, p.channels).squeeze()).save(file)
    return files
