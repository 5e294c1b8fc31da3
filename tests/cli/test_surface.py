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
    commands = {"resnetkit": group, **group.commands}  # type: ignore[attr-defined]
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


def test_surface_is_the_recorded_one() -> None:
    assert json.loads(json.dumps(surface())) == json.loads(GOLDEN.read_text())


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(surface(), indent=1, ensure_ascii=False) + "\n")
