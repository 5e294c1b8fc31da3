"""Arithmetic on a spec counts what a built network has."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.models.measured import measure_cost

from resnetkit.anatomy.cost import count_cost
from resnetkit.models.catalog import CATALOG, find_entry

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "networks.json").read_text())


@pytest.mark.parametrize("name", CATALOG)
def test_every_named_network_costs_what_the_table_says(name: str) -> None:
    entry = CATALOG[name]
    golden = GOLDEN[name]
    cost = count_cost(entry.spec, entry.image_size_px)
    assert (cost.parameters, cost.multiply_adds) == (golden["parameters"], golden["multiply_adds"])


@pytest.mark.parametrize("join", ["shortcut_gate", "none"])
@pytest.mark.parametrize("shortcut", ["A", "B", "C", "D"])
@pytest.mark.parametrize("order", ["original", "full_preact"])
def test_variations_at_an_odd_size(join: str, shortcut: str, order: str) -> None:
    """Choices together; each by itself is in ``test_contract.py``."""
    for more in (
        "block=bottleneck,attention=eca,stem=deep",
        "block=basic,attention=se,downsampling=blur,pool=avg",
        "block=bottleneck,downsampling=max",
    ):
        name = (
            f"resnet20[depth={29 if 'bottleneck' in more else 20},join={join},shortcut={shortcut},order={order},{more}]"
        )
        spec = replace(find_entry(name).spec, num_classes=None)
        assert count_cost(spec, 35) == measure_cost(spec, 35), name
