"""Methods that read the gradient of the score by the pixels, as the network is given them: normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from resnetkit.data.randomness import Purpose, derive_seed
from resnetkit.explanation.explanation import GAP, Heat
from resnetkit.explanation.subject import Question, Subject, gradient_of
from resnetkit.images.types import UInt8Images
from resnetkit.machine.device import exact_float32

# Along the way to the image a photograph's score changes most where it is hardly visible yet: steps are short there.
FIRST_EDGES = tuple((step / 8) ** 2 for step in range(9))
LEAST_STEPS, MOST_STEPS = 32, 128


def gradient(subject: Subject, question: Question, pixels: UInt8Images) -> Heat:
    """Take the steepest of a pixel's channels: how fast the score changes with it (arXiv:1312.6034, section 3.1).

    Unit: that of the score, by standard deviation of the channel (``std`` of the preprocessing); 0 and more.
    """
    views = subject.views(pixels)
    return subject.merge(_gradient(subject, question, views).abs().amax(1))


def smooth_grad(
    subject: Subject, question: Question, pixels: UInt8Images, *, num_samples: int = 25, noise_share: float = 0.15
) -> Heat:
    """Average the gradient over noisy copies of the image, then go on as :func:`gradient` (arXiv:1706.03825).

    The noise is normal, the same for every image, with a standard deviation of ``noise_share`` of the range of the
    values. Unit and range are those of :func:`gradient`.
    """
    views = subject.views(pixels)
    spread = noise_share * (views.amax((1, 2, 3), keepdim=True) - views.amin((1, 2, 3), keepdim=True))
    total = torch.zeros_like(views)
    for number in range(num_samples):
        total += _gradient(subject, question, views + spread * draw_noise(views[0], number))
    return subject.merge((total / num_samples).abs().amax(1))


def draw_noise(like: Tensor, number: int) -> Tensor:
    """The ``number``-th sample of standard normal noise, of a tensor's shape."""
    random = torch.Generator().manual_seed(derive_seed(0, number, Purpose.NOISE))
    return torch.randn(like.shape, generator=random).to(like)


def integrated_gradients(
    subject: Subject,
    question: Question,
    pixels: UInt8Images,
    *,
    first_edges: Sequence[float] = FIRST_EDGES,
    least_steps: int = LEAST_STEPS,
    most_steps: int = MOST_STEPS,
) -> Heat:
    """Add up the gradient on the way from an image of the mean colour to this one, times the pixels (arXiv:1703.01365).

    Unit: that of the score, signed: all values add up to what the image changes of it, but for what finite steps miss.
    Steps are the middles of pieces of the way, of which the one that misses most is cut in three again and again, until
    there are ``least_steps`` and all miss no more than 1 % of the whole, or there are ``most_steps``. Networks of group
    norms can miss more then (:func:`find_gap` tells): they answer nearly alike at any contrast, and all of the change
    is in the first thousandth of the way.
    """
    return subject.merge(
        torch.stack(
            [
                _integrate(subject, question, view[None], first_edges, least_steps, most_steps)
                for view in subject.views(pixels)
            ]
        )
    )


def find_gap(subject: Subject, question: Question, pixels: UInt8Images, heat: Heat) -> float:
    """The share of what the image changes of the score that a map misses whose values should add up to it."""
    views = subject.views(pixels)
    changed = float((_scores(subject, question, views) - _scores(subject, question, torch.zeros_like(views))).mean())
    return abs(float(heat.sum(dtype=float)) - changed) / max(abs(changed), 1e-12)


@dataclass(frozen=True, eq=False)
class _Piece:
    """Piece of the way: from and to which share of the image, the scores there, and the products of gradient and pixel
    ``(S, S)`` in its middle, where ``slope`` is their sum.
    """

    start: float
    end: float
    start_score: float
    end_score: float
    products: Tensor
    slope: float

    @property
    def missed(self) -> float:
        """Change of the score that the products do not explain."""
        return self.end_score - self.start_score - (self.end - self.start) * self.slope


def _integrate(
    subject: Subject, question: Question, view: Tensor, edges: Sequence[float], least_steps: int, most_steps: int
) -> Tensor:
    """The map ``(S, S)`` of one view ``(1, C, S, S)``."""

    def score(share: float) -> float:
        return float(_scores(subject, question, share * view))

    def piece(start: float, end: float, start_score: float, end_score: float) -> _Piece:
        middle = (start + end) / 2
        products = (_gradient(subject, question, middle * view) * view)[0].sum(0)
        return _Piece(start, end, start_score, end_score, products, float(products.sum(dtype=torch.float64)))

    scores = [score(edge) for edge in edges]
    pieces = [piece(*each) for each in zip(edges, edges[1:], scores, scores[1:], strict=False)]
    changed = scores[-1] - scores[0]
    while len(pieces) < least_steps or (
        len(pieces) < most_steps and abs(sum(each.missed for each in pieces)) > GAP * abs(changed)
    ):
        worst = max(pieces, key=lambda each: abs(each.missed))
        pieces.remove(worst)
        left, right = worst.start + (worst.end - worst.start) / 3, worst.end - (worst.end - worst.start) / 3
        at_left, at_right = score(left), score(right)
        pieces += [
            piece(worst.start, left, worst.start_score, at_left),
            _Piece(left, right, at_left, at_right, worst.products, worst.slope),  # it has the same middle
            piece(right, worst.end, at_right, worst.end_score),
        ]
    total: Tensor = sum((each.end - each.start) * each.products for each in pieces)  # type: ignore[assignment]
    return total


def _scores(subject: Subject, question: Question, images: Tensor) -> Tensor:
    """The scores ``(N,)`` of normalised images, without a gradient."""
    with torch.no_grad(), exact_float32(images.device):
        return question.score(subject.network(images))


def _gradient(subject: Subject, question: Question, images: Tensor) -> Tensor:
    """The gradient of each image's score by it, ``(N, C, S, S)``."""
    return gradient_of(lambda x: question.score(subject.network(x)), images)
