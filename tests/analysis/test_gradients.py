"""Gradients of fresh networks."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from resnetkit.analysis.gradients import (
    MAX_LAG,
    Gradients,
    Inputs,
    correlation,
    draw_gradients,
    input_gradients,
    measure_gradients,
    take_inputs,
    weight_gradient_norms,
    with_skips_added,
    without_skips,
)
from resnetkit.analysis.subject import Subject, draw_network
from resnetkit.models.catalog import find_entry
from resnetkit.models.spec import BASIC, BASIC_PREACT, BOTTLENECK, NoSkip, ResNetSpec


@pytest.fixture
def noise() -> Inputs:
    """Noise of 8 pixels."""
    images = torch.randn(32, 3, 8, 8)
    return Inputs(images[:2], images, torch.arange(32) % 3)


def test_correlation_is_that_of_the_vectors_about_their_mean() -> None:
    vectors = torch.randn(50, 7) + 100
    centred = (vectors - vectors.mean(0)).double()
    expected = sum(centred[t] @ centred[t + 3] for t in range(47)) / centred.square().sum()
    assert correlation(vectors, 3) == pytest.approx(float(expected), rel=1e-3)
    assert correlation(torch.randn(2000, 5), 1) == pytest.approx(0, abs=0.03)
    assert correlation(torch.randn(2000, 5).cumsum(0), 1) > 0.99
    assert correlation(torch.ones(9, 5), 1) == 0


def test_gradients_are_those_of_the_first_output_along_the_way(noise: Inputs, plain: ResNetSpec) -> None:
    network = draw_network(plain, seed=0)
    gradients = input_gradients(network, noise.ends, 5)
    image = (0.75 * noise.ends[0] + 0.25 * noise.ends[1])[None].requires_grad_()
    network(image)[0, 0].backward()
    assert image.grad is not None
    torch.testing.assert_close(gradients[1], image.grad.flatten())


def test_norms_are_those_of_the_gradients_that_training_starts_with(noise: Inputs, plain: ResNetSpec) -> None:
    network = draw_network(plain, seed=0).train()
    found = weight_gradient_norms(network, noise, ("conv1", "layer2.1.conv2"))
    F.cross_entropy(network(noise.batch), noise.labels).backward()
    weights = network.conv1.weight, network.get_submodule("layer2.1").conv2.weight
    assert found == pytest.approx([float(weight.grad.norm()) for weight in weights], rel=1e-4)


def test_fresh_networks_are_measured_in_training_mode_by_the_geometric_mean_of_their_draws(
    noise: Inputs, plain: ResNetSpec
) -> None:
    measured = measure_gradients(plain, noise, num_draws=2, seed=5)
    both = [weight_gradient_norms(draw_network(plain, seed=seed).train(), noise, measured.layers) for seed in (5, 6)]
    assert measured.norms == pytest.approx([(a * b) ** 0.5 for a, b in zip(*both, strict=True)], rel=1e-4)


@pytest.mark.parametrize("block", [BASIC, BASIC_PREACT, BOTTLENECK])
def test_a_network_and_its_counterpart_differ_in_skips_alone(block: object, plain: ResNetSpec) -> None:
    spec = replace(plain, block=replace(block, join=NoSkip()))  # type: ignore[type-var]
    added = with_skips_added(spec)
    assert without_skips(added).block.join == NoSkip()
    same, other = (draw_network(one, seed=3).state_dict() for one in (spec, added))
    torch.testing.assert_close(same, other, rtol=0, atol=0)  # skips that add no weights, and the same draw


def test_a_counterpart_without_skips_learns_where_branches_started_at_zero(noise: Inputs) -> None:
    spec = find_entry("resnet20[zero_last=true,depths=[1,1,1]]").spec
    spec = replace(spec, num_classes=3)
    assert min(measure_gradients(without_skips(spec), noise, num_draws=1).norms) > 0


def test_skips_keep_gradients_alike(noise: Inputs) -> None:
    """The paper's claim, on networks of 20 layers and 8 pixels."""
    spec = replace(
        find_entry("resnet20").spec, widths=(4, 8, 16), stem=replace(find_entry("resnet20").spec.stem, widths=(4,))
    )
    spec = replace(spec, num_classes=3)
    with_skips, without = (measure_gradients(one, noise, num_draws=2) for one in (spec, without_skips(spec)))
    assert with_skips.mean_correlation() > without.mean_correlation() + 0.2
    assert with_skips.norms[0] / with_skips.norms[-1] < without.norms[0] / without.norms[-1]


def test_large_images_are_shrunk_and_none_are_replaced_by_noise(subject_of: Callable[..., Subject]) -> None:
    subject = subject_of()
    assert take_inputs(subject).batch.shape == (12, 3, 16, 16)
    bare = replace(subject, sample=None)
    assert take_inputs(bare).batch.shape == (64, 3, 32, 32)


def test_the_sentence_says_by_what_each_gradient_is_taken() -> None:
    measured = {"without skips": Gradients(("conv1", "conv2"), (3000.0, 2.0), ((-0.04,) * MAX_LAG,))}
    assert draw_gradients(measured, ()).seen == (
        "At the start, without skips, gradients by neighbouring images are correlated by −0.04, and the gradient by "
        "the first layer's weights is 1,500 times as long as by the last's."
    )
