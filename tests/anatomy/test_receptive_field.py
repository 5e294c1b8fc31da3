"""Receptive fields: by hand, by the literature's numbers, and by poking at images."""

from dataclasses import replace
from functools import reduce

import pytest
import torch

from resnetkit.anatomy.receptive_field import Window, see_through
from resnetkit.anatomy.table import describe
from resnetkit.models.catalog import CATALOG
from resnetkit.models.plan import plan_network
from resnetkit.models.resnet import ResNet
from resnetkit.models.sliding import Slide
from resnetkit.models.spec import (
    AVGPOOL_CONV_BN,
    BASIC,
    BASIC_PREACT,
    BOTTLENECK,
    BOTTLENECK_V1,
    STEM_3X3,
    STEM_7X7,
    ZERO_PAD,
    Block,
    GatedAdd,
    ResNetSpec,
)


# 7×7/2 sees 7, the pool 11; then every 3×3 adds twice the product of the strides before it. In v1 the stride comes
# before a stage's first 3×3, in v1.5 with it.
@pytest.mark.parametrize(
    ("name", "size_px"),
    [
        ("resnet18", 11 + 4 * 2 * 4 + (8 + 3 * 16) + (16 + 3 * 32) + (32 + 3 * 64)),
        ("resnet50", 11 + 3 * 8 + (8 + 3 * 16) + (16 + 5 * 32) + (32 + 2 * 64)),
        ("resnet50_v1", 11 + 3 * 8 + 4 * 16 + 6 * 32 + 3 * 64),
    ],
)
def test_known_networks(name: str, size_px: int) -> None:
    table = describe(CATALOG[name].spec, 224)
    assert table.receptive_field_px == size_px == {"resnet18": 435, "resnet50": 427, "resnet50_v1": 483}[name]
    assert [row.jump_px for row in table.rows] == [2, 4, 4, 8, 16, 32, None, None]


def test_a_window_by_hand() -> None:
    first = Window(9).slide(Slide(kernel_size=3, stride=2, before=1, after=1))
    assert first == Window(map_px=5, jump=2, low=-1, high=1)
    second = first.slide(Slide(kernel_size=3, stride=1, before=1, after=1))
    assert (second.low, second.high, second.size_px) == (-3, 3, 7)


STEM = replace(STEM_3X3, widths=(8,))
SPECS = {
    "v1": ResNetSpec(BASIC, (1, 1), (8, 16), (1, 2), stem=STEM),
    "bottleneck v1": ResNetSpec(BOTTLENECK_V1, (2, 1), (8, 16), (1, 2), stem=STEM),
    "bottleneck v1.5": ResNetSpec(BOTTLENECK, (2, 1), (8, 16), (1, 2), stem=STEM),
    "preact, same padding": ResNetSpec(BASIC_PREACT, (1, 1), (8, 16), (1, 2), stem=STEM, padding="same"),
    "option A": ResNetSpec(replace(BASIC, projection=ZERO_PAD), (1, 2), (8, 16), (1, 2), stem=STEM),
    "stride in the last block": ResNetSpec(
        replace(BASIC, projection=AVGPOOL_CONV_BN), (2, 1), (8, 16), (2, 2), strided_block="last", stem=STEM
    ),
    "blur": ResNetSpec(replace(BASIC, downsampling="blur"), (1, 1), (8, 16), (1, 2), stem=STEM),
    "max": ResNetSpec(replace(BASIC, downsampling="max"), (1, 1), (8, 16), (1, 2), stem=STEM),
    "mean": ResNetSpec(replace(BASIC, downsampling="avg"), (1, 1), (8, 16), (1, 2), stem=STEM),
    "the skip sees more than the branch": ResNetSpec(
        Block(kernel_sizes=(1,), projection=AVGPOOL_CONV_BN), (1, 1), (8, 16), (2, 2), stem=STEM
    ),
    "gated": ResNetSpec(replace(BASIC, join=GatedAdd(gate_bias=0.0)), (1,), (8,), (1,), stem=STEM),
    **{
        f"stem with {pool}": ResNetSpec(BASIC, (1,), (8,), (1,), stem=replace(STEM_7X7, widths=(8,), pool=pool))
        for pool in ("max", "zero_padded_max", "blurred_max", "avg", "conv")
    },
    "same-padded pool": ResNetSpec(BASIC, (1,), (8,), (1,), stem=replace(STEM_7X7, widths=(8,)), padding="same"),
}


@pytest.mark.parametrize("size", [64, 65])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_a_pixel_sees_what_changes_it(spec: ResNetSpec, size: int) -> None:
    """Every weight positive and every image dark but for one column: the output moves where that column is seen."""
    spec = replace(spec, num_classes=None, pooling="none")
    network = ResNet(spec).double().eval()
    for name, parameter in network.named_parameters():
        parameter.data.fill_(0.0 if name.endswith("bias") else 0.1)
    columns = torch.zeros(size, 3, 33, size, dtype=torch.float64)
    columns[torch.arange(size), :, :, torch.arange(size)] = 100.0
    with torch.no_grad():
        dark, moved = network(torch.zeros_like(columns[:1])), network(columns)
    window = reduce(see_through, plan_network(spec), Window(size))
    assert window.map_px == moved.shape[3]
    middle = window.map_px // 2
    centre = moved.shape[2] // 2
    change = (moved - dark)[:, :, centre, middle].abs().amax(1)
    seen = change.nonzero().flatten().tolist()
    low, high = (middle * window.jump + end for end in (window.low, window.high))
    assert 0 <= low <= high < size, "the image must be larger than what is seen, or its edge hides the end"
    assert (min(seen), max(seen)) == (low, high)
