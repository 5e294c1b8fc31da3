"""The sheets: every picture is wired as its settings say, and has the paper's errors."""

from xml.etree import ElementTree

import pytest

from resnetkit.anatomy.block_picture import draw_panels
from resnetkit.anatomy.sheets import COLUMNS, SHEETS, sheet_notes, sheet_panels
from resnetkit.anatomy.wiring import wire
from resnetkit.models.catalog import find_entry
from resnetkit.models.variations import ORDERS

# arXiv:1603.05027, Tables 1 and 2.
ERRORS = {
    "orders": ["6.61 and 5.93 %", "8.17 and 6.50 %", "7.84 and 6.14 %", "6.71 and 5.91 %", "6.37 and 5.46 %"],
    "shortcuts": ["6.61 %", "12.35 %", "8.70 %", "6.91 %", "12.22 %", "above 20 %"],
}
SUMS = {
    "orders": ["F(x) + x"] * 5,
    "shortcuts": [
        "F(x) + x",
        "0.5·F(x) + 0.5·x",
        "g·F(x) + (1 − g)·x",
        "F(x) + (1 − g)·x",
        "F(x) + norm(conv(x))",
        "F(x) + drop(x)",
    ],
}


@pytest.mark.parametrize("name", ["resnet110", "plain20", "resnet20[join=scaling,shortcut=C]", "resnet50"])
@pytest.mark.parametrize("which", SHEETS)
def test_each_variant_is_drawn_with_its_sum_and_its_error(which: str, name: str) -> None:
    sheet = SHEETS[which]
    panels = sheet_panels(sheet, find_entry(name).spec, 32)
    assert [panel.heading[:3] for panel in panels] == [f"({letter})" for letter in "abcdef"[: len(panels)]]
    for panel, error, joined in zip(panels, ERRORS[which], SUMS[which], strict=True):
        assert any(line.startswith(f"error {error}") for line in panel.below)
        assert f"H(x) = {joined}" in panel.below
        assert panel.block.input_shape == panel.block.output_shape
    assert len({panel.block.places for panel in panels}) == 1
    notes = sheet_notes(sheet, name, panels)
    picture = draw_panels(sheet.title, notes, panels, columns=COLUMNS)
    words = [element.text for element in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert {*notes, *(line for panel in panels for line in panel.below)} <= set(words)


def test_a_variant_is_the_network_of_that_name() -> None:
    for sheet in SHEETS.values():
        panels = sheet_panels(sheet, find_entry("resnet20").spec, 32)
        for panel in panels:
            wiring = wire(find_entry(f"resnet20[{panel.note}]").spec, 32)
            assert panel.block in wiring.stages[0]


def test_the_paper_has_all_orders_but_the_tutorials() -> None:
    drawn = {variant.settings["order"] for variant in SHEETS["orders"].variants}
    assert drawn == set(ORDERS) - {"act_around_add"}
