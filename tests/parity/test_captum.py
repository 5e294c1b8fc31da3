"""Heat maps against captum's, and against the papers' formulas written out, on networks of twelve kinds.

In float64, whose rounding is far below the bound: in float32 the gradients of these networks differ by up to 1e-4 with
the order of additions alone. captum cannot follow an activation that overwrites its input: it is given a copy without.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.small_kinds import KINDS
from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.classifier.classifier import Classifier
from resnetkit.explanation.cam import grad_cam, grad_cam_plus_plus, layer_cam
from resnetkit.explanation.covering import occlusion, random_masks, rise
from resnetkit.explanation.gradients import draw_noise, gradient, integrated_gradients, smooth_grad
from resnetkit.explanation.subject import Question, Subject
from resnetkit.inference.torch_engines import open_plain
from resnetkit.models.plan import map_names

pytestmark = pytest.mark.slow
captum = pytest.importorskip("captum.attr")

SIZE = 16
TWELVE = (
    "pooling stem", "bottleneck", "stride first", "deep stem", "groups", "squeeze and excitation",
    "small images, option A", "plain", "pre-activated", "Keras v2", "Big Transfer", "one channel",
)  # fmt: skip


class Case:
    """A classifier in float64, one image for it, and what captum is given."""

    def __init__(self, classifier: Classifier, pixels: np.ndarray) -> None:
        classifier.network.double()
        self.subject = Subject.of(classifier, replace(open_plain(classifier), dtype=torch.float64))
        self.layer = map_names(classifier.network.spec)[-1]
        self.question = Question(2, 0, self.layer)
        self.pixels, self.view = pixels, self.subject.views(pixels)
        self.network = copy.deepcopy(self.subject.network)
        for module in self.network.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False

    def score(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits[:, 2] - logits[:, 0]

    def map_and_gradient(self) -> tuple[Tensor, Tensor]:
        x = self.network.forward_to(self.layer, self.view).detach().requires_grad_()
        logits = self.network.forward_from(self.layer, x)
        (logits[:, 2] - logits[:, 0]).sum().backward()
        assert x.grad is not None
        return x.detach()[0], x.grad[0]

    def enlarged(self, values: Tensor) -> Tensor:
        return F.interpolate(values.clamp(min=0)[None, None], (SIZE, SIZE), mode="bilinear", align_corners=False)[0, 0]


@pytest.fixture(params=TWELVE)
def case(request: pytest.FixtureRequest, make: Callable[..., Classifier], noise: Callable[..., np.ndarray]) -> Case:
    classifier = make(KINDS[request.param], SIZE)
    return Case(classifier, noise(classifier, 1)[0])


def assert_same(found: np.ndarray, expected: Tensor | np.ndarray) -> None:
    wanted = np.asarray(expected.detach() if isinstance(expected, Tensor) else expected)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max() + 1e-12, rtol=0)


def test_grad_cam(case: Case) -> None:
    layer = case.network.act if case.layer == "tail" else case.network.layer2
    found = captum.LayerGradCam(case.score, layer).attribute(case.view, relu_attributions=True)
    expected = captum.LayerAttribution.interpolate(found, (SIZE, SIZE), "bilinear")
    assert_same(grad_cam(case.subject, case.question, case.pixels), expected[0, 0])


def test_gradient(case: Case) -> None:
    found = captum.Saliency(case.score).attribute(case.view.clone(), abs=True)
    assert_same(gradient(case.subject, case.question, case.pixels), found[0].amax(0))


def test_smooth_grad(case: Case) -> None:
    """captum's NoiseTunnel draws for itself, so its Saliency is given our draws."""
    saliency, view = captum.Saliency(case.score), case.view
    spread = 0.15 * (view.max() - view.min())
    drawn = [saliency.attribute(view + spread * draw_noise(view[0], i), abs=False) for i in range(5)]
    found = smooth_grad(case.subject, case.question, case.pixels, num_samples=5)
    assert_same(found, torch.stack(drawn).mean(0)[0].abs().amax(0))


def test_integrated_gradients(case: Case) -> None:
    """By captum's rule of steps; where ours are, is told in their own test."""
    found = captum.IntegratedGradients(case.score).attribute(case.view, n_steps=12, method="riemann_middle")
    edges = np.linspace(0, 1, 13).tolist()
    ours = integrated_gradients(
        case.subject, case.question, case.pixels, first_edges=edges, least_steps=12, most_steps=12
    )
    assert_same(ours, found[0].sum(0))


def test_occlusion(case: Case) -> None:
    """On the prepared pixels, which are what is covered; logits are float32 where engines give them."""
    fill = torch.tensor(case.subject.preprocessing.fill).view(1, -1, 1, 1)

    def score(pixels: Tensor) -> Tensor:
        return torch.from_numpy(case.subject.scores(case.question, pixels.numpy().astype(np.uint8)))

    pixels = torch.from_numpy(case.pixels[None]).double()
    found = captum.Occlusion(score).attribute(
        pixels, sliding_window_shapes=(len(case.pixels), 2, 2), strides=(len(case.pixels), 1, 1),
        baselines=fill.expand_as(pixels).double(), perturbations_per_eval=64,
    )  # fmt: skip
    assert_same(occlusion(case.subject, case.question, case.pixels), found[0, 0])


def test_layer_cam_is_its_formula(case: Case) -> None:
    maps, gradients = case.map_and_gradient()
    total = torch.zeros(maps.shape[1:], dtype=torch.float64)
    for channel, slope in zip(maps, gradients, strict=True):
        total += slope.clamp(min=0) * channel
    if total.max() > 0:
        assert_same(layer_cam(case.subject, case.question, case.pixels), case.enlarged(total))


def test_grad_cam_plus_plus_is_its_formula(case: Case) -> None:
    maps, gradients = case.map_and_gradient()
    total = torch.zeros(maps.shape[1:], dtype=torch.float64)
    for channel, slope in zip(maps, gradients, strict=True):
        weight = 0.0
        for g in slope.flatten().tolist():
            below = 2 * g**2 + channel.sum().item() * g**3
            weight += (g**2 / below if below else 0.0) * max(g, 0.0)
        total += weight * channel
    if total.max() > 0:
        assert_same(grad_cam_plus_plus(case.subject, case.question, case.pixels), case.enlarged(total))


def test_rise_is_its_formula(case: Case) -> None:
    fill = np.array(case.subject.preprocessing.fill, np.float32)[:, None, None]
    above, below = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    for mask in random_masks(SIZE, range(20)):  # in float32: in float64 a pixel at one half would be rounded otherwise
        square = np.rint(mask * case.pixels + (1 - mask) * fill).astype(np.uint8)
        (score,) = case.subject.scores(case.question, square[None])
        above += score * mask.astype(float)
        below += mask.astype(float)
    assert_same(rise(case.subject, case.question, case.pixels, num_masks=20), above / below)
