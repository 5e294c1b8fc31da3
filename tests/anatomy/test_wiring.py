"""The steps of blocks and networks in words: the tables of the papers, and the calls a forward pass really makes."""

from dataclasses import replace

import pytest
import torch

from resnetkit.anatomy.wiring import BlockWiring, DrawnStep, wire, wire_block
from resnetkit.models.block import ResidualBlock
from resnetkit.models.block_plan import Layers, plan_block
from resnetkit.models.catalog import CATALOG
from resnetkit.models.places import Place
from resnetkit.models.sliding import Map
from resnetkit.models.spec import (
    ACT_AROUND_ADD,
    ACT_BEFORE_ADD,
    ACT_ONLY_PREACT,
    BASIC,
    BASIC_PREACT,
    BOTTLENECK,
    CONV_BN,
    FULL_PREACT,
    NORM_AFTER_ADD,
    ORIGINAL,
    OWN_BN_ACT_CONV,
    ZERO_PAD,
    ActivationOrder,
    BatchNorm,
    Block,
    DropoutAdd,
    EfficientChannelAttention,
    GatedAdd,
    NoSkip,
    ScaledAdd,
    SqueezeExcitation,
)


def names(steps: tuple[DrawnStep, ...]) -> str:
    return " ".join(step.name for step in steps)


def words(steps: tuple[DrawnStep, ...]) -> list[str]:
    return [step.words for step in steps]


def wired(block: Block, *, channels: int = 64, width: int = 64, stride: int = 1) -> BlockWiring:
    plan = plan_block(Place(1, 1, block, channels, width, stride), Layers(BatchNorm()))
    return wire_block(plan, Map(channels, 32))[0]


@pytest.mark.parametrize(
    ("order", "preact", "branch", "after"),
    [
        (ORIGINAL, "", "conv1 bn1 act1 conv2 bn2", "act2"),
        (NORM_AFTER_ADD, "", "conv1 bn1 act1 conv2", "bn2 act2"),
        (ACT_BEFORE_ADD, "", "conv1 bn1 act1 conv2 bn2 act2", ""),
        (ACT_ONLY_PREACT, "act1", "conv1 bn1 act2 conv2 bn2", ""),
        (FULL_PREACT, "bn1 act1", "conv1 bn2 act2 conv2", ""),
        (ACT_AROUND_ADD, "", "conv1 bn1 act1 conv2 bn2 act2", "act3"),
    ],
)
def test_every_order(order: ActivationOrder, preact: str, branch: str, after: str) -> None:
    wiring = wired(replace(BASIC, order=order))
    assert (names(wiring.preact), names(wiring.branch), names(wiring.after_add)) == (preact, branch, after)
    assert (wiring.kind, wiring.skip, wiring.skip_reads) == ("identity", (), "input")


def test_joins_stand_where_they_act() -> None:
    scaled = wired(replace(BASIC, join=ScaledAdd(0.25, 0.75)))
    assert (words(scaled.skip), words(scaled.branch)[-1]) == (["× 0.25"], "× 0.75")
    dropped = wired(replace(BASIC, join=DropoutAdd(0.5)))
    assert (words(dropped.skip), words(dropped.branch)[-1]) == (["dropout 0.5"], "batch norm")
    gated = wired(replace(BASIC, join=GatedAdd()))
    assert words(gated.skip) == ["× (1 − g)"]
    assert words(gated.gate) == ["1×1 conv, 64, bias", "sigmoid = g"]
    assert words(gated.branch)[-1] == "batch norm"
    exclusive = wired(replace(BASIC, join=GatedAdd(exclusive=True)), width=128, stride=2)
    assert words(exclusive.branch)[-1] == "× g"
    assert words(exclusive.skip) == ["1×1 conv, 64 → 128, stride 2", "batch norm", "× (1 − g)"]
    assert words(exclusive.gate)[0] == "1×1 conv, 64 → 128, stride 2, bias"
    plain = wired(replace(BASIC, join=NoSkip()), width=128, stride=2)
    assert (plain.kind, plain.skip, plain.gate) == ("plain", (), ())


def test_skips_fork_where_they_read() -> None:
    assert wired(replace(BASIC, order=FULL_PREACT), width=128).skip_reads == "preact"
    assert wired(replace(BASIC, order=FULL_PREACT, identity_reads="preact")).skip_reads == "preact"
    own = wired(replace(BASIC_PREACT, projection=OWN_BN_ACT_CONV), width=128)
    assert (own.skip_reads, words(own.skip)) == ("input", ["batch norm", "ReLU", "1×1 conv, 64 → 128"])


def test_option_a_and_option_c() -> None:
    shrunk = wired(replace(BASIC, projection=ZERO_PAD), width=128, stride=2)
    assert (shrunk.kind, words(shrunk.skip)) == ("shape-matching", ["every 2nd pixel", "64 zero channels"])
    # Where the shape stays, option A's steps do nothing, and what does nothing is not drawn.
    kept = wired(replace(BASIC, projection=ZERO_PAD, project="always"))
    assert (kept.kind, kept.skip) == ("identity", ())
    always = wired(replace(BASIC, projection=CONV_BN, project="always"))
    assert (always.kind, words(always.skip)) == ("projection", ["1×1 conv, 64", "batch norm"])


def test_extras_of_the_branch() -> None:
    block = replace(
        BOTTLENECK, attention=SqueezeExcitation(), downsampling="blur", drop_rate=0.3, groups=32, group_width=4
    )
    wiring = wired(block, width=128, stride=2)
    assert names(wiring.branch) == "conv1 bn1 act1 conv2 bn2 act2 aa drop conv3 bn3 se"
    assert wiring.convs == (
        *("1×1 conv, 64 → 256", "3×3 conv, 256, 32 groups", "3×3 blur, stride 2", "1×1 conv, 256 → 512"),
    )
    assert {"3×3 blur, stride 2", "dropout 0.3", "squeeze-excite, 512 → 32"} <= set(words(wiring.branch))
    assert words(wired(replace(BASIC, attention=EfficientChannelAttention())).branch)[-1] == "channel attention over 3"
    assert wiring.branch[6].output_shape == (256, 16, 16)


BLOCKS = [
    replace(block, order=order, join=join)
    for block in (BASIC, BOTTLENECK, Block(kernel_sizes=(3, 1, 3), strided_conv=2), Block(kernel_sizes=(3,)))
    for order in (ORIGINAL, NORM_AFTER_ADD, ACT_BEFORE_ADD, ACT_ONLY_PREACT, FULL_PREACT, ACT_AROUND_ADD)
    for join in (ScaledAdd(), GatedAdd(), NoSkip())
]


@pytest.mark.parametrize("block", BLOCKS)
def test_steps_are_the_calls_of_a_forward_pass(block: Block) -> None:
    called: list[str] = []
    plan = plan_block(Place(1, 1, block, 64, 32, stride=2), Layers(BatchNorm()))
    with torch.device("meta"):
        module = ResidualBlock(plan)
        for name, child in module.named_modules():
            if name != "joiner" and not list(child.children()):
                child.register_forward_hook(lambda *_, name=name: called.append(name))
        module(torch.empty(2, 64, 16, 16))
    wiring, _ = wire_block(plan, Map(64, 16))
    paths = (wiring.preact, wiring.branch, wiring.skip, wiring.gate, wiring.after_add)
    steps = [step.name for path in paths for step in path if step.name]
    assert steps == called


def test_a_network_has_every_layer_in_its_wiring() -> None:
    spec = CATALOG["keras_resnet50v2"].spec
    wiring = wire(spec, 64)
    assert [len(stage) for stage in wiring.stages] == [3, 4, 6, 3]
    assert words(wiring.stem) == ["7×7 conv, 3 → 64, stride 2, bias", "pad with zeros", "3×3 max-pool, stride 2"]
    assert words(wiring.tail) == ["batch norm", "ReLU", "global mean", "linear, 2048 → 1000"]
    kinds = {kind.drawn.kind: kind for kind in wiring.block_kinds()}
    assert kinds["shape-matching"].places == ((1, 3), (2, 4), (3, 6))
    assert sum(len(kind.places) for kind in kinds.values()) == 16
