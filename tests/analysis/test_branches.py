"""Lengths of what blocks add, over those of what they read."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.analysis.test_lesions import silence

from resnetkit.analysis.branches import Ratio, draw_ratios, measure_ratios, show_ratios
from resnetkit.analysis.subject import Subject
from resnetkit.models.spec import BASIC_PREACT, GatedAdd, Join, ResNetSpec, ScaledAdd


def test_the_ratio_is_that_of_the_parts_of_the_sum(subject_of: Callable[..., Subject], inputs: torch.Tensor) -> None:
    subject = subject_of()
    block = subject.network.get_submodule("layer2.0")
    with torch.inference_mode():
        x = subject.network.layer1(subject.network.stem(inputs))
        branch = block.bn2(block.conv2(block.bn1(block.conv1(x)).relu()))
        expected = branch.flatten(1).norm(dim=1) / block.downsample(x).flatten(1).norm(dim=1)
    ratio = {ratio.block: ratio for ratio in measure_ratios(subject.network, subject.shown())}["layer2.0"]
    assert ratio.mean == pytest.approx(expected.mean().item(), rel=1e-5)
    assert (ratio.low, ratio.high) == pytest.approx(np.percentile(expected.numpy(), (10, 90)), rel=1e-5)


def test_the_figure_says_what_its_values_say() -> None:
    ratios = tuple(Ratio(f"layer1.{i}", mean, mean - 0.1, mean + 0.1) for i, mean in enumerate((1.0, 0.6, 0.2)))
    seen = draw_ratios(ratios).seen
    assert "0.60 times the length of what its skip brings: 1.00 in the first half of the blocks, 0.40 in the" in seen
    assert "the most is layer1.0 with 1.00" in seen


def test_a_branch_of_zeros_adds_nothing(subject_of: Callable[..., Subject]) -> None:
    subject = subject_of()
    silence(subject.network.get_submodule("layer1.1"))  # type: ignore[arg-type]
    means = {ratio.block: ratio.mean for ratio in measure_ratios(subject.network, subject.shown())}
    assert means.pop("layer1.1") == 0
    assert all(mean > 0 for mean in means.values())


@pytest.mark.parametrize(("join", "factor"), [(ScaledAdd(0.5, 0.25), 0.5), (ScaledAdd(2.0, 1.0), 0.5)])
def test_scales_count(subject_of: Callable[..., Subject], join: Join, factor: float) -> None:
    spec = subject_of().spec
    plain_sum, scaled = (
        subject_of(replace(spec, depths=(1, 1), block=replace(BASIC_PREACT, join=one)))
        for one in (spec.block.join, join)
    )
    scaled.network.load_state_dict(plain_sum.network.state_dict())
    first, other = (measure_ratios(one.network, one.shown())[0].mean for one in (plain_sum, scaled))
    assert other == pytest.approx(factor * first, rel=1e-5)


def test_gates_count(subject_of: Callable[..., Subject]) -> None:
    spec = subject_of().spec
    subject = subject_of(replace(spec, block=replace(spec.block, join=GatedAdd(exclusive=True, gate_bias=-20.0))))
    assert max(ratio.mean for ratio in measure_ratios(subject.network, subject.shown())) < 1e-6


def test_without_skips_there_is_none(subject_of: Callable[..., Subject], plain: ResNetSpec) -> None:
    figure = show_ratios(subject_of(plain))
    assert figure.panels == ()
    assert figure.seen.startswith("There are no skips")
