"""Every method against what it must find, on a network whose logits are sums of known weights and squares."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.classifier.decision import Decision
from resnetkit.classifier.prediction import BATCH_SIZE
from resnetkit.explanation.covering import occlusion, random_masks, rise, scores_behind
from resnetkit.explanation.gradients import find_gap
from resnetkit.explanation.methods import METHODS
from resnetkit.explanation.subject import Question, Subject
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import UInt8Images

SIZE, NUM_CLASSES = 8, 3
PREPROCESSING = Preprocessing(SIZE, SIZE, 3, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
QUESTIONS = [Question(1, None, "stage2"), Question(1, 2, "stage2"), Question(0, 2, "stage1")]


class Known(nn.Module):
    """Each logit adds up ``weights * values + squares * values²`` of the pixels, or of a map: their means in fours."""

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        sides = {"": SIZE, "stage1": SIZE // 2, "stage2": SIZE // 2}
        self.of = {name: torch.randn(2, NUM_CLASSES, 3, side, side, generator=random) for name, side in sides.items()}
        self.own = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_from("", images)

    def forward_to(self, _: str, images: Tensor) -> Tensor:
        return F.avg_pool2d(images, 2)

    def forward_from(self, layer: str, values: Tensor) -> Tensor:
        weights, squares = self.of[layer]
        return torch.einsum("nchw,kchw->nk", values, weights) + torch.einsum("nchw,kchw->nk", values**2, squares)

    def weights_of(self, question: Question, layer: str) -> Tensor:
        """Weights and squares of a question's score, ``(2, C, h, w)``."""
        own = self.of[layer][:, question.answer]
        return own if question.against is None else own - self.of[layer][:, question.against]


class Corner:
    """Sure of class 1 as far as the upper left quarter is bright."""

    name = "corner"

    def __init__(self) -> None:
        self.asked: list[int] = []

    def logits(self, pixels: UInt8Images) -> np.ndarray:
        self.asked.append(len(pixels))
        light = pixels[..., : SIZE // 2, : SIZE // 2].astype(np.float32).mean((1, 2, 3)) / 255
        return np.stack([light * 0, 4 * light, light * 0], 1)[:, None]


@pytest.fixture
def subject() -> Subject:
    return Subject(Known(), PREPROCESSING, Decision(), Corner())  # type: ignore[arg-type]


@pytest.fixture
def pixels() -> UInt8Images:
    return np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE), np.uint8)


def channel_weights_of_grad_cam(maps: Tensor, slopes: Tensor) -> Tensor:
    return slopes.mean((1, 2), keepdim=True)


def channel_weights_of_grad_cam_plus_plus(maps: Tensor, slopes: Tensor) -> Tensor:
    weights = []
    for channel, slope in zip(maps, slopes, strict=True):
        below = [(g, 2 * g**2 + float(channel.sum()) * g**3) for g in slope.flatten().tolist()]
        weights.append(sum(g**2 / whole * max(g, 0.0) for g, whole in below))
    return torch.tensor(weights)[:, None, None]


def weights_of_layer_cam(maps: Tensor, slopes: Tensor) -> Tensor:
    return slopes.clamp(min=0)


WEIGHTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "grad_cam": channel_weights_of_grad_cam,
    "grad_cam_plus_plus": channel_weights_of_grad_cam_plus_plus,
    "layer_cam": weights_of_layer_cam,
}


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
@pytest.mark.parametrize("method", WEIGHTS)
def test_maps_are_weighted_added_up_and_kept_above_0(
    method: str, question: Question, subject: Subject, pixels: UInt8Images
) -> None:
    network: Known = subject.network  # type: ignore[assignment]
    maps = F.avg_pool2d(subject.views(pixels), 2)[0]
    weights, squares = network.weights_of(question, question.layer)
    expected = (WEIGHTS[method](maps, weights + 2 * squares * maps) * maps).sum(0).clamp(min=0)
    enlarged = F.interpolate(expected[None, None], (SIZE, SIZE), mode="bilinear", align_corners=False)[0, 0]
    assert expected.max() > 0
    found = METHODS[method].compute(subject, question, pixels)
    np.testing.assert_allclose(found, enlarged, atol=1e-4 * float(enlarged.max()))


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_gradients_are_the_steepest_of_the_channels(question: Question, subject: Subject, pixels: UInt8Images) -> None:
    weights, squares = subject.network.weights_of(question, "")  # type: ignore[operator]
    expected = (weights + 2 * squares * subject.views(pixels)[0]).abs().amax(0)
    np.testing.assert_allclose(METHODS["gradient"].compute(subject, question, pixels), expected, rtol=1e-4)


def test_noise_averages_out_before_signs_are_dropped(subject: Subject, pixels: UInt8Images) -> None:
    """Where the score is flat at the image, and steep on both sides of it."""
    network, view = Known(), subject.views(pixels)[0]
    network.of[""] = torch.stack([-2 * view, torch.ones_like(view)])[:, None].repeat(1, NUM_CLASSES, 1, 1, 1)
    flat = Subject(network, PREPROCESSING, Decision(), Corner())  # type: ignore[arg-type]
    spread = 0.15 * float(view.max() - view.min())
    found = METHODS["smooth_grad"].compute(flat, QUESTIONS[0], pixels)
    # The mean of 25 samples is a fifth as wide as they are; their mean size would be 0.8 of that, 1.6 of the spread.
    assert 0 < found.mean() < 0.8 * spread


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_integrated_gradients_are_the_parts_of_a_sum(question: Question, subject: Subject, pixels: UInt8Images) -> None:
    weights, squares = subject.network.weights_of(question, "")  # type: ignore[operator]
    view = subject.views(pixels)[0]
    expected = (weights * view + squares * view**2).sum(0)
    found = METHODS["integrated_gradients"].compute(subject, question, pixels)
    np.testing.assert_allclose(found, expected, atol=1e-3 * float(expected.abs().max()))
    assert find_gap(subject, question, pixels, found) < 1e-3
    for times, gap in ((1.5, 0.5), (0.5, 0.5), (-1, 2)):
        assert find_gap(subject, question, pixels, times * found) == pytest.approx(gap, abs=1e-3)


def bright() -> UInt8Images:
    return np.full((3, SIZE, SIZE), 255, np.uint8)


INSIDE = np.zeros((SIZE, SIZE), bool)
INSIDE[: SIZE // 2, : SIZE // 2] = True


@pytest.mark.parametrize("question", QUESTIONS[:2], ids=str)
def test_occlusion_is_what_a_cover_takes_from_the_score(question: Question, subject: Subject) -> None:
    found = occlusion(subject, question, bright())
    assert (found[INSIDE] > 0).all()
    np.testing.assert_allclose(found[~INSIDE], 0, atol=1e-6)
    if question.against is not None:
        turned = Question(question.against, question.answer, question.layer)
        np.testing.assert_allclose(occlusion(subject, turned, bright()), -found, atol=1e-6)


@pytest.mark.parametrize("question", QUESTIONS[:2], ids=str)
def test_rise_is_the_score_where_a_pixel_is_seen(question: Question, subject: Subject) -> None:
    found = rise(subject, question, bright())
    assert found[INSIDE].mean() > found[~INSIDE].max()
    whole, covered = subject.scores(question, np.stack([bright(), fill()]))
    assert covered <= found.min() <= found.max() <= whole


def fill() -> UInt8Images:
    return np.array(PREPROCESSING.fill, np.uint8)[:, None, None].repeat(SIZE, 1).repeat(SIZE, 2)


def test_covers_have_the_mean_colour(subject: Subject) -> None:
    assert not occlusion(subject, QUESTIONS[0], fill()).any()


def test_all_masks_are_shown_a_batch_at_a_time(subject: Subject) -> None:
    """As the formula has it: the mean score of the masks, weighted by what each shows of a pixel."""
    number = 2 * BATCH_SIZE + 3
    found = rise(subject, QUESTIONS[1], bright(), num_masks=number)
    assert subject.engine.asked == [BATCH_SIZE, BATCH_SIZE, 3]  # type: ignore[attr-defined]
    masks = random_masks(SIZE, range(number))
    scores = scores_behind(masks, subject, QUESTIONS[1], bright())
    expected = (scores[:, None, None] * masks).sum(0) / masks.sum(0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
