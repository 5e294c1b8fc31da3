"""Norms and dead channels."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from resnetkit.analysis.norms import find_dead_channels, read_norms, show_norms
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.models.spec import GroupNorm


def test_a_channel_that_never_rises_above_zero_is_found(subject_of: Callable[..., Subject]) -> None:
    subject = subject_of()
    norm = subject.network.get_submodule("layer1.1.bn1")
    before = {act.layer: act.channels for act in find_dead_channels(subject.network, subject.shown())}
    with torch.no_grad():
        norm.weight[2] = 0
        norm.bias[2] = -0.5
    after = {act.layer: act.channels for act in find_dead_channels(subject.network, subject.shown())}
    assert 2 not in before["layer1.1.act1"]
    assert 2 in after["layer1.1.act1"]
    others = [name for name in before if name < "layer1.1"]
    assert {name: after[name] for name in others} == {name: before[name] for name in others}
    assert "layer1.1.act1" in show_norms(subject).seen


def test_a_channel_that_rises_above_zero_in_any_batch_is_alive(
    subject_of: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, in_batches = subject_of(), Sample.batches
    pixels = subject.shown().pixels.copy()
    pixels[5:] = 0
    sample = replace(subject.shown(), pixels=pixels)
    at_once = find_dead_channels(subject.network, sample)
    assert at_once != find_dead_channels(subject.network, replace(sample, pixels=pixels * 0))
    monkeypatch.setattr(Sample, "batches", lambda sample, device: in_batches(sample, device, 5))
    assert find_dead_channels(subject.network, sample) == at_once


def test_every_norm_says_what_it_holds(subject_of: Callable[..., Subject]) -> None:
    network = subject_of().network
    states = {state.layer: state for state in read_norms(network)}
    assert set(states) == {name for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    norm, state = network.get_submodule("layer2.0.downsample.1"), states["layer2.0.downsample.1"]
    assert state.running_var is not None
    assert state.running_var.high == pytest.approx(float(norm.running_var.max()))
    assert state.scale.mean == pytest.approx(norm.weight.abs().mean().item())
    assert state.num_negligible == 0
    with torch.no_grad():
        norm.weight[:3] = torch.tensor([1e-5, -1e-5, -0.5])
    assert {state.layer: state.num_negligible for state in read_norms(network)}["layer2.0.downsample.1"] == 2


def test_group_norms_keep_no_statistics(subject_of: Callable[..., Subject]) -> None:
    spec = subject_of().spec
    figure = show_norms(subject_of(replace(spec, norm=GroupNorm(2))))
    assert [panel.title for panel in figure.panels] == ["scales", "dead channels"]
