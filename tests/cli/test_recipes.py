"""``resnetkit recipes``: a list, one of them, and both for programs."""

import json
from collections.abc import Callable

from tests.cli.conftest import Outcome

from resnetkit.recipes.named import RECIPES


def test_the_list_has_each_with_its_commands_cost_and_result(cli: Callable[..., Outcome]) -> None:
    out = cli("recipes").out
    lines = out.splitlines()
    assert [line.split()[0] for line in lines if line and line[0] != " "][: len(RECIPES)] == list(RECIPES)
    told = [line.split()[0] for line in lines if line.split()[:1] in (["command"], ["cost"], ["result"])]
    assert told == ["command", "cost", "result"] * (len(told) // 3)
    assert len(told) // 3 >= len(RECIPES)
    assert "command  resnetkit train fashion_mnist --recipe quick\n" in out


def test_one_is_explained_with_what_it_sets(cli: Callable[..., Outcome]) -> None:
    out = cli("recipes", "cifar_paper").out
    assert "The paper counts steps" in out
    assert "measured in benchmarks/training.md" in out
    assert ["epochs", "164", "10"] in [line.split() for line in out.splitlines()]


def test_programs_get_the_same(cli: Callable[..., Outcome]) -> None:
    listed = json.loads(cli("recipes", "--json").out)
    assert [one["name"] for one in listed] == list(RECIPES)
    one = json.loads(cli("recipes", "quick", "--json").out)
    assert one["uses"] == next(entry for entry in listed if entry["name"] == "quick")["uses"]
    assert {"field": "optimizer.kind", "value": "muon", "usual": "sgd"} in one["settings"]


def test_a_mistyped_name_is_told_the_nearest(cli: Callable[..., Outcome]) -> None:
    outcome = cli("recipes", "cifar")
    assert outcome.code == 2
    assert "did you mean 'cifar_paper'?" in outcome.err
