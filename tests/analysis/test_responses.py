"""Standard deviations of layers' responses."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from resnetkit.analysis.responses import find_responses, measure_responses, show_responses
from resnetkit.analysis.subject import Subject
from resnetkit.models.catalog import find_entry
from resnetkit.models.spec import ACT_ONLY_PREACT, FULL_PREACT, NORM_AFTER_ADD, ResNetSpec


def test_a_response_is_what_the_norm_gives_before_activation_and_addition(
    subject_of: Callable[..., Subject], inputs: torch.Tensor
) -> None:
    subject = subject_of()
    network = subject.network
    block = network.get_submodule("layer1.0")
    with torch.inference_mode():
        stem = network.bn1(network.conv1(inputs))
        first = block.bn1(block.conv1(stem.relu()))
        second = block.bn2(block.conv2(first.relu()))
    found = {response.layer: response.std for response in measure_responses(network, subject.shown())}
    for layer, response in {"conv1": stem, "layer1.0.conv1": first, "layer1.0.conv2": second}.items():
        assert found[layer] == pytest.approx(response.std(correction=0).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("order", "reads"),
    [
        (FULL_PREACT, ["conv1", "layer1.0.conv1", "layer1.0.conv2"]),
        (ACT_ONLY_PREACT, ["bn1", "layer1.0.bn1", "layer1.0.bn2"]),
        (NORM_AFTER_ADD, ["bn1", "layer1.0.bn1", "layer1.0.conv2"]),
    ],
)
def test_each_order_says_where_its_responses_are(
    subject_of: Callable[..., Subject], order: object, reads: list[str]
) -> None:
    spec = subject_of().spec
    spec = replace(spec, block=replace(spec.block, order=order))
    assert [read_at for _, read_at in find_responses(spec)][:3] == reads


@pytest.mark.parametrize(("name", "number"), [("resnet20", 19), ("resnet50", 49), ("resnet50d", 51)])
def test_every_conv_but_those_of_projections_is_there(name: str, number: int) -> None:
    assert len(list(find_responses(find_entry(name).spec))) == number


def test_the_figure_says_what_its_values_say(subject_of: Callable[..., Subject]) -> None:
    subject = subject_of()
    figure = show_responses(subject)
    ordered, ranked = (panel.lines[0].y for panel in figure.panels)  # type: ignore[union-attr]
    assert sorted(ordered, reverse=True) == list(ranked)
    strongest = max(measure_responses(subject.network, subject.shown()), key=lambda response: response.std)
    assert f"{strongest.layer} with {strongest.std:.3f}" in figure.seen
    assert f"{sum(ordered) / len(ordered):.3f}" in figure.seen


def test_a_plain_network_is_called_one(subject_of: Callable[..., Subject], plain: ResNetSpec) -> None:
    assert show_responses(subject_of(plain)).seen.startswith("Without skips")
