"""The loss about weights: against what is known in closed form, and what the directions have to be."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from resnetkit.analysis.landscape import Plane, Terrain, draw_direction
from resnetkit.analysis.landscape_points import compute_landscape
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.errors import ResnetkitError

MakeSubject = Callable[..., Subject]


def test_the_middle_is_the_network_as_it_is(subject_of: MakeSubject, inputs: torch.Tensor, sample: Sample) -> None:
    subject = subject_of()
    landscape = compute_landscape(subject, Plane(3))
    with torch.no_grad():
        logits = subject.network(inputs).double()
    labels = torch.from_numpy(sample.labels)
    assert landscape.centre.loss == pytest.approx(functional.cross_entropy(logits, labels).item(), abs=1e-9)
    assert landscape.centre.error == (logits.argmax(1) != labels).double().mean().item()
    assert landscape.num_images == 12


def test_where_the_head_alone_has_length_losses_follow_its_formula(
    subject_of: MakeSubject, inputs: torch.Tensor, sample: Sample
) -> None:
    subject = replace(subject_of(), seed=3)
    network, labels = subject.network, torch.from_numpy(sample.labels)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.zero_()  # and then its direction is 0 too: norms' shifts make the features
        features = network.embed(inputs).double()
    plane = Plane(5, 2.0)
    landscape = compute_landscape(subject, plane)
    terrain = Terrain(network, sample, seed=3)
    weight, first, second = next(row[1:] for row in terrain.filters if row[1].dim() == 2)
    expected = np.empty((5, 5))
    for i, b in enumerate(plane.steps):
        for j, a in enumerate(plane.steps):
            logits = features @ (weight + a * first + b * second).double().T + network.fc.bias.detach().double()
            expected[i, j] = functional.cross_entropy(logits, labels).item()
    np.testing.assert_allclose(landscape.losses, expected, rtol=1e-5)
    assert np.ptp(expected) > 0.1
    assert not np.allclose(expected, expected.T)  # rows and columns are not taken for one another


def test_filters_of_a_direction_are_as_long_as_the_weights_own(subject_of: MakeSubject) -> None:
    weights = {name: weight.detach() for name, weight in subject_of().network.named_parameters()}
    direction, other = draw_direction(weights, 0), draw_direction(weights, 1)
    assert any(weight.dim() == 1 for weight in weights.values())
    for name, weight in weights.items():
        if weight.dim() == 1:
            assert not direction[name].any()  # biases and norms stay
        else:
            lengths = [tensor.flatten(1).norm(dim=1) for tensor in (direction[name], weight)]
            torch.testing.assert_close(*lengths)
            assert not torch.equal(direction[name], other[name])
    assert all(torch.equal(direction[name], again) for name, again in draw_direction(weights, 0).items())


def test_the_network_is_afterwards_what_it_was(subject_of: MakeSubject) -> None:
    subject = subject_of()
    before = {name: tensor.clone() for name, tensor in subject.network.state_dict().items()}

    def stop(known: int, num_points: int, seconds: float) -> None:
        if known == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_landscape(subject, Plane(3), progress=stop)
    assert all(torch.equal(before[name], tensor) for name, tensor in subject.network.state_dict().items())
    assert not subject.network.training


def test_a_loss_that_is_not_finite_is_no_number(subject_of: MakeSubject, sample: Sample) -> None:
    height = Terrain(subject_of().network, sample, seed=0).height(1e30, 0.0)
    assert np.isnan(height.loss)
    assert 0 <= height.error <= 1


def test_a_height_is_a_mean_over_images_whatever_their_batch(
    subject_of: MakeSubject, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    terrain, in_batches = Terrain(subject_of().network, sample, seed=0), Sample.batches
    at_once = terrain.height(0.2, -0.1)
    monkeypatch.setattr(Sample, "batches", lambda sample, device: in_batches(sample, device, 5))
    assert terrain.height(0.2, -0.1).loss == pytest.approx(at_once.loss, rel=1e-6)
    assert terrain.height(0.2, -0.1).error == at_once.error


def test_points_begin_in_the_middle_and_follow_the_two_lines_first() -> None:
    plane = Plane(5, 0.5)
    assert plane.steps.tolist() == [-0.5, -0.25, 0.0, 0.25, 0.5]
    points = plane.points()
    assert points[0] == (2, 2)
    assert set(points[:9]) == {(2, j) for j in range(5)} | {(i, 2) for i in range(5)}
    assert sorted(points) == [(i, j) for i in range(5) for j in range(5)]


@pytest.mark.parametrize("values", [{"grid": 4}, {"grid": 1}, {"span": 0.0}, {"span": float("nan")}])
def test_planes_that_cannot_be_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ResnetkitError):
        Plane(**values)  # type: ignore[arg-type]
