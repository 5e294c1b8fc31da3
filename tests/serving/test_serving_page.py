"""docs/serving.md is true: its examples run against a server, its limits are the settings, its statuses are told."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import typer
from tests.fake_served import picture
from tests.serving.running_server import RunningServer, environment, serving

from resnetkit.cli.app import app
from resnetkit.serving.openapi import ERRORS
from resnetkit.serving.settings import ServerSettings

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", PAGE, re.DOTALL)
USUAL = "127.0.0.1:8000"


def test_its_limits_are_all_the_settings_with_their_options() -> None:
    rows = re.findall(r"^\| `(\w+)`[^|]*\| ([\d,]+) \| (?:`([^`]+)` )?\|$", PAGE, re.MULTILINE)
    assert {name: int(value.replace(",", "")) for name, value, _ in rows} == {
        field.name: getattr(ServerSettings(), field.name) for field in fields(ServerSettings)
    }
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    defaults = {option: parameter.default for parameter in command.params for option in parameter.opts}
    options = {option: int(value.replace(",", "")) for _, value, option in rows if option}
    assert options == {option: defaults[option] for option in options}
    assert len(options) == 4


def test_every_status_is_told() -> None:
    told = {int(status) for row in re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE) for status in row.split(", ")}
    assert set(ERRORS) <= told


@pytest.fixture(scope="module")
def server(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("server"), f"digits={file}") as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "text"), BLOCKS)
def test_its_examples_run(kind: str, text: str, server: RunningServer, tmp_path: Path) -> None:
    for name in ("photo.jpg", "other.png"):
        (tmp_path / name).write_bytes(picture(format="JPEG" if name.endswith("jpg") else "PNG"))
    if kind == "sh" and shutil.which("curl") is None:
        pytest.skip("there is no curl")
    text = text.replace("curl ", "curl --fail-with-body -sS ").replace(USUAL, server.url.removeprefix("http://"))
    command = ["bash", "-euc", text] if kind == "sh" else [sys.executable, "-c", text]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    if kind == "sh":
        assert done.stdout.count('"path": "photo.jpg"') == 2
        assert '"overlay"' in (tmp_path / "explanation.json").read_text()
    else:
        assert "photo.jpg ok" in done.stdout or "(1, 3)" in done.stdout
