"""The commands and options of the command line: scripts rely on them, so a change of them must be meant.

After a change that is meant: ``python tests/cli/test_surface.py`` writes the new surface.
"""

import json
from pathlib import Path
from typing import Any

import typer

from resnetkit.cli.app import app

GOLDEN = Path(__file__).parents[1] / "golden" / "cli_surface.json"


def surface() -> dict[str, Any]:
    group = typer.main.get_command(app)
    commands = {"resnetkit": group, **all_commands(group.commands)}  # type: ignore[attr-defined]
    return {
        name: {
            " ".join([*parameter.opts, *parameter.secondary_opts]): {
                "default": None if callable(parameter.default) else parameter.default,
                "required": parameter.required,
                "multiple": parameter.multiple if parameter.param_type_name == "option" else parameter.nargs != 1,
            }
            for parameter in command.params
        }
        for name, command in commands.items()
    }


def all_commands(commands: dict[str, Any]) -> dict[str, Any]:
    """The commands by their whole names, those of groups beside the group."""
    inner = {
        f"{name} {below}": deeper
        for name, command in commands.items()
        for below, deeper in all_commands(getattr(command, "commands", {})).items()
    }
    return commands | inner


HOW_TO_UPDATE = "if that is meant, write the new surface with: python tests/cli/test_surface.py"


def changes(now: dict[str, Any], recorded: dict[str, Any]) -> list[str]:
    """What differs, a sentence for each command, option or value."""
    found = []
    for command in sorted({*now, *recorded}):
        mine, theirs = now.get(command), recorded.get(command)
        if mine is None or theirs is None:
            found.append(f"the command '{command}' is {'gone' if mine is None else 'new'}")
            continue
        for option in sorted({*mine, *theirs}):
            if option not in theirs or option not in mine:
                found.append(f"{command}: '{option}' is {'new' if option in mine else 'gone'}")
            elif mine[option] != theirs[option]:
                found.append(f"{command}: '{option}' is {mine[option]}, it was {theirs[option]}")
    return found


def test_surface_is_the_recorded_one() -> None:
    found = changes(json.loads(json.dumps(surface())), json.loads(GOLDEN.read_text()))
    assert not found, "\n".join([*found, HOW_TO_UPDATE])


def test_every_change_is_told_by_name() -> None:
    old = {"train": {"--epochs": 1, "--seed": 0}, "gone": {}}
    assert changes({"train": {"--epochs": 2, "--new": 0}, "pairs": {}}, old) == [
        "the command 'gone' is gone",
        "the command 'pairs' is new",
        "train: '--epochs' is 2, it was 1",
        "train: '--new' is new",
        "train: '--seed' is gone",
    ]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(surface(), indent=1, ensure_ascii=False) + "\n")
