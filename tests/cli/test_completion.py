"""What a shell is offered on Tab, asked for as typer's scripts ask."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Outcome

from resnetkit.cli.app import app
from resnetkit.data.datasets import DATASETS
from resnetkit.models.catalog import CATALOG, list_models
from resnetkit.recipes.named import RECIPES
from resnetkit.study.shipped import list_studies

Cli = Callable[..., Outcome]
Ask = Callable[[str], list[str]]


@pytest.fixture
def ask(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Asks what may follow a line, its last word unfinished, in a folder with a run, a file and folders."""
    for folder in ("runs/0001-resnet20-digits", "runs/0002-resnet20-two words", "runs/notes", "dogs"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "recipe.json").write_text("{}")
    (tmp_path / "runs/notes/recipe.json").unlink()
    (tmp_path / "resnet50.pth").touch()
    (tmp_path / "resnet5$(touch gone).pth").touch()
    monkeypatch.chdir(tmp_path)

    def ask(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("_RESNETKIT_COMPLETE", "complete_bash")
        outcome = cli()
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.out.split()

    return ask


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("train digits --model resnet5", list_models("resnet5*")),
        ("train digits -m ", list(CATALOG)),
        ("models keras", list_models("keras*")),
        ("predict x.pth --model wrn", list_models("wrn*")),
        ("train digits --recipe ", list(RECIPES)),
        ("recipes tiny", ["tiny_images"]),
        ("benchmark resnet18 -r fine", ["fine_tune", "fine_tune_few"]),
        ("train ", list(DATASETS)),
        ("train d", ["digits", "dogs"]),
        ("evaluate runs/0001-resnet20-digits cifar", ["cifar10", "cifar100"]),
        ("study run de", [name for name in list_studies() if name.startswith("de")]),
        ("predict ", ["runs/0001-resnet20-digits"]),
        ("train --resume runs/0", ["runs/0001-resnet20-digits"]),
        ("describe resnet50", [*list_models("resnet50*"), "resnet50.pth"]),
        ("compare resnet18 runs/", ["runs/0001-resnet20-digits"]),
        ("convert resnet5", ["resnet50.pth"]),
        ("predict elsewhere/", []),
        ("predict runs/0001-resnet20-digits/", []),
        ("train nowhere[", []),
    ],
)
def test_names_are_offered(ask: Ask, line: str, offered: list[str]) -> None:
    assert ask(f"resnetkit {line}") == offered


def test_every_parameter_that_takes_a_name_offers_some() -> None:
    import typer

    def commands(group: object) -> list[object]:
        inner = getattr(group, "commands", {}).values()
        return [group] if not inner else [command for child in inner for command in commands(child)]

    silent = {
        f"{command.name} {parameter.name}"  # type: ignore[attr-defined]
        for command in commands(typer.main.get_command(app))
        for parameter in command.params  # type: ignore[attr-defined]
        if re.search(r"network's name|recipe's name|data set|run folder|study's name", parameter.help or "")
        and parameter._custom_shell_complete is None
    }
    # Folders to look in or to write to and files with names, which the shell completes.
    assert {name.split()[1] for name in silent} <= {"data_dir", "class_names", "out"}, silent


@pytest.mark.slow
def test_bash_completes_with_the_script_that_is_printed(tmp_path: Path) -> None:
    program = tmp_path / "resnetkit"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m resnetkit "$@"\n')
    program.chmod(0o755)
    script = f"""
        PATH={tmp_path}:$PATH
        eval "$(_RESNETKIT_COMPLETE=source_bash resnetkit)"
        complete -p resnetkit
        COMP_WORDS=(./resnetkit train digits --recipe tutorial_); COMP_CWORD=4
        _resnetkit_completion {program}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.stdout.split("\n")[:3] == [
        "complete -o default -F _resnetkit_completion resnetkit",
        "tutorial_adam",
        "tutorial_exact",
    ], done.stderr


def test_offering_names_loads_no_torch() -> None:
    code = (
        "import sys; from resnetkit.cli import completion\n"
        "for name in [name for name in vars(completion) if name.startswith('offer_')]:\n"
        "    list(getattr(completion, name)('x'))\n"
        "print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
