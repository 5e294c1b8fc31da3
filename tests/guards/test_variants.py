"""docs/variants.md: every name on the page builds, and the keys of the grammar are those that exist."""

import re
from functools import cache
from pathlib import Path

import pytest
import torch

from resnetkit.models import variations
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.resnet import ResNet

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


@pytest.mark.parametrize("name", NAMES)
def test_every_name_builds_and_classifies(name: str) -> None:
    entry = find_entry(name)
    size = 32 if entry.image_size_px == 32 else 64
    with torch.device("meta"):  # shapes are enough: what is computed is compared elsewhere
        images = torch.empty(2, entry.spec.in_channels, size, size)
        assert ResNet(entry.spec).eval()(images).shape == (2, entry.spec.num_classes)


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
