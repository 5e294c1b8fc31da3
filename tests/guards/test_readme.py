"""The README is true: its commands run, its tables are the code's, its links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from tests.documents import run

from resnetkit.anatomy.cost import count_cost
from resnetkit.cli.app import app
from resnetkit.errors import Code
from resnetkit.models.catalog import CATALOG

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"(<!-- long -->\n)?```(console|python)\n(.*?)```", README, re.DOTALL)


def commands(*, long: bool) -> list[list[str]]:
    blocks = [text for mark, kind, text in BLOCKS if kind == "console" and bool(mark) == long]
    lines = [line for text in blocks for line in text.split("\n")]
    return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


@pytest.mark.slow
def test_commands_and_python_run_as_written(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for words in commands(long=False):
        if words[0] == "make":
            assert f"\n{words[1]}:" in makefile
            words = ["resnetkit", "demo"] if words[1] == "demo" else ["resnetkit", "--version"]
        code, printed = run(words)
        assert code == 0, (words, printed)
    for program in (text for _, kind, text in BLOCKS if kind == "python"):
        exec(compile(program, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert "0089_is_a_8.png ok 8" in out
    assert "missing.png error None" in out


@pytest.mark.parametrize("words", commands(long=True), ids=" ".join)
def test_long_commands_are_well_formed(words: list[str]) -> None:
    if words[0] == "torchrun":
        words = words[words.index("-m") + 1 :]
    assert words[0] == "resnetkit"
    command, words = typer.main.get_command(app), words[1:]
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    context = command.make_context(None, words)
    model = context.params.get("model")
    assert model is None or model in CATALOG


def test_network_table_is_true() -> None:
    (section,) = re.findall(r"## Networks\n(.*?)\n## ", README, re.DOTALL)
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+\|[^|]+) \|", section, re.MULTILINE))
    assert len(rows) >= 10
    for name in rows:
        entry = CATALOG[name]
        cost = count_cost(entry.spec, entry.image_size_px)
        expected = f"{cost.parameters:,} | {cost.multiply_adds / 1e6:,.1f} M"
        assert rows[name].strip() == expected, name


def test_exit_codes_are_the_codes() -> None:
    (section,) = re.findall(r"## Exit codes\n(.*?)\n## ", README, re.DOTALL)
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}
    assert documented == {0, *map(int, Code)}


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text()):
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}, target
