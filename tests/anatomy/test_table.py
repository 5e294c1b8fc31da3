"""The stage-by-stage table: shapes that a forward pass has, and costs that a pencil finds."""

import json
from dataclasses import replace

import pytest
import torch

from resnetkit.anatomy.table import as_rows, describe
from resnetkit.models.catalog import CATALOG
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import (
    ACT_ONLY_PREACT,
    AVGPOOL_CONV_BN,
    BASIC,
    BASIC_PREACT,
    STEM_3X3,
    STEM_7X7,
    ZERO_PAD,
    Attention,
    EfficientChannelAttention,
    GatedAdd,
    GroupNorm,
    NoSkip,
    ResNetSpec,
    SqueezeExcitation,
)

SMALL = ResNetSpec(BASIC, (1, 2), (8, 16), (1, 2), stem=replace(STEM_3X3, widths=(8,)), num_classes=5)


def test_a_small_network_by_hand() -> None:
    rows = {row.name: row for row in describe(SMALL, 9).rows}
    assert list(rows) == ["stem", "stage 1", "stage 2", "avg-pool", "head"]
    # 9 px in stem and stage 1, 5 px in stage 2; a norm has a weight and a bias per channel.
    stem = 3 * 8 * 9
    stage1 = 2 * 8 * 8 * 9
    stage2 = 8 * 16 * 9 + 3 * 16 * 16 * 9 + 8 * 16
    assert rows["stem"].multiply_adds == stem * 81
    assert rows["stage 1"].multiply_adds == stage1 * 81
    assert rows["stage 2"].multiply_adds == stage2 * 25
    assert rows["head"].multiply_adds == 16 * 5
    assert rows["stem"].parameters == stem + 2 * 8
    assert rows["stage 1"].parameters == stage1 + 2 * 2 * 8
    assert rows["stage 2"].parameters == stage2 + 5 * 2 * 16
    assert rows["head"].parameters == 16 * 5 + 5
    assert (rows["avg-pool"].parameters, rows["avg-pool"].multiply_adds) == (0, 0)
    assert [row.output_shape for row in rows.values()] == [(8, 9, 9), (8, 9, 9), (16, 5, 5), (16,), (5,)]


@pytest.mark.parametrize("join", [GatedAdd(), NoSkip()], ids=["gated", "plain"])
@pytest.mark.parametrize("attention", [SqueezeExcitation(), EfficientChannelAttention()], ids=["se", "eca"])
def test_gates_and_attention_cost_too(join: object, attention: Attention) -> None:
    spec = replace(SMALL, block=replace(BASIC, join=join, attention=attention))  # type: ignore[arg-type]
    stage1 = describe(spec, 9).rows[1]
    convs = 2 * 8 * 8 * 9 * 81
    gate = 8 * 8 * 81 if isinstance(join, GatedAdd) else 0
    attention_cost = 2 * 8 * 8 if attention.kind == "se" else 8 * 3
    assert stage1.multiply_adds == convs + gate + attention_cost


@pytest.mark.parametrize("name", ["resnet18", "keras_resnet50v2", "tutorial_preact", "preact_resnet110"])
@pytest.mark.parametrize("size", [8, 33])
def test_shapes_and_totals_are_those_of_the_real_network(name: str, size: int) -> None:
    spec = CATALOG[name].spec
    with torch.device("meta"):
        network = ResNet(spec).eval()
        x = network.maxpool(network.act1(network.bn1(network.conv1(torch.empty(1, spec.in_channels, size, size)))))
    table = describe(spec, size)
    rows = {row.name: row for row in table.rows}
    assert table.input_shape == (spec.in_channels, size, size)
    assert rows["max-pool" if spec.stem.pool != "none" else "stem"].output_shape == x.shape[1:]
    for number, stage in enumerate(network.stage_names, start=1):
        x = getattr(network, stage)(x)
        assert rows[f"stage {number}"].output_shape == x.shape[1:]
    assert table.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert table.multiply_adds == sum(row.multiply_adds for row in table.rows)


def test_cost_grows_with_the_image_and_parameters_do_not() -> None:
    small, large = (describe(CATALOG["resnet18"].spec, size) for size in (64, 128))
    assert small.parameters == large.parameters
    convs = [table.multiply_adds - table.rows[-1].multiply_adds for table in (small, large)]
    assert convs[1] == 4 * convs[0]


def test_what_a_network_lacks_has_no_row() -> None:
    feature_map = describe(replace(SMALL, num_classes=None, pooling="none"), 8)
    assert [row.name for row in feature_map.rows] == ["stem", "stage 1", "stage 2"]
    pooled = describe(replace(SMALL, num_classes=None, pooling="max"), 8)
    assert pooled.rows[-1].name == "max-pool"
    assert pooled.rows[-1].output_shape == (16,)
    deep = describe(CATALOG["resnetv2_50"].spec, 64)
    assert [row.name for row in deep.rows] == [
        *("stem", "max-pool", "stage 1", "stage 2", "stage 3", "stage 4", "tail", "avg-pool", "head")
    ]


@pytest.mark.parametrize(
    ("block", "kinds"),
    [
        (BASIC, ["1 identity", "1 projection + 1 identity"]),
        (replace(BASIC, projection=ZERO_PAD), ["1 identity", "1 shape-matching + 1 identity"]),
        (replace(BASIC, projection=AVGPOOL_CONV_BN, project="always"), ["1 projection", "2 projection"]),
        (replace(BASIC, join=NoSkip()), ["1 plain", "2 plain"]),
    ],
)
def test_blocks_are_named_by_their_skips(block: object, kinds: list[str]) -> None:
    rows = describe(replace(SMALL, block=block), 8).rows  # type: ignore[arg-type]
    assert [row.blocks for row in rows if row.name.startswith("stage")] == kinds


def test_layers_in_words() -> None:
    rows = {row.name: row.layers for row in describe(CATALOG["resnet50"].spec, 64).rows}
    assert rows["stem"] == "7×7, 64, stride 2"
    assert rows["stage 1"] == "[1×1, 64 → 3×3, 64 → 1×1, 256] × 3"
    assert rows["stage 2"] == "[1×1, 128 → 3×3, 128 → 1×1, 512] × 4, stride 2 in the first block"
    assert rows["head"] == "linear 2048 → 1000"
    keras = {row.name: row.layers for row in describe(CATALOG["keras_resnet50v2"].spec, 64).rows}
    assert keras["stage 1"].endswith("stride 2 in the last block")
    resnext = replace(SMALL, block=replace(CATALOG["resnet50"].spec.block, groups=2, group_width=32))
    assert "3×3, 16 (2 groups)" in describe(resnext, 8).rows[2].layers


@pytest.mark.parametrize(
    ("block", "tail"), [(BASIC_PREACT, "BN ReLU"), (replace(BASIC, order=ACT_ONLY_PREACT), "ReLU"), (BASIC, None)]
)
def test_the_tail_in_words(block: object, tail: str | None) -> None:
    rows = {row.name: row.layers for row in describe(replace(SMALL, block=block), 8).rows}  # type: ignore[arg-type]
    assert rows.get("tail") == tail


@pytest.mark.parametrize(
    ("name", "size"), [("resnet18", 64), ("resnet50", 64), ("preact_resnet110", 32), ("keras_resnet50v2", 64)]
)
def test_activations_are_what_convs_and_linear_layers_put_out(name: str, size: int) -> None:
    network = ResNet(CATALOG[name].spec).eval()
    counted = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(lambda _module, _inputs, output: counted.append(output.numel()))
    with torch.no_grad():
        network(torch.zeros(1, 3, size, size))
    assert describe(CATALOG[name].spec, size).activations == sum(counted)


def test_activations_of_the_literature() -> None:
    # As arXiv:2003.13678 gives them for these networks at 224 px.
    millions = [describe(CATALOG[f"resnet{depth}"].spec, 224).activations / 1e6 for depth in (50, 101, 152)]
    assert [round(value, 1) for value in millions] == [11.1, 16.2, 22.6]


@pytest.mark.parametrize(
    ("name", "num_layers"),
    [
        *((f"resnet{depth}", depth) for depth in (18, 20, 34, 50, 56, 101, 110, 152)),
        ("preact_resnet164", 164),
        ("plain20", 20),
        ("tutorial_preact", 14),
    ],
)
def test_names_count_layers_with_weights(name: str, num_layers: int) -> None:
    assert describe(CATALOG[name].spec, 32).num_layers == num_layers


def test_where_the_stride_sits() -> None:
    def places(name: str) -> list[str]:
        return [row.strided_layer for row in describe(CATALOG[name].spec, 64).rows if row.name.startswith("stage")]

    assert places("resnet18") == ["", *["block 1, conv1 (3×3)"] * 3]
    assert places("resnet50") == ["", *["block 1, conv2 (3×3)"] * 3]
    assert places("resnet50_v1") == ["", *["block 1, conv1 (1×1)"] * 3]
    assert places("keras_resnet50v2") == [*(f"block {depth}, conv2 (3×3)" for depth in (3, 4, 6)), ""]
    blurred = replace(SMALL, block=replace(BASIC, downsampling="blur"))
    assert [row.strided_layer for row in describe(blurred, 16).rows][1:3] == ["", "block 1, aa (blur)"]
    pooled = replace(SMALL, block=replace(BASIC, downsampling="max"))
    assert [row.strided_layer for row in describe(pooled, 16).rows][1:3] == ["", "block 1, max-pool"]


@pytest.mark.parametrize("pool", ["max", "zero_padded_max", "blurred_max", "avg", "conv"])
def test_every_pool_of_the_stem_has_a_row(pool: str) -> None:
    row = describe(replace(SMALL, stem=replace(STEM_7X7, widths=(8,), pool=pool)), 32).rows[1]  # type: ignore[arg-type]
    assert row.name == ("max-pool" if "max" in pool else "pool")
    assert row.output_shape == (8, 8, 8)
    assert row.num_layers == (1 if pool == "conv" else 0)
    assert "stride 2" in row.layers


def test_group_norm_in_the_tail() -> None:
    spec = replace(SMALL, block=BASIC_PREACT, norm=GroupNorm(groups=8))
    assert {row.name: row.layers for row in describe(spec, 8).rows}["tail"] == "GN ReLU"


def test_rows_are_json() -> None:
    table = describe(replace(SMALL, stem=STEM_7X7), 32)
    rows = json.loads(json.dumps(as_rows(table)))
    assert [row["name"] for row in rows] == [row.name for row in table.rows]
    assert sum(row["parameters"] for row in rows) == table.parameters
    assert rows[0]["output_shape"] == [64, 16, 16]
