"""Filters and maps as pictures."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from resnetkit.analysis.figure import Pictures
from resnetkit.analysis.pictures import show_filters, show_stages
from resnetkit.analysis.subject import Subject
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import BASIC_PREACT, STEM_3X3, STEM_DEEP


def pixels(panel: object, number: int = 0) -> np.ndarray:
    assert isinstance(panel, Pictures)
    return np.array(panel.pictures[number].pixels)


def test_a_filter_is_its_weights_in_colours_with_zero_grey(subject_of: Callable[..., Subject]) -> None:
    subject = subject_of()
    weight = torch.zeros(3, 3, 3)
    weight[0, 0, 1], weight[2, 2, 2] = 2.0, -1.0
    with torch.no_grad():
        subject.network.conv1.weight[1] = weight
    shown = pixels(show_filters(subject).panels[0], 1)
    assert shown[0, 1].tolist() == [255, 128, 128]
    assert shown[2, 2].tolist() == [128, 128, 64]
    assert shown[1, 1].tolist() == [128, 128, 128]


@pytest.mark.parametrize(
    ("stem", "channels", "shape"), [(STEM_DEEP, 3, (3, 3, 3)), (STEM_3X3, 1, (3, 3, 1)), (STEM_3X3, 5, (3, 3, 1))]
)
def test_any_first_layer_has_filters(
    subject_of: Callable[..., Subject], stem: object, channels: int, shape: tuple[int, ...]
) -> None:
    spec = replace(subject_of().spec, stem=stem, in_channels=channels)
    figure = show_filters(Subject("a network", ResNet(spec)))
    assert pixels(figure.panels[0]).shape == shape
    assert ("of 5 input channels the first is shown" in figure.notes) == (channels == 5)


def test_filters_of_a_network_that_reads_blue_first_are_shown_in_their_colours(
    subject_of: Callable[..., Subject],
) -> None:
    subject = subject_of()
    sample = subject.shown()
    bgr = replace(subject, sample=replace(sample, preprocessing=replace(sample.preprocessing, channel_order="bgr")))
    rgb, flipped = (pixels(show_filters(one).panels[0]) for one in (subject, bgr))
    assert (flipped == rgb[..., ::-1]).all()


def test_noise_is_as_rough_as_noise_and_a_ramp_is_not(subject_of: Callable[..., Subject]) -> None:
    subject = subject_of()
    weight = subject.network.conv1.weight
    with torch.no_grad():
        weight[:] = torch.linspace(-1, 1, 3)[:, None] + torch.linspace(-1, 1, 3)
    assert show_filters(subject).numbers["roughness"] < 0.5


def test_each_stage_shows_its_strongest_channels(subject_of: Callable[..., Subject], inputs: torch.Tensor) -> None:
    subject = subject_of()
    figure = show_stages(subject)
    assert pixels(figure.panels[0]).shape == (16, 16, 3)
    assert (pixels(figure.panels[0]) == subject.shown().pixels[0].transpose(1, 2, 0)).all()
    own = replace(subject, image=replace(subject.shown(), pixels=subject.shown().pixels[3:4]))
    assert (pixels(show_stages(own).panels[0]) == subject.shown().pixels[3].transpose(1, 2, 0)).all()
    with torch.inference_mode():
        last = subject.network.forward_stages(inputs[:1])["stage2"][0].clone()
    panel = figure.panels[-1]
    assert isinstance(panel, Pictures)
    strengths = last.abs().mean((1, 2))
    assert [int(p.name.removeprefix("channel ")) for p in panel.pictures] == strengths.argsort(descending=True).tolist()
    strongest = last[int(strengths.argmax())]
    scaled = 255 * (strongest - strongest.min()) / (strongest.max() - strongest.min())
    assert np.abs(pixels(panel)[..., 0] - scaled.round().numpy()).max() <= 1
    assert panel.pictures[0].high == pytest.approx(float(strongest.max()), rel=1e-5)


def test_maps_of_pre_activated_stages_are_those_before_the_next_norm(
    subject_of: Callable[..., Subject], inputs: torch.Tensor
) -> None:
    """Nothing that runs afterwards may have changed them."""
    spec = subject_of().spec
    subject = subject_of(replace(spec, block=BASIC_PREACT))
    with torch.inference_mode():
        last = subject.network.layer2(subject.network.layer1(subject.network.stem(inputs[:1])))[0]
    numbers = show_stages(subject).numbers
    assert numbers["share_above_0_stage2"] == pytest.approx(float((last > 0).float().mean()))
