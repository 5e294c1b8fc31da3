"""What has no effect on a network, held against networks that are built, started and run."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from tests.models.alternatives import EVERY_SPEC, NUMBERS, PREACTIVATED, SMALL, joined_orders
from torch import Tensor, nn

from resnetkit.errors import ResnetkitError
from resnetkit.models.block import ResidualBlock
from resnetkit.models.catalog import find_entry
from resnetkit.models.effects import cannot_learn, find_idle, simplify
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import (
    BASIC,
    FULL_PREACT,
    OWN_BN_ACT_CONV,
    DropoutAdd,
    GatedAdd,
    Initialization,
    NoSkip,
    ResNetSpec,
    ScaledAdd,
)
from resnetkit.models.variations import BLOCKS, JOINS, ORDERS, SHORT_NAMES, SHORTCUTS, STEMS, vary

labels = [f"{path}-{number}" for number, path in enumerate(EVERY_SPEC.values())]


@cache
def behaviour(spec: ResNetSpec) -> tuple[list[str], list[Tensor]]:
    """A network's layers; how it starts, what it answers, also in training, and what that leaves in it."""
    torch.manual_seed(0)
    network = ResNet(spec)
    start = [tensor.clone() for tensor in network.state_dict().values()]
    images = torch.randn(4, spec.in_channels, 20, 20, generator=torch.Generator().manual_seed(1))
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1 and not name.endswith("bias"):  # what starts at 0 would hide what stands before it
            parameter.data += 0.5
    with torch.no_grad():
        trained, used = network.train()(images), network.eval()(images)
    names = [f"{name}: {type(module).__name__}" for name, module in network.named_modules()]
    return names, [*start, trained, used, *network.state_dict().values()]


def behaves_alike(a: ResNetSpec, b: ResNetSpec) -> bool:
    (names, left), (others, right) = behaviour(a), behaviour(b)
    return names == others and all(
        x.shape == y.shape and torch.allclose(x, y, rtol=1e-5, atol=1e-6) for x, y in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("spec", EVERY_SPEC, ids=labels)
def test_a_simplified_spec_is_the_same_network(spec: ResNetSpec) -> None:
    simple = simplify(spec)
    assert behaves_alike(spec, simple)
    assert simplify(simple) == simple


PLAIN = replace(SMALL, block=replace(BASIC, join=NoSkip()))
OWN = replace(SMALL, block=replace(BASIC, order=FULL_PREACT, projection=OWN_BN_ACT_CONV))
SCALED = replace(SMALL, block=replace(BASIC, join=ScaledAdd()))
GATED = replace(SMALL, block=replace(BASIC, join=GatedAdd()))
DROPPED = replace(SMALL, block=replace(BASIC, join=DropoutAdd()))
THREE = replace(SMALL, depths=(1, 1, 1), widths=(8, 16, 32), strides=(1, 2, 2))
BASES = {
    "v1": SMALL,
    "plain": PLAIN,
    "preactivated": PREACTIVATED,
    "own projections": OWN,
    "scaled": SCALED,
    "gated": GATED,
    "dropped": DROPPED,
    "three stages": THREE,
}
SETTINGS = [
    *((key, name) for key, table in (("block", BLOCKS), ("order", ORDERS), ("join", JOINS)) for name in table),
    *(("shortcut", name) for name in SHORTCUTS),
    *(("stem", name) for name in STEMS),
    *(("pool", pool) for pool in ("none", "max", "zero_padded_max", "blurred_max", "avg", "conv")),
    *(("attention", name) for name in ("none", "se", "eca")),
    *(("downsampling", name) for name in ("stride", "blur", "avg", "max")),
    *(("norm", name) for name in ("batch_norm", "group_norm")),
    *(("zero_last", name) for name in ("false", "true")),
    *(("classes", number) for number in ("5", "7")),
    *(("channels", number) for number in ("1", "3")),
    *(("groups", number) for number in ("1", "2")),
    *(("group_width", number) for number in ("64", "128")),
    *(("bias", number) for number in ("-6", "0")),
    *(("skip_scale", number) for number in ("0.5", "1")),
    *(("branch_scale", number) for number in ("0.5", "1")),
    *(("skip_drop", number) for number in ("0.5", "0.2")),
    *(("drop", number) for number in ("0", "0.3")),
    *(("stochastic_depth", number) for number in ("0", "0.2")),
    *(("depth", number) for number in ("5", "8", "11", "14")),
    *((path, str(list(value) if isinstance(value, tuple) else value)) for path, value in NUMBERS.items() if value),
    ("strided_block", "last"),
    ("padding", "same"),
    ("block.project", "stage_start"),
    ("block.identity_reads", "preact"),
    ("block.conv_bias", '["inner"]'),
    ("tail", '["bn","act"]'),
]


def test_every_key_of_the_grammar_is_tried() -> None:
    assert {"block", "order", "join", "shortcut", "stem", "depth", *SHORT_NAMES} <= {key for key, _ in SETTINGS}


@pytest.mark.parametrize("base", BASES)
def test_a_setting_changes_the_network_or_is_told_of_or_is_refused(base: str) -> None:
    told, changed = 0, 0
    for key, value in SETTINGS:
        try:
            varied = vary(BASES[base], {key: value})
            alike = behaves_alike(varied, BASES[base])
        except ResnetkitError:
            continue
        idle = list(find_idle({key: value}, lambda settings: vary(BASES[base], settings)))
        assert idle == ([key] if alike else []), f"{key}={value}"
        told, changed = told + alike, changed + (not alike)
    assert told > 10
    assert changed > 20


@pytest.mark.parametrize("zero_last", [False, True])
def test_what_cannot_learn_is_told_and_nothing_else(zero_last: bool) -> None:
    """A gradient reaches the last layer of every branch, or the network is warned of."""
    specs = [*joined_orders(), SCALED, replace(SMALL, block=replace(BASIC, join=ScaledAdd(0.0, 1.0)))]
    specs += [replace(SMALL, block=replace(BASIC, join=ScaledAdd(1.0, 0.0)))]
    for spec in specs:
        spec = replace(spec, initialization=Initialization(zero_last=zero_last))
        torch.manual_seed(0)
        network = ResNet(spec)
        network(torch.randn(4, 3, 16, 16)).square().sum().backward()
        lasts = [last_of_branch(block) for block in network.modules() if isinstance(block, ResidualBlock)]
        reached = [layer for layer in lasts if layer.weight.grad is not None and layer.weight.grad.any()]
        assert bool(cannot_learn(spec)) == (len(reached) < len(lasts)), spec.block


def last_of_branch(block: ResidualBlock) -> nn.Conv2d | nn.BatchNorm2d:
    layer = block.get_submodule([name for name in block.branch if name.startswith(("conv", "bn"))][-1])
    assert isinstance(layer, nn.Conv2d | nn.BatchNorm2d)
    return layer


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("plain20[shortcut=B]", "shortcut=B has no effect on plain20: a plain network has no skips"),
        ("plain20[shortcut=A]", "shortcut=A has no effect on plain20: a plain network has no skips"),
        ("resnet20[shortcut=A]", "shortcut=A has no effect on resnet20: the network has it without"),
        ("resnet20[block.identity_reads=preact]", "nothing in this network reads it"),
        ("plain20[zero_last=true]", "zero_last starts every branch at 0, and without skips nothing gets past it"),
        ("resnet20[order=act_before_add,zero_last=true]", "the branches cannot learn"),
        ("resnet20[join=scaling,branch_scale=0]", "branch_scale=0 leaves the branches out"),
    ],
)
def test_a_name_that_does_not_do_what_it_says_warns(name: str, warning: str) -> None:
    (told,) = find_entry(name).warnings
    assert warning in told


@pytest.mark.parametrize("name", ["resnet20", "resnet110[join=shortcut_gate,bias=-6]", "resnet20[shortcut=B,depth=56]"])
def test_other_names_do_not_warn(name: str) -> None:
    assert find_entry(name).warnings == ()
