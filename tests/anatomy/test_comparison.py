"""Two networks side by side: numbers from the networks, sentences for every field of a spec."""

import json
import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from resnetkit.anatomy.comparison import NetworkComparison, as_values, compare_networks, see
from resnetkit.anatomy.spec_words import MEANINGS, PUBLISHED
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import (
    ACT_ONLY_PREACT,
    BASIC,
    CONV_OF_INPUT,
    STEM_3X3,
    ActivationOrder,
    Block,
    DropoutAdd,
    GatedAdd,
    GroupNorm,
    Initialization,
    NoSkip,
    ResNetSpec,
    ScaledAdd,
    SqueezeExcitation,
    Stem,
)

SMALL = ResNetSpec(BASIC, (1, 1), (8, 16), (1, 2), stem=replace(STEM_3X3, widths=(8,)), num_classes=5)


def compared(a: str, b: str, size: int = 224) -> NetworkComparison:
    return compare_networks(*(see(name, CATALOG[name].spec, size) for name in (a, b)))


@pytest.fixture(scope="module")
def known() -> NetworkComparison:
    return compared("resnet18", "resnet50")


def test_the_numbers_are_the_networks(known: NetworkComparison) -> None:
    numbers = {quantity.name: (quantity.a, quantity.b) for quantity in known.quantities}
    assert numbers["layers with weights, longest path"] == (18, 50)
    assert numbers["parameters"] == (11_689_512, 25_557_032)
    assert numbers["multiply-adds"] == (1_814_073_344, 4_089_184_256)
    assert numbers["receptive field, px"] == (435, 427)
    ratios = {quantity.name: quantity.ratio for quantity in known.quantities}
    assert ratios["parameters"] == pytest.approx(2.186, abs=1e-3)
    assert [pair[0].name for pair in known.rows if pair[0]] == [
        *("stem", "max-pool", "stage 1", "stage 2", "stage 3", "stage 4", "avg-pool", "head")
    ]


def test_a_max_pool_at_the_end_is_not_that_of_the_stem() -> None:
    specs = {name: find_entry(name).spec for name in ("resnet18", "resnet18[pooling=max]")}
    rows = compare_networks(*(see(name, spec, 64) for name, spec in specs.items())).rows
    shapes = [[row and (row.name, row.output_shape) for row in pair] for pair in rows]
    assert shapes[1] == [("max-pool", (64, 16, 16))] * 2
    assert shapes[-3:-1] == [[("avg-pool", (512,)), None], [None, ("max-pool", (512,))]]


def test_resnet18_and_resnet50_differ_in_two_choices(known: NetworkComparison) -> None:
    assert [difference.name for difference in known.differences] == ["depth", "kind of block"]
    depth, kind = known.differences
    # With the depths of the second the first is ResNet-34.
    assert {q.name: q.b for q in depth.alone}["parameters"] == 21_797_672
    assert (kind.a.split(":")[0], kind.b.split(":")[0]) == ("basic", "bottleneck")
    assert all(difference.source.startswith("arXiv:1512.03385") for difference in known.differences)


def test_lessons_hold_the_networks_own_numbers(known: NetworkComparison) -> None:
    lessons = dict(known.lessons)
    layers = lessons["What the layers are"]
    assert (
        "resnet18 has 18 layers with weights on the longest path: 1 in the stem, 16 in the blocks, 1 in the" in layers
    )
    assert "1 in the stem, 48 in the blocks, 1 in the head; 4 more on skips" in layers
    assert "(16 blocks of 3 convs)" in layers
    blocks = lessons["Which blocks are which"]
    assert "resnet18: 5 identity (stage 1: blocks 1, 2; stage 2: block 2; stage 3: block 2; stage 4: block 2)" in blocks
    assert "resnet50: 4 projection (stage 1: block 1; stage 2: block 1; stage 3: block 1; stage 4: block 1)" in blocks
    spec = CATALOG["resnet50"].spec
    block = ResNet(spec).get_submodule("layer4.2")
    in_convs = sum(p.numel() for name, p in block.named_parameters() if name.startswith("conv"))
    cost = lessons["Why 1×1 – 3×3 – 1×1"]
    assert in_convs == 4_456_448
    assert f"= {in_convs:,}: 16.9 times fewer" in cost
    assert f"{2 * 9 * 2048 * 2048:,}" in cost
    assert f"{2 * 9 * 512 * 512:,}" in cost
    assert "4 times in every stage" in lessons["How wide the features are"]
    assert "stage 4 71.8 %" in lessons["Where the parameters sit"]
    assert "resnet18 435 px, more than the image's 224" in lessons["What a pixel sees"]


def test_an_order_that_no_paper_names_is_told_by_its_steps() -> None:
    """The two legal values without a name: what their words say comes from the value."""
    order = ActivationOrder(("act", "conv", "bn"), after_add=("bn",))
    a, b = see("a", SMALL, 16), see("b", replace(SMALL, block=replace(BASIC, order=order)), 16)
    (difference,) = compare_networks(a, b).differences
    assert difference.b == "ReLU, conv norm ReLU conv, addition, norm"


def test_a_network_differs_from_itself_in_nothing() -> None:
    same = compared("resnet20", "resnet20", 32)
    assert same.differences == ()
    assert all(quantity.ratio == 1 for quantity in same.quantities)
    assert "Why 1×1 – 3×3 – 1×1" not in dict(same.lessons)


def test_v1_and_v15_differ_in_the_place_of_the_stride_alone() -> None:
    (difference,) = compared("resnet50_v1", "resnet50").differences
    assert difference.fields == ("block.strided_conv",)
    assert {quantity.name for quantity in difference.alone} == {
        "multiply-adds",
        "activations",
        "receptive field, px",
    }


CHANGES: dict[str, ResNetSpec] = {
    "join": replace(SMALL, block=replace(BASIC, join=GatedAdd())),
    "scaled": replace(SMALL, block=replace(BASIC, join=ScaledAdd(1.0, 0.5))),
    "dropout": replace(SMALL, block=replace(BASIC, join=DropoutAdd(0.3))),
    "plain": replace(SMALL, block=replace(BASIC, join=NoSkip())),
    "order": replace(SMALL, block=replace(BASIC, order=ACT_ONLY_PREACT, projection=CONV_OF_INPUT)),
    "attention": replace(SMALL, block=replace(BASIC, attention=SqueezeExcitation())),
    "three convs": replace(SMALL, block=Block(kernel_sizes=(3, 1, 3))),
    "other": replace(SMALL, norm=GroupNorm(groups=4), conv="weight_standardized", stochastic_depth_rate=0.1, tail=()),
    "start": replace(SMALL, initialization=Initialization(zero_last=True), in_channels=1, num_classes=None),
    "three stages": replace(SMALL, depths=(1, 1, 1), widths=(8, 16, 32), strides=(1, 2, 2), strided_block="last"),
}


@pytest.mark.parametrize("other", CHANGES.values(), ids=CHANGES.keys())
def test_what_differs_is_told_and_nothing_else(other: ResNetSpec) -> None:
    a, b = see("a", SMALL, 16), see("b", other, 16)
    comparison = compare_networks(a, b)
    assert comparison.differences
    for difference in comparison.differences:
        assert difference.a != difference.b
    paths = {path for difference in comparison.differences for path in difference.fields}
    assert paths == differing_choices(SMALL, other)
    json.dumps(as_values(comparison), allow_nan=False)


def differing_choices(a: ResNetSpec, b: ResNetSpec) -> set[str]:
    """The paths of MEANINGS under which the specs differ, found without MEANINGS' own code."""
    known = {path for meaning in MEANINGS for path in meaning.fields}
    return {path for path in known if value(a, path) != value(b, path)}


def value(spec: Any, path: str) -> Any:
    for name in path.split("."):
        spec = getattr(spec, name)
    return spec


def test_every_field_of_a_spec_has_a_meaning() -> None:
    known = {path for meaning in MEANINGS for path in meaning.fields}
    names = {field.name for field in fields(ResNetSpec)} - {"block"}  # type: ignore[arg-type]
    names |= {f"block.{field.name}" for field in fields(Block)}  # type: ignore[arg-type]
    assert is_dataclass(ResNetSpec)
    names |= {f"stem.{field.name}" for field in fields(Stem)}  # type: ignore[arg-type]
    assert known == names - {"stem"}


def test_every_network_of_the_catalog_can_be_put_into_words() -> None:
    for entry in CATALOG.values():
        for meaning in MEANINGS:
            words = meaning.words(entry.spec)
            assert words
            assert "object at" not in words


def test_published_figures_name_their_source() -> None:
    assert set(PUBLISHED) <= set(CATALOG)
    assert all(re.search(r"\(arXiv:\d{4}\.\d{5}, Tables? \d", text) for text in PUBLISHED.values())
