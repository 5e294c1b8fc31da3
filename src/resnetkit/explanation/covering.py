"""Methods that cover parts of the image with the mean colour and watch the answer, as the classifier's engine gives it.

What they explain is the probability of the class, in [0, 1]; asked for a class against another, the difference of their
logits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from resnetkit.classifier.prediction import BATCH_SIZE
from resnetkit.data.randomness import Purpose, uniform
from resnetkit.explanation.explanation import Heat
from resnetkit.explanation.subject import Question, Scores, Subject
from resnetkit.images.types import UInt8Images

WINDOWS_ACROSS = 7  # as wide as the square is, of those that do not overlap; they overlap by half
CELLS = 7  # of RISE's masks, along a side; half of them are covered
Masks = npt.NDArray[np.float32]


def occlusion(subject: Subject, question: Question, pixels: UInt8Images) -> Heat:
    """Move a window over the image, and tell what covering it takes from the score (arXiv:1311.2901, section 4.2).

    The window is a seventh of the image wide and moves by half of that. A pixel has the mean of the windows that cover
    it. Unit: that of the score; below 0 where the class is more probable without.
    """
    windows = window_masks(pixels.shape[-1])
    (whole,) = subject.scores(question, pixels[None])
    parts = (windows[numbers.start : numbers.stop].astype(np.float32) for numbers in _parts(len(windows)))
    return _weighted_mean((1 - part, whole - scores_behind(part, subject, question, pixels)) for part in parts)


def rise(subject: Subject, question: Question, pixels: UInt8Images, *, num_masks: int = 300) -> Heat:
    """Average random masks, each weighted by the score of what it shows (arXiv:1806.07421, equation 4).

    The mean is over what was drawn, not over what could be (equation 6), so that values are scores: a pixel's is the
    score to be expected where it is seen. Unit: that of the score.
    """
    parts = (random_masks(pixels.shape[-1], numbers) for numbers in _parts(num_masks))
    return _weighted_mean((part, scores_behind(part, subject, question, pixels)) for part in parts)


def _parts(number: int) -> Iterator[range]:
    """Cut so many masks into batches: all of them at once would take gigabytes."""
    for start in range(0, number, BATCH_SIZE):
        yield range(start, min(start + BATCH_SIZE, number))


def window_masks(size: int) -> npt.NDArray[np.bool_]:
    """Masks ``(M, S, S)``, false in one window each and true elsewhere; those at the far ends may be cut off."""
    width = max(1, round(size / WINDOWS_ACROSS))
    stride = max(1, width // 2)
    starts = stride * np.arange(-(-(size - width) // stride) + 1)
    places = np.arange(size)
    covered = (places >= starts[:, None]) & (places < starts[:, None] + width)
    masks = ~(covered[:, None, :, None] & covered[None, :, None, :])
    return masks.reshape(-1, size, size)


def random_masks(size: int, numbers: range) -> Masks:
    """Masks ``(M, S, S)`` in [0, 1]: cells, half of them shown, enlarged (bilinear) and shifted by part of a cell.

    A mask depends on its number alone, not on the others that are asked for with it.
    """
    draws = uniform(0, 0, np.array(numbers), Purpose.MASKS, CELLS * CELLS + 2)
    cell = -(-size // CELLS)
    shown = torch.from_numpy(draws[:, 2:].reshape(-1, 1, CELLS, CELLS) < 0.5).float()
    large = F.interpolate(shown, ((CELLS + 1) * cell,) * 2, mode="bilinear")[:, 0].numpy()
    corners = (draws[:, :2] * cell).astype(int)
    return np.stack(
        [mask[top : top + size, left : left + size] for mask, (top, left) in zip(large, corners, strict=True)]
    )


def scores_behind(masks: Masks, subject: Subject, question: Question, pixels: UInt8Images) -> Scores:
    """The scores ``(M,)`` of an image behind masks ``(M, S, S)``: where one is 0, the image has the mean colour."""
    fill = np.array(subject.preprocessing.fill, np.float32)[:, None, None]
    shown = masks[:, None]
    return subject.scores(question, np.rint(pixels * shown + fill * (1 - shown)).astype(np.uint8))


def _weighted_mean(parts: Iterable[tuple[Masks, Scores]]) -> Heat:
    """The mean at each pixel of all values ``(M,)``, weighted by ``(M, S, S)``; 0 where all weights are."""
    total = sums = np.zeros(())
    for weights, values in parts:
        total = total + np.tensordot(values, weights.astype(np.float64), axes=1)
        sums = sums + weights.sum(0, dtype=np.float64)
    mean: Heat = np.divide(total, sums, out=np.zeros_like(total), where=sums > 0).astype(np.float32)
    return mean
