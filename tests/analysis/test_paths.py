"""Paths through networks, and the gradient along them."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
import torch
from tests.analysis.test_lesions import silence
from torch.nn import functional as F

from resnetkit.analysis.figure import Lines
from resnetkit.analysis.paths import Paths, draw_paths, follow_gradients, show_paths
from resnetkit.analysis.subject import Subject
from resnetkit.models.catalog import find_entry
from resnetkit.models.spec import ACT_BEFORE_ADD, ResNetSpec


def test_lengths_are_those_of_all_paths() -> None:
    paths = Paths(always=1, optional=4)
    lengths = [1 + sum(choice) for choice in product((0, 1), repeat=4)]
    assert [paths.share(length) for length in paths.lengths] == [lengths.count(n) / 16 for n in range(1, 6)]
    assert paths.mean == sum(lengths) / 16


def test_the_middle_holds_what_it_says() -> None:
    paths = Paths.of(find_entry("resnet110").spec)
    assert paths == Paths(0, 54)
    low, high = paths.middle()
    assert (low, high) == (20, 34)  # the paper says 19 to 35 of most paths
    assert (
        1 - sum(paths.share(n) for n in range(low, high + 1)) <= 0.05 < 1 - sum(map(paths.share, range(low + 1, high)))
    )


def test_a_very_deep_network_can_be_counted() -> None:
    paths = Paths(0, 1500)
    assert sum(map(paths.share, paths.lengths)) == pytest.approx(1)


def test_a_plain_network_has_one_path(plain: ResNetSpec) -> None:
    paths = Paths.of(plain)
    assert (list(paths.lengths), paths.share(6)) == ([6], 1.0)


def test_the_gradient_along_all_paths_is_the_whole_gradient(
    subject_of: Callable[..., Subject], inputs: torch.Tensor
) -> None:
    """One skip makes two paths; where the branch gives zeros, that of the skip alone is all there is."""
    spec = subject_of().spec
    subject = subject_of(
        replace(spec, depths=(1,), widths=(4,), strides=(1,), block=replace(spec.block, order=ACT_BEFORE_ADD))
    )
    network = subject.network
    silence(network.get_submodule("layer1.0"))  # type: ignore[arg-type]
    norms = follow_gradients(network, subject.shown())
    x = network.stem(inputs).detach().requires_grad_()
    labels = torch.from_numpy(subject.shown().labels)
    F.cross_entropy(network.answer_from(network.get_submodule("layer1")(x)), labels, reduction="sum").backward()
    assert x.grad is not None
    assert norms[0] == pytest.approx(float(x.grad.flatten(1).norm(dim=1).mean()), rel=1e-5)
    assert norms[1] == 0


def test_a_longer_path_carries_less_where_branches_are_weak(subject_of: Callable[..., Subject]) -> None:
    subject = subject_of()
    for _, block in subject.network.iter_blocks():
        with torch.no_grad():
            block.get_submodule("bn2").weight.mul_(0.1)
    norms = follow_gradients(subject.network, subject.shown())
    assert list(norms) == list(range(7))
    assert all(norms[n + 1] < norms[n] for n in range(6))
    figure = show_paths(subject)
    assert figure.numbers["mean_length_by_gradient"] < figure.numbers["mean_length"] == 3


def test_a_length_carries_as_much_as_all_its_paths() -> None:
    figure = draw_paths(Paths(0, 2), {0: 1.0, 1: 0.5, 2: 0.1})  # one path, two, and one
    panel = figure.panels[2]
    assert isinstance(panel, Lines)
    assert panel.lines[0].y == pytest.approx((1 / 2.1, 1 / 2.1, 0.1 / 2.1))
    assert figure.numbers["mean_length_by_gradient"] == pytest.approx(1.2 / 2.1)
