"""What recipes say of themselves: each its command, cost and result, and no figure that was not measured."""

import inspect
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import DataSpec
from resnetkit.recipes.advice import DataSummary, StartingPoint, choose
from resnetkit.recipes.named import RECIPES
from resnetkit.recipes.recipe_words import PHOTOGRAPHS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_its_command_cost_and_result(name: str) -> None:
    parts = re.findall(r"^(\w+): (.+?)(?=^\w+: |^Measured|\Z)", inspect.getdoc(RECIPES[name]) or "", re.M | re.S)
    assert parts
    assert [word for word, _ in parts] == ["Command", "Cost", "Result"] * (len(parts) // 3)
    for _, command in parts[::3]:
        words = shlex.split(command.strip("`.\n").partition("``")[0])
        assert words[:2] == ["resnetkit", "train"]
        named = [DataSummary.of(DATASETS[words[2]], 50_000)] if words[2] in DATASETS else []
        summaries = named or [PHOTOGRAPHS, replace(PHOTOGRAPHS, num_train=50_000)]
        start = StartingPoint("start.safetensors") if "--weights" in words else None
        recipe = words[words.index("--recipe") + 1] if "--recipe" in words else None
        chosen = [choose(data, DataSpec(words[2]), recipe=recipe, start=start).recipe.name for data in summaries]
        assert name in chosen, "few photographs or many"


def stand_together(figures: list[str], document: str) -> bool:
    """Tell whether a document has all figures in one paragraph, or in as many rows of a table as there are seeds."""
    for paragraph in re.split(r"\n\s*\n", document):
        rows = paragraph.strip().splitlines()
        is_table = rows[0].startswith("|") if rows else False
        parts = ["".join(rows[i : i + 3]) for i in range(len(rows))] if is_table else [paragraph]
        if any(set(figures) <= set(re.findall(r"\d[\d,.]*\d|\d", part)) for part in parts):
            return True
    return False


def test_a_figure_that_stands_elsewhere_in_the_document_is_not_enough() -> None:
    document = (ROOT / "benchmarks" / "foundation.md").read_text()
    assert stand_together(["94.26", "93.79", "94.70"], document)
    assert "98.44" in document
    assert not stand_together(["94.26", "98.44", "94.70"], document)


@pytest.mark.parametrize("name", RECIPES)
def test_the_figures_of_a_recipe_stand_where_they_were_measured(name: str) -> None:
    told = inspect.getdoc(RECIPES[name]) or ""
    clauses = [
        re.findall(r"(?<![\w.,])\d[\d,.]*\d|(?<![\w.,])\d", clause)
        for text in re.findall(r"^(?:Cost|Result): (.+?)(?=^\w+: |^Measured|\Z)", told, re.M | re.S)
        for clause in text.split(";")
    ]
    measured = re.search(r"^Measured in (\S+\.md)\.$", told, re.M)
    if measured is None:
        assert not any(clauses)
        assert told.count("not measured") == 2
        return
    assert any(clauses)
    document = (ROOT / measured[1]).read_text()
    assert [figures for figures in clauses if not stand_together(figures, document)] == []
