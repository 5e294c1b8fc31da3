"""Networks as data: the five activation orders, what is refused, and JSON both ways."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from resnetkit.config import from_dict, to_dict
from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import CATALOG
from resnetkit.models.spec import (
    ACT_AROUND_ADD,
    ACT_BEFORE_ADD,
    ACT_ONLY_PREACT,
    AVGPOOL_CONV_BN,
    BASIC,
    BOTTLENECK,
    BOTTLENECK_PREACT,
    BOTTLENECK_V1,
    FULL_PREACT,
    NORM_AFTER_ADD,
    ORIGINAL,
    STEM_7X7,
    SUBSAMPLE,
    ActivationOrder,
    Add,
    Block,
    DropoutAdd,
    EfficientChannelAttention,
    FanInUniform,
    GatedAdd,
    GlorotUniform,
    HeNormal,
    Initialization,
    Join,
    Normal,
    NoSkip,
    Projection,
    ResNetSpec,
    ScaledAdd,
    Stem,
    cifar_resnet,
)

ORDERS = {
    "original": (
        ORIGINAL,
        ("", "conv1 bn1 act1 conv2 bn2", "act2"),
        ("", "conv1 bn1 act1 conv2 bn2 act2 conv3 bn3", "act3"),
    ),
    "norm after addition": (
        NORM_AFTER_ADD,
        ("", "conv1 bn1 act1 conv2", "bn2 act2"),
        ("", "conv1 bn1 act1 conv2 bn2 act2 conv3", "bn3 act3"),
    ),
    "act before addition": (
        ACT_BEFORE_ADD,
        ("", "conv1 bn1 act1 conv2 bn2 act2", ""),
        ("", "conv1 bn1 act1 conv2 bn2 act2 conv3 bn3 act3", ""),
    ),
    "act-only pre-activation": (
        ACT_ONLY_PREACT,
        ("act1", "conv1 bn1 act2 conv2 bn2", ""),
        ("act1", "conv1 bn1 act2 conv2 bn2 act3 conv3 bn3", ""),
    ),
    "full pre-activation": (
        FULL_PREACT,
        ("bn1 act1", "conv1 bn2 act2 conv2", ""),
        ("bn1 act1", "conv1 bn2 act2 conv2 bn3 act3 conv3", ""),
    ),
    "act around addition": (
        ACT_AROUND_ADD,
        ("", "conv1 bn1 act1 conv2 bn2 act2", "act3"),
        ("", "conv1 bn1 act1 conv2 bn2 act2 conv3 bn3 act3", "act4"),
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_order_says_where_the_block_starts_and_where_it_adds(name: str) -> None:
    order, two_convs, three_convs = ORDERS[name]
    assert order.layer_names(2) == tuple(tuple(part.split()) for part in two_convs)
    assert order.layer_names(3) == tuple(tuple(part.split()) for part in three_convs)
    assert order.preact == tuple(step[:-1] for step in two_convs[0].split())


def test_variants_differ_from_their_parent_in_the_named_values_only() -> None:
    v1_5 = replace(BOTTLENECK_V1, strided_conv=1)
    v2 = replace(v1_5, order=FULL_PREACT, projection=Projection(steps=("conv",), reads="preact"))
    assert (v1_5, v2) == (BOTTLENECK, BOTTLENECK_PREACT)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "unit without conv": (lambda: ActivationOrder(("bn", "act", "act")), "order.unit"),  # type: ignore[arg-type]
    "unit against the stream": (lambda: ActivationOrder(("conv", "act", "bn")), "order.unit"),
    "after_add not the tail": (lambda: ActivationOrder(("conv", "bn", "act"), ("bn",)), "order.after_add"),
    "after_add with the conv": (lambda: ActivationOrder(("bn", "act", "conv"), ("conv",)), "order.after_add"),
    "after_add too long": (
        lambda: ActivationOrder(("conv", "bn", "act"), ("conv", "bn", "act", "act")),
        "order.after_add",
    ),
    "act again behind a norm": (lambda: ActivationOrder(("act", "conv", "bn"), act_again=True), "order.act_again"),
    "act again behind itself": (
        lambda: ActivationOrder(("conv", "bn", "act"), ("act",), act_again=True),
        "order.act_again",
    ),
    "dropout of everything": (lambda: DropoutAdd(1.0), "join.drop_rate"),
    "dropout below 0": (lambda: DropoutAdd(-0.1), "join.drop_rate"),
    "projection that cannot stride": (lambda: Projection(("bn", "pad")), "projection.steps"),
    "projection that widens twice": (lambda: Projection(("conv", "pad")), "projection.steps"),
    "no conv": (lambda: Block(kernel_sizes=()), "block.kernel_sizes"),
    "even kernel": (lambda: Block(kernel_sizes=(3, 2)), "block.kernel_sizes"),
    "negative kernel": (lambda: Block(kernel_sizes=(-1,)), "block.kernel_sizes"),
    "stride on no conv": (lambda: Block(strided_conv=2), "block.strided_conv"),
    "stride before the first conv": (lambda: Block(strided_conv=-1), "block.strided_conv"),
    "expansion 0": (lambda: Block(expansion=0), "block.expansion"),
    "groups 0": (lambda: Block(groups=0), "block.groups"),
    "group width 0": (lambda: Block(group_width=0), "block.group_width"),
    "branch dropout of everything": (lambda: Block(drop_rate=1.0), "block.drop_rate"),
    "shrink that widens": (lambda: Block(shrink=Projection(("subsample", "pad"))), "block.shrink"),
    "stem with a width too few": (lambda: Stem(kernel_sizes=(3, 3), widths=(8,)), "stem needs one width per conv"),
    "stem without conv": (lambda: Stem(kernel_sizes=(), widths=()), "stem needs one width per conv"),
    "stem of stride 0": (lambda: Stem(stride=0), "stem.stride"),
    "stem of width 0": (lambda: Stem(widths=(0,)), "stem.widths"),
    "stem of even kernel": (lambda: Stem(kernel_sizes=(4,)), "stem.kernel_sizes"),
    "stem against the stream": (lambda: Stem(steps=("act", "bn")), "stem.steps"),
    "tail against the stream": (lambda: ResNetSpec(BASIC, (1, 1, 1, 1), tail=("act", "bn")), "tail must be"),
    "no stage": (lambda: ResNetSpec(BASIC, (), (), ()), "depths, widths and strides"),
    "stages of different number": (lambda: ResNetSpec(BASIC, (1, 1)), "depths, widths and strides"),
    "stage without block": (lambda: ResNetSpec(BASIC, (1, 0, 1, 1)), "depths must be at least 1"),
    "stage of width 0": (lambda: ResNetSpec(BASIC, (1,), (0,), (1,)), "widths must be at least 1"),
    "stage of stride 0": (lambda: ResNetSpec(BASIC, (1,), (8,), (0,)), "strides must be at least 1"),
    "no channels": (lambda: ResNetSpec(BASIC, (1, 1, 1, 1), in_channels=0), "in_channels"),
    "no classes": (lambda: ResNetSpec(BASIC, (1, 1, 1, 1), num_classes=0), "num_classes"),
    "head on a feature map": (lambda: ResNetSpec(BASIC, (1, 1, 1, 1), pooling="none"), "pooling 'none'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_description_that_cannot_be_built_is_refused_with_its_field(case: str) -> None:
    build, message = REFUSED[case]
    with pytest.raises(ResnetkitError) as raised:
        build()
    assert raised.value.code is Code.USAGE
    assert raised.value.what.startswith(message)


@pytest.mark.parametrize("name", CATALOG)
def test_every_named_network_survives_json(name: str) -> None:
    spec = CATALOG[name].spec
    assert from_dict(ResNetSpec, json.loads(json.dumps(to_dict(spec)))) == spec


JOINS: tuple[Join, ...] = (
    Add(),
    ScaledAdd(0.3, 1.5),
    GatedAdd(exclusive=True, gate_bias=-7),
    DropoutAdd(0.2),
    NoSkip(),
)


@pytest.mark.parametrize("join", JOINS, ids=lambda join: join.kind)
@pytest.mark.parametrize(
    "initialization",
    [
        Initialization(HeNormal("in"), Normal(0.01), zero_last=True),
        Initialization(GlorotUniform(), FanInUniform()),
    ],
    ids=["normal", "uniform"],
)
def test_alternatives_are_told_apart_in_json(join: Join, initialization: Initialization) -> None:
    block = replace(
        BASIC,
        join=join,
        projection=AVGPOOL_CONV_BN,
        shrink=SUBSAMPLE,
        conv_bias=("last",),
        attention=EfficientChannelAttention(),
    )
    spec = ResNetSpec(
        block,
        (1, 2),
        (8, 16),
        (1, 2),
        first_block=BASIC,
        stem=replace(STEM_7X7, steps=("bn",)),
        tail=(),
        initialization=initialization,
    )
    again = from_dict(ResNetSpec, json.loads(json.dumps(to_dict(spec))))
    assert again == spec
    assert type(again.block.join) is type(join)


def test_descriptions_are_values() -> None:
    assert len({cifar_resnet(20), cifar_resnet(20), cifar_resnet(32)}) == 2
    with pytest.raises(AttributeError):
        BASIC.groups = 2  # type: ignore[misc]


@pytest.mark.parametrize(("depth", "block", "blocks"), [(8, BASIC, 1), (110, BASIC, 18), (164, BOTTLENECK_PREACT, 18)])
def test_cifar_depth_counts_layers_with_weights(depth: int, block: Block, blocks: int) -> None:
    spec = cifar_resnet(depth, block)
    assert spec.depths == (blocks,) * 3
    assert sum(spec.depths) * len(block.kernel_sizes) + 2 == depth


@pytest.mark.parametrize("depth", [-4, 0, 2, 7, 21, 31])
def test_cifar_depth_that_no_network_has(depth: int) -> None:
    with pytest.raises(ResnetkitError, match=r"depth must be 6n\+2"):
        cifar_resnet(depth)
    with pytest.raises(ResnetkitError, match=r"depth must be 9n\+2"):
        cifar_resnet(depth, BOTTLENECK)
