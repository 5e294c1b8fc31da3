"""Checks of a heat map: whether what it marks matters to the answer, and whether it depends on what was learned.

*Areas* (deletion and insertion, arXiv:1806.07421, section 4): cover the image bit by bit, what the map marks most
first, or uncover it in that order from a blur, and take the mean of the score on the way. A good map deletes fast (a
small area) and inserts fast (a large one). Things mostly stand in the middle, so a mere blob there can do well: its
areas, and those of random places, are what a map's are to be compared with.

*Weights drawn anew* (arXiv:1810.03292): a map that hardly changes when the head, or the head and the last stage, forget
what they have learned does not show what they have learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from PIL import ImageFilter
from scipy.stats import rankdata

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.prediction import BATCH_SIZE
from resnetkit.data.randomness import Purpose, derive_seed
from resnetkit.explanation.explanation import Areas, Check, Heat
from resnetkit.explanation.methods import Method
from resnetkit.explanation.subject import Question, Subject, without_gradients
from resnetkit.images.preprocessing import array_to_image
from resnetkit.images.types import UInt8Images
from resnetkit.inference.torch_engines import open_plain
from resnetkit.models.resnet import ResNet

NUM_STEPS = 28  # as far as there are so many pixels
NUM_DRAWS = 3  # of weights
# The standard deviation of the blur that insertion begins with: a share of the image's side, and of small images
# more, which stay legible behind a blur of less than a pixel.
BLUR_SHARE, LEAST_BLUR_PX = 5 / 224, 2
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Checker:
    """Checks the maps of one classifier.

    Attributes:
        forgetful: the classifier with weights drawn anew, :data:`NUM_DRAWS` times: with those of the head, and with
            those of the head and the last stage.
    """

    subject: Subject
    forgetful: tuple[tuple[Subject, Subject], ...]

    @classmethod
    def of(cls, classifier: Classifier, subject: Subject) -> Checker:
        """Draw the weights; the classifier is left as it is."""
        last = classifier.network.stage_names[-1]
        draws = (
            tuple(_forgetful(classifier, subject, parts, number) for parts in (("fc",), ("fc", last)))
            for number in range(NUM_DRAWS)
        )
        return cls(subject, tuple((head, both) for head, both in draws))

    def baselines(self, question: Question, pixels: UInt8Images) -> tuple[Areas, Areas]:
        """The areas of a blob in the centre of an image, and of random places."""
        size = pixels.shape[-1]
        return self.areas(question, pixels, make_blob(size)), self.areas(question, pixels, _random_places(size))

    def check(
        self, method: Method, question: Question, pixels: UInt8Images, values: Heat, baselines: tuple[Areas, Areas]
    ) -> Check:
        """Check a method's map ``(S, S)`` of a prepared image, uint8 ``(C, S, S)``."""
        of_draws = [
            [correlate_ranks(values, method.compute(subject, question, pixels)) for subject in subjects]
            for subjects in self.forgetful
        ]
        head, both = (float(np.mean(column)) for column in zip(*of_draws, strict=True))
        blob, random = baselines
        return Check(self.areas(question, pixels, values), blob, random, head, both)

    def areas(self, question: Question, pixels: UInt8Images, values: Floats) -> Areas:
        """Areas under the share that the class has, in [0, 1], while pixels go or come in the order of a map."""
        order = np.argsort(-values, axis=None, kind="stable")
        ends = np.unique(np.linspace(0, order.size, min(NUM_STEPS, order.size) + 1).astype(int))
        fill = np.array(self.subject.preprocessing.fill, np.uint8)[:, None, None]
        deleted = _covered_bit_by_bit(pixels, np.broadcast_to(fill, pixels.shape), order, ends)
        inserted = _covered_bit_by_bit(_blurred(pixels), pixels, order, ends)
        return Areas(self._area(question, deleted, ends), self._area(question, inserted, ends))

    def _area(self, question: Question, squares: UInt8Images, ends: npt.NDArray[np.int64]) -> float:
        parts = [squares[start : start + BATCH_SIZE] for start in range(0, len(squares), BATCH_SIZE)]
        scores = np.concatenate([self.subject.scores(question, part) for part in parts])
        # Of two classes, the share of the one: it is in [0, 1] as a probability is.
        shares = scores if question.against is None else 1 / (1 + np.exp(-scores))
        return float(np.trapezoid(shares, ends) / ends[-1])


def _covered_bit_by_bit(
    pixels: UInt8Images, cover: UInt8Images, order: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> UInt8Images:
    """Squares ``(M, C, S, S)`` in which the first pixels of an order are those of a cover: as many as ``ends`` says."""
    squares = np.repeat(pixels[None], len(ends), axis=0)
    flat, other = squares.reshape(len(ends), len(pixels), -1), cover.reshape(len(pixels), -1)
    for square, end in zip(flat, ends, strict=True):
        square[:, order[:end]] = other[:, order[:end]]
    return squares


def _blurred(pixels: UInt8Images) -> UInt8Images:
    spread_px = max(BLUR_SHARE * pixels.shape[-1], LEAST_BLUR_PX)
    image = array_to_image(pixels).filter(ImageFilter.GaussianBlur(spread_px))
    values = np.asarray(image)
    return values[None] if values.ndim == 2 else np.ascontiguousarray(values.transpose(2, 0, 1))


def make_blob(size: int) -> Floats:
    """A round hill ``(S, S)`` in the centre, as a map that looks at no image.

    >>> make_blob(3).round(2)[1]
    array([0.14, 1.  , 0.14])
    """
    away = (np.arange(size) - (size - 1) / 2) / (size / 6)
    hill: Floats = np.exp(-(away[:, None] ** 2 + away**2) / 2)
    return hill


def _random_places(size: int) -> Floats:
    return np.random.default_rng(0).random((size, size))


def correlate_ranks(one: Floats, other: Floats) -> float:
    """Spearman's rank correlation of two maps, in [-1, 1]; 0 where one of them is the same everywhere.

    >>> correlate_ranks(np.array([1.0, 2, 3]), np.array([1.0, 4, 9]))
    1.0
    """
    ranks = [rankdata(values, axis=None) for values in (one, other)]
    first, second = (values - values.mean() for values in ranks)
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float(round((first * second).sum() / scale, 12)) if scale else 0.0


def _forgetful(classifier: Classifier, subject: Subject, parts: Sequence[str], number: int) -> Subject:
    """The subject with the weights of some children of its network drawn anew, by the network's own initialisation."""
    network = draw_anew(classifier.network, parts, derive_seed(0, number, Purpose.INITIAL_WEIGHTS))
    forgetful = replace(classifier, network=network, reference=None)
    return replace(subject, network=without_gradients(network), engine=open_plain(forgetful))


def draw_anew(network: ResNet, parts: Sequence[str], seed: int) -> ResNet:
    """The network with the named children as training starts, the same for the same seed; it shares all its others."""
    weight = next(network.parameters())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        copy = ResNet(network.spec).to(weight.device, weight.dtype)
    kept = {name: tensor for name, tensor in network.state_dict().items() if name.split(".")[0] not in parts}
    copy.load_state_dict(kept, strict=False, assign=True)
    return copy.eval()
