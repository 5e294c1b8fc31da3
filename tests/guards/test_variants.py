"""docs/variants.md: every name on the page builds, and the keys of the grammar are those that exist."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from tests.deep_networks import deep_ones_slow

from resnetkit.models import variations
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import FULL_PREACT, ORIGINAL, ActivationOrder, Add, DropoutAdd, GatedAdd, ScaledAdd

PAGE = (Path(__file__).parents[2] / "docs" / "variants.md").read_text()
SECTIONS = PAGE.partition("## Deep Residual Learning")[2]
NAMES = sorted(
    {
        text
        for text in re.findall(r"`([^`]+)`", SECTIONS)
        if text.partition("[")[0] in CATALOG or re.fullmatch(r"\w+\[.*\]", text)
    }
)


@cache
def names_in_tables() -> set[str]:
    return {
        name for name in NAMES if any(f"`{name}`" in line for line in SECTIONS.splitlines() if line.startswith("|"))
    }


def test_the_page_names_networks() -> None:
    assert len(names_in_tables()) > 55


@pytest.mark.parametrize("name", deep_ones_slow(NAMES))
def test_every_name_builds_and_classifies(name: str) -> None:
    entry = find_entry(name)
    size = 32 if entry.image_size_px == 32 else 64
    with torch.device("meta"):  # shapes are enough: what is computed is compared elsewhere
        images = torch.empty(2, entry.spec.in_channels, size, size)
        assert ResNet(entry.spec).eval()(images).shape == (2, entry.spec.num_classes)


SKIPS_TABLE = {  # arXiv:1603.05027, Table 1, top to bottom: the join, or what else is changed
    "resnet110": Add(),
    "resnet110[join=scaling,skip_scale=0,branch_scale=1]": ScaledAdd(0.0, 1.0),
    "resnet110[join=scaling,branch_scale=1]": ScaledAdd(0.5, 1.0),
    "resnet110[join=scaling]": ScaledAdd(0.5, 0.5),
    **{f"resnet110[join=exclusive_gate,bias={-b}]": GatedAdd(exclusive=True, gate_bias=float(-b)) for b in range(8)},
    "resnet110[join=shortcut_gate,bias=0]": GatedAdd(exclusive=False, gate_bias=0.0),
    "resnet110[join=shortcut_gate,bias=-6]": GatedAdd(exclusive=False, gate_bias=-6.0),
    "resnet110[join=dropout]": DropoutAdd(0.5),
}


@pytest.mark.parametrize("name", SKIPS_TABLE)
def test_every_join_of_table_1_is_named_and_changes_nothing_else(name: str) -> None:
    assert name in names_in_tables()
    original = CATALOG["resnet110"].spec
    assert find_entry(name).spec == replace(original, block=replace(original.block, join=SKIPS_TABLE[name]))


@pytest.mark.parametrize("order", [ORIGINAL, FULL_PREACT])
def test_the_networks_of_one_layer_skips_have_110_layers(order: ActivationOrder) -> None:
    more = "" if order == ORIGINAL else ",order=full_preact"
    name = f"resnet110[block.kernel_sizes=[3],depth=110{more}]"
    assert name in names_in_tables()
    spec = find_entry(name).spec
    assert (spec.depths, spec.block.kernel_sizes, spec.block.order) == ((36, 36, 36), (3,), order)


def test_the_164_layers_of_the_paper_are_the_110_with_its_bottleneck_and_option_b() -> None:
    assert "resnet110[block=bottleneck_v1,shortcut=B]" in names_in_page()
    assert find_entry("resnet110[block=bottleneck_v1,shortcut=B]").spec == CATALOG["resnet164"].spec


def names_in_page() -> set[str]:
    return set(re.findall(r"`([^`]+)`", PAGE))


def test_the_grammars_table_has_every_key_and_value() -> None:
    table = PAGE.partition("## The grammar")[2].partition("## Deep")[0]
    rows = dict(re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", table, re.MULTILINE))
    keys = {key: values for keys, values in rows.items() for key in re.findall(r"`(\w+)`", keys)}
    assert set(keys) == {"block", "depth", "order", "shortcut", "join", "stem", *variations.SHORT_NAMES}
    for key, known in (
        ("block", variations.BLOCKS),
        ("order", variations.ORDERS),
        ("join", variations.JOINS),
        ("stem", variations.STEMS),
        ("shortcut", variations.SHORTCUTS),
    ):
        assert re.findall(r"`(\w+)`", keys[key]) == list(known)
