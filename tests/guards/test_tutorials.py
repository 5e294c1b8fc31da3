"""docs/tutorials.md is true: its commands run, its names are networks, its parity table has the networks compared."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from tests.documents import find_examples, run

from resnetkit.cli.app import app
from resnetkit.models.catalog import find_entry, list_models
from resnetkit.weights.conventions import CONVENTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "tutorials.md").read_text()
EXAMPLES = find_examples(PAGE)


def commands(*, long: bool) -> list[str]:
    return [example.command for example in EXAMPLES if ("long" in example.marks) == long]


@pytest.mark.parametrize("command", commands(long=False))
def test_commands_run_as_written(command: str) -> None:
    assert run(shlex.split(command))[0] == 0


@pytest.mark.parametrize("command", commands(long=True))
def test_long_commands_are_well_formed(command: str) -> None:
    _, name, *words = shlex.split(command)
    group = typer.main.get_command(app)
    group.commands[name].make_context(name, words)  # type: ignore[attr-defined]


def test_every_name_is_a_network() -> None:
    names = re.findall(r"`((?:tutorial|keras)_\w*resnet\w+(?:\[[^`]+\])?)`", PAGE)
    assert len(names) > 15
    for name in names:
        find_entry(name)
    assert set(list_models("tutorial_*")) <= {*names, "tutorial_preact"}


def test_names_in_files_are_known() -> None:
    rows = PAGE.partition("| class | names such as |")[2].partition("\n\n")[0]
    tensors = [name.replace("vars/0", "kernel") for name in re.findall(r"`([^`]+)`", rows)]
    assert len(tensors) == 6
    for name in tensors:
        assert any(convention.rename(name) for convention in CONVENTIONS), name
