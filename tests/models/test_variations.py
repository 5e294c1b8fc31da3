"""The grammar behind a network's name: everything it can say builds and runs, and what it cannot is explained."""

from itertools import permutations, product

import pytest
import torch
from torch import Tensor

from resnetkit.anatomy.table import describe
from resnetkit.config import from_dict, to_dict
from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.resnet import ResNet, create_model
from resnetkit.models.spec import (
    FULL_PREACT,
    DropoutAdd,
    EfficientChannelAttention,
    GatedAdd,
    GroupNorm,
    NoSkip,
    ResNetSpec,
    ScaledAdd,
    SqueezeExcitation,
)
from resnetkit.models.variations import BLOCKS, JOINS, ORDERS, SHORT_NAMES, SHORTCUTS, STEMS, split_name, vary

NARROW = "widths=[8,16,32],stem.widths=[8]"


def run(name: str) -> tuple[ResNet, Tensor]:
    network = create_model(name)
    logits = network(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 10)
    assert torch.isfinite(logits).all()
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    return network, logits


@pytest.mark.parametrize(("block", "depth"), [("basic", 14), ("bottleneck", 20), ("bottleneck_v1", 20)])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_every_shortcut_with_every_order_and_block(shortcut: str, order: str, block: str, depth: int) -> None:
    network, _ = run(f"resnet20[block={block},depth={depth},order={order},shortcut={shortcut},{NARROW}]")
    assert network.spec.block.order == ORDERS[order]
    assert network.spec.block.kernel_sizes == BLOCKS[block].kernel_sizes
    assert (network.spec.block.project == "always") == (shortcut == "C")


@pytest.mark.parametrize(("block", "depth"), [("basic", 14), ("bottleneck", 20)])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("join", JOINS)
def test_every_join_with_every_order_and_block(join: str, order: str, block: str, depth: int) -> None:
    network, _ = run(f"resnet20_b[block={block},depth={depth},order={order},join={join},{NARROW}]")
    assert network.spec.block.join == JOINS[join]


@pytest.mark.parametrize("name", [*STEMS])
def test_every_stem_ends_as_wide_as_the_one_it_replaces(name: str) -> None:
    network, _ = run(f"resnet20[depth=8,stem={name}]")
    assert network.spec.stem.kernel_sizes == STEMS[name].kernel_sizes
    assert network.spec.stem.widths[-1] == 16


@pytest.mark.parametrize(
    ("varied", "named"),
    [
        ("resnet20[shortcut=B]", "resnet20_b"),
        ("resnet20[shortcut=C]", "resnet20_c"),
        ("resnet20_b[shortcut=A]", "resnet20"),
        ("resnet20[join=none,shortcut=B]", "plain20[shortcut=B]"),
        ("resnet20[depth=110]", "resnet110"),
        ("resnet110_b[block=bottleneck_v1]", "resnet164"),
        ("resnet110[order=full_preact]", "preact_resnet110"),
        ("resnet164[order=full_preact]", "preact_resnet164"),
        ("preact_resnet20[order=original]", "resnet20"),
        ("resnet18[block=bottleneck]", "resnet26"),
        ("resnet34[block=bottleneck]", "resnet50"),
        ("resnet50[block=bottleneck_v1]", "resnet50_v1"),
        ("resnet50[block.strided_conv=0]", "resnet50_v1"),
        ("resnet50[order=full_preact]", "resnetv2_50"),
        ("resnet34[shortcut=A]", "resnet34_a"),
        ("resnet34[shortcut=C]", "resnet34_c"),
        ("resnet34[join=none]", "plain34"),
        ("resnet50[shortcut=D,stem=deep]", "resnet50d"),
        ("resnet50[shortcut=D,stem=tiered]", "resnet50t"),
        ("resnet50[stem=deep]", "resnet50c"),
        ("resnet50[attention=se]", "seresnet50"),
        ("resnet50d[attention=eca]", "ecaresnet50d"),
        ("resnet50[groups=32,group_width=4]", "resnext50_32x4d"),
        ("resnet50[group_width=128]", "wide_resnet50_2"),
        ("resnet50[downsampling=blur,pool=blurred_max]", "resnetblur50"),
        ("resnet50[downsampling=avg,pool=avg]", "resnetaa50"),
        ("resnet50[norm=group_norm]", "resnet50_gn"),
        ("resnetv2_50d[norm=group_norm]", "resnetv2_50d_gn"),
        ("resnet50d[order=full_preact]", "resnetv2_50d"),
    ],
)
def test_variations_that_have_names_of_their_own(varied: str, named: str) -> None:
    assert find_entry(varied).spec == find_entry(named).spec


@pytest.mark.parametrize("name", ["resnet18", "resnet50d", "preact_resnet20", "keras_resnet50v2", "wrn_16_4"])
def test_naming_what_a_network_has_changes_nothing(name: str) -> None:
    spec = CATALOG[name].spec
    order = next(key for key, value in ORDERS.items() if value == spec.block.order)
    assert vary(spec, {"join": "add", "classes": str(spec.num_classes), "channels": str(spec.in_channels)}) == spec
    assert vary(spec, {"order": order}).block.order == spec.block.order


@pytest.mark.parametrize("name", [name for name in CATALOG if name.startswith("preact_")])
def test_changing_an_order_and_back_changes_nothing(name: str) -> None:
    spec = CATALOG[name].spec
    assert vary(vary(spec, {"order": "original"}), {"order": "full_preact"}) == spec


SHORT = {  # a value for each short name, and what it makes of a field
    "classes": ("7", lambda spec: spec.num_classes == 7),
    "channels": ("1", lambda spec: spec.in_channels == 1),
    "drop": ("0.3", lambda spec: spec.block.drop_rate == 0.3),
    "attention": ("se", lambda spec: spec.block.attention == SqueezeExcitation()),
    "downsampling": ("blur", lambda spec: spec.block.downsampling == "blur"),
    "groups": ("2", lambda spec: spec.block.groups == 2),
    "group_width": ("128", lambda spec: spec.block.group_width == 128),
    "bias": ("-3", lambda spec: spec.block.join == GatedAdd(gate_bias=-3)),
    "skip_scale": ("0.7", lambda spec: spec.block.join == ScaledAdd(skip_scale=0.7)),
    "branch_scale": ("1", lambda spec: spec.block.join == ScaledAdd(branch_scale=1)),
    "skip_drop": ("0.2", lambda spec: spec.block.join == DropoutAdd(0.2)),
    "norm": ("group_norm", lambda spec: spec.norm == GroupNorm()),
    "pool": ("max", lambda spec: spec.stem.pool == "max"),
    "stochastic_depth": ("0.2", lambda spec: spec.stochastic_depth_rate == 0.2),
    "zero_last": ("true", lambda spec: spec.initialization.zero_last),
}
NEEDED_JOIN = {"bias": "shortcut_gate", "skip_scale": "scaling", "branch_scale": "scaling", "skip_drop": "dropout"}


@pytest.mark.parametrize("key", SHORT_NAMES)
def test_every_short_name_reaches_its_field(key: str) -> None:
    value, holds = SHORT[key]
    settings = {key: value, "join": NEEDED_JOIN.get(key, "add")}
    assert holds(vary(CATALOG["resnet20"].spec, settings))
    # The order in which they are written does not matter.
    assert vary(CATALOG["resnet20"].spec, dict(reversed(settings.items()))) == vary(CATALOG["resnet20"].spec, settings)


def test_a_first_block_of_its_own_is_varied_too() -> None:
    spec = find_entry("preact_resnet20[attention=eca,join=none,drop=0.1]").spec
    assert spec.first_block is not None
    for block in (spec.block, spec.first_block):
        assert (block.attention, block.join, block.drop_rate) == (EfficientChannelAttention(), NoSkip(), 0.1)
    assert spec.first_block.identity_reads == "preact"


def test_dropout_does_nothing_outside_training() -> None:
    plain = create_model("wrn_16_4").eval()
    dropped = create_model("wrn_16_4[drop=0.3]")
    dropped.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(dropped.eval()(images), plain(images), rtol=0, atol=0)
        assert not torch.allclose(dropped.train()(images), plain.train()(images))


@pytest.mark.parametrize(
    "name",
    [
        "resnet110[join=shortcut_gate,bias=-6]",
        "resnet20[widths=[8,16,32],depths=[1,2,3],stem.widths=[8]]",
        "resnet50[shortcut=D,attention=se,norm=group_norm,num_classes=null]",
        *(f"resnet164[order={order},shortcut={shortcut}]" for order, shortcut in product(ORDERS, SHORTCUTS)),
        *(f"preact_resnet20[join={join}]" for join in JOINS),
    ],
)
def test_specs_survive_json(name: str) -> None:
    spec = find_entry(name).spec
    assert from_dict(ResNetSpec, to_dict(spec)) == spec


def test_the_entry_of_a_variation_says_what_differs() -> None:
    entry = find_entry("resnet20[classes=5,shortcut=B]")
    assert entry.image_size_px == 32
    assert entry.summary == "a variation of resnet20: classes=5, shortcut=B"


@pytest.mark.parametrize(
    ("name", "false"),
    [
        ("resnet110[block=bottleneck]", "110 layers"),
        ("resnet20[depth=56]", "20 layers"),
        ("resnet34[block=bottleneck]", "basic blocks"),
        ("resnet50[block=bottleneck_v1]", "v1.5"),
        ("plain20[join=add]", "without skips"),
        ("resnet20[join=none]", "option A"),
    ],
)
def test_a_variation_is_not_told_what_only_its_base_is(name: str, false: str) -> None:
    base = name.partition("[")[0]
    assert false in CATALOG[base].summary
    assert false not in find_entry(name).summary


@pytest.mark.parametrize(
    "settings",
    [
        {"block.kernel_sizes": "[3]", "depth": "110"},
        {"order": "full_preact", "shortcut": "C", "depth": "20"},
        {"order": "full_preact", "widths": "[8,16,32]"},
        {"order": "full_preact", "widths": "[8,16,32]", "stem.widths": "[8]", "block": "bottleneck", "depth": "29"},
        {"join": "shortcut_gate", "bias": "-3", "order": "original"},
    ],
)
def test_the_order_of_settings_does_not_matter(settings: dict[str, str]) -> None:
    spec = CATALOG["resnet20"].spec
    varied = [vary(spec, dict(items)) for items in permutations(settings.items())]
    assert len(set(varied)) == 1
    assert "depth" not in settings or describe(varied[0], 32).num_layers == int(settings["depth"])


def test_a_first_unit_of_its_own_stands_where_the_final_block_has_an_identity_skip() -> None:
    assert find_entry("resnet20[order=full_preact]").spec.first_block is not None
    assert find_entry("resnet20[order=full_preact,shortcut=C]").spec.first_block is None
    assert find_entry("resnet20[order=full_preact,widths=[8,16,32]]").spec.first_block is None


@pytest.mark.parametrize("name", [name for name, entry in CATALOG.items() if entry.spec.block.order == FULL_PREACT])
def test_changing_an_order_brings_the_projections_that_go_with_it(name: str) -> None:
    spec = vary(CATALOG[name].spec, {"order": "original"})
    assert spec.block.projection.steps in {("conv", "bn"), ("avgpool", "conv", "bn"), ("subsample", "pad")}
    assert (spec.stem.steps, spec.tail, spec.first_block) == (None, None, None)


def test_brackets_inside_brackets() -> None:
    settings = split_name("x[ widths = [8, 16], stem.kernel_sizes=(3,3) ,a={1,2}]")[1]
    assert settings == {"widths": "[8, 16]", "stem.kernel_sizes": "(3,3)", "a": "{1,2}"}


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("resnet20[order=preact]", "no order 'preact'", "full_preact"),
        ("resnet20[shortcut=E]", "no shortcut 'E'", "choose one of: A, B, C, D"),
        ("resnet20[join=gate]", "no join 'gate'", "gate"),
        ("resnet20[block=botleneck]", "no block 'botleneck'", "did you mean 'bottleneck'?"),
        ("resnet20[stem=7]", "no stem '7'", "7x7"),
        ("resnet20[shortcuts=B]", "no variation 'shortcuts'", "did you mean 'shortcut'?"),
        ("resnet20[block.strided=1]", "strided", "did you mean 'block.strided_conv'?"),
        ("resnet20[depth=21]", "depth must be 6n+2 for this block, got 21", "such as 8, 14, 20"),
        ("resnet20[depth=x]", "depth must be a whole number, got 'x'", "e.g. depth=20"),
        ("resnet18[depth=34]", "depth is for networks of three equal stages", "set depths, e.g. depths=[3,4,6,3]"),
        ("resnet20[bias=-6]", "bias belongs to a gate", "add join=shortcut_gate or join=exclusive_gate"),
        ("resnet20[skip_drop=0.3]", "skip_drop belongs to dropout on the skip", "add join=dropout"),
        ("resnet20[skip_scale=1]", "skip_scale belongs to constant scaling", "add join=scaling"),
        ("resnet20[block.join.gate_bias=1]", "block.join.gate_bias belongs to a gate", "add join=shortcut_gate"),
        ("resnet20[join=scaling,bias=-6]", "bias belongs to a gate", "add join=shortcut_gate"),
        ("resnet20[classes=5,num_classes=7]", "num_classes sets num_classes a second time", "leave one of them out"),
        ("resnet20[depth=20,depths=[1,1,1]]", "depth and depths both set the blocks", "leave one of them out"),
        ("resnet20[shortcut=A", "must end in ']'", "e.g. resnet110["),
        ("resnet20[shortcut]", "must hold key=value between commas", "e.g. resnet110["),
        ("resnet20[]", "must hold key=value between commas", "e.g. resnet110["),
        ("resnet20[shortcut=A,shortcut=B]", "sets shortcut twice", "leave one of them out"),
        ("resnet21[shortcut=A]", "unknown network 'resnet21'", "did you mean 'resnet"),
    ],
)
def test_what_cannot_be_said_is_explained(name: str, what: str, fix: str) -> None:
    with pytest.raises(ResnetkitError) as raised:
        find_entry(name)
    assert raised.value.code is Code.USAGE
    assert what in raised.value.what
    assert fix in raised.value.fix
    assert raised.value.fix, "every error says how to mend it"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("resnet20[classes=ten]", "'num_classes' is not valid: Input should be a valid integer"),
        ("resnet20[drop=2]", "block.drop_rate must be in [0, 1), got 2"),
        ("resnet20[groups=0]", "block.groups must be at least 1, got 0"),
        ("resnet20[depths=[1,2]]", "depths, widths and strides must have one value per stage"),
    ],
)
def test_a_value_out_of_range_is_told_the_range(name: str, what: str) -> None:
    with pytest.raises(ResnetkitError) as raised:
        find_entry(name)
    assert raised.value.code is Code.USAGE
    assert what in raised.value.what
