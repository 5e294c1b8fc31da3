"""The plan of a network: every block in its place, every layer by the name it has in the network."""

from dataclasses import replace

import pytest
import torch

from resnetkit.errors import ResnetkitError
from resnetkit.models.catalog import CATALOG
from resnetkit.models.places import iter_places
from resnetkit.models.plan import plan_network
from resnetkit.models.resnet import ResNet
from resnetkit.models.sliding import Map, Slide, apply, slide_of
from resnetkit.models.spec import BASIC, STEM_3X3, ResNetSpec
from resnetkit.models.steps import Conv, DropBranch, MeanPool

SMALL = ResNetSpec(BASIC, (3, 2), (8, 16), (1, 2), stem=replace(STEM_3X3, widths=(8,)), num_classes=5)


def test_like_blocks_keep_their_own_places() -> None:
    spec = replace(SMALL, block=replace(BASIC, project="stage_start"))
    blocks = [block for part in plan_network(spec) for block in part.blocks]
    assert [block.place for block in blocks] == list(iter_places(spec))
    assert [block.skip_kind for block in blocks] == ["projection", "identity", "identity", "projection", "identity"]


def test_branches_are_dropped_more_often_from_block_to_block() -> None:
    blocks = [block for part in plan_network(replace(SMALL, stochastic_depth_rate=0.5)) for block in part.blocks]
    assert [block.branch[-1].layer for block in blocks] == [DropBranch(0.5 * i / 5) for i in range(1, 6)]


@pytest.mark.parametrize("name", ["resnet18", "keras_resnet50v2", "resnet50d", "seresnet50", "resnetrs50"])
def test_names_are_those_of_the_networks_layers(name: str) -> None:
    spec = CATALOG[name].spec
    with torch.device("meta"):
        network = ResNet(spec)
    names = [step.name for part in plan_network(spec) for path in part.iter_paths() for step in path if step.name]
    assert len(names) == len(set(names))
    parameters = {parameter for parameter, _ in network.named_parameters()}
    assert parameters == {
        f"{name}.{own}" for name in names for own, _ in network.get_submodule(name).named_parameters()
    }


def test_windows_that_reach_beyond_the_end() -> None:
    assert slide_of(MeanPool(2), 5) == Slide(2, 2, 0, 1)
    assert [apply(MeanPool(2, rounds_up=up), Map(8, 5)) for up in (True, False)] == [Map(8, 3), Map(8, 2)]
    assert apply(Conv(8, 16, 3, stride=2, pads_same=True), Map(8, 5)) == Map(16, 3)


def test_a_map_too_small_for_any_window_is_refused() -> None:
    with pytest.raises(ResnetkitError, match="a map of 1×1 pixels is too small for MeanPool"):
        apply(MeanPool(2, rounds_up=False), Map(8, 1))
