"""What recipes say of themselves: each its command, cost and result, and no figure that was not measured."""

import inspect
import re
from pathlib import Path

import pytest

from resnetkit.recipes.named import RECIPES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_its_command_cost_and_result(name: str) -> None:
    parts = re.findall(r"^(\w+): (.+?)(?=^\w+: |^Measured|\Z)", inspect.getdoc(RECIPES[name]) or "", re.M | re.S)
    assert parts
    assert [word for word, _ in parts] == ["Command", "Cost", "Result"] * (len(parts) // 3)
    for _, command in parts[::3]:
        assert command.startswith("``resnetkit train ")
        assert re.findall(r"--recipe (\w+)", command) in ([], [name])


@pytest.mark.parametrize("name", RECIPES)
def test_the_figures_of_a_recipe_stand_where_they_were_measured(name: str) -> None:
    told = inspect.getdoc(RECIPES[name]) or ""
    figures = [
        figure
        for text in re.findall(r"^(?:Cost|Result): (.+?)(?=^\w+: |^Measured|\Z)", told, re.M | re.S)
        for figure in re.findall(r"(?<![\w.,])\d[\d,.]*\d|(?<![\w.,])\d", text)
    ]
    measured = re.search(r"^Measured in (\S+\.md)\.$", told, re.M)
    if measured is None:
        assert not figures
        assert told.count("not measured") == 2
        return
    page = set(re.findall(r"\d[\d,.]*\d|\d", (ROOT / measured[1]).read_text()))
    assert [figure for figure in figures if figure not in page] == []
