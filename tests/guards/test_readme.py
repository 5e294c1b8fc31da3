"""The README, in two languages, and the pages it leads newcomers to are true: their commands run, their tables hold.

What takes long is marked with ``<!-- long -->``: such commands, and those in tables, are parsed and not run.
"""

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
README = ROOT / "README.md"
HOW_TOS = sorted((ROOT / "docs" / "how-to").glob("*.md"))
PAGES = [
    README,
    *(
        ROOT / "docs" / name
        for name in ("install.md", "networks.md", "from-python.md", "hugging_face.md", "more_machines.md")
    ),
    *HOW_TOS,
]
BLOCK = re.compile(r"(<!-- long -->\n)?```(console|python)\n(.*?)```", re.DOTALL)


def commands(page: Path, *, long: bool) -> list[list[str]]:
    """Commands of a page: those marked as long and those between words, or the others."""
    text = page.read_text()
    blocks = [text for mark, kind, text in BLOCK.findall(text) if kind == "console" and bool(mark) == long]
    lines = [line.removeprefix("$ ") for block in blocks for line in block.split("\n") if line.startswith("$ ")]
    if long:
        lines += re.findall(r"`(resnetkit [a-z][^`]+)`", text)
    return [shlex.split(line) for line in lines]


def programs(page: Path) -> list[str]:
    return [text for _, kind, text in BLOCK.findall(page.read_text()) if kind == "python"]


@pytest.mark.slow
def test_commands_and_python_run_as_written(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:  # the README first: its demo leaves the run that the others begin from
        for words in commands(page, long=False):
            if words[0] == "make":
                assert f"\n{words[1]}:" in makefile
                words = ["resnetkit", "demo"] if words[1] == "demo" else ["resnetkit", "--version"]
            code, printed = run(words)
            assert code == 0, (page.name, words, printed)
        for program in programs(page):
            exec(compile(program, page.name, "exec"), {})
    out = capsys.readouterr().out
    assert "0089_is_a_8.png ok 8" in out
    assert "missing.png error None" in out


@pytest.mark.parametrize(
    "words", [pytest.param(words, id=" ".join(words)) for page in PAGES for words in commands(page, long=True)]
)
def test_long_commands_are_well_formed(words: list[str]) -> None:
    if words[0] == "torchrun":
        words = words[words.index("-m") + 1 :]
    assert words[0] == "resnetkit"
    command, words = typer.main.get_command(app), words[1:]
    while hasattr(command, "commands"):
        is_named = bool(words) and words[0] in command.commands  # else its list is meant, as of runs
        command, words = command.commands[words[0] if is_named else "list"], words[is_named:]
    context = command.make_context(None, words)
    model = context.params.get("model")
    assert model is None or model in CATALOG


def test_there_are_how_tos_in_the_readme() -> None:
    assert len(HOW_TOS) >= 5
    for page in HOW_TOS:
        assert f"(docs/how-to/{page.name}" in README.read_text()


def test_every_figure_reached_says_how_it_was_measured() -> None:
    (section,) = re.findall(r"## What it reaches\n(.*?)\n## ", README.read_text(), re.DOTALL)
    reached = [row.split(" | ")[2] for row in re.findall(r"^\| (?!what|---)(.+) \|$", section, re.MULTILINE)]
    assert len(reached) >= 10
    for figure in reached:
        assert re.match(r"\[[\d.]+ .+\]\(benchmarks/\w+\.md#.+\)", figure), figure


def test_network_table_is_true() -> None:
    text = (ROOT / "docs" / "networks.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+\|[^|]+) \|", text, re.MULTILINE))
    assert len(rows) >= 10
    for name in rows:
        entry = CATALOG[name]
        cost = count_cost(entry.spec, entry.image_size_px)
        expected = f"{cost.parameters:,} | {cost.multiply_adds / 1e6:,.1f} M"
        assert rows[name].strip() == expected, name


def test_exit_codes_are_the_codes() -> None:
    text = (ROOT / "docs" / "how-to" / "predict-in-bulk.md").read_text()
    (section,) = re.findall(r"## Exit codes\n(.*)", text, re.DOTALL)
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}
    assert documented == {0, *map(int, Code)}


def told(page: Path) -> dict[str, list[str]]:
    """What a README says in any language: its blocks, commands, numbers and links, in order."""
    text = re.sub(r"^\[.+\]\(README.*\.md\)\n", "", page.read_text(), flags=re.MULTILINE)
    links = [target.replace("lessons/zh/", "lessons/") for target in re.findall(r"\]\(([^)]+)\)", text)]
    rows = [re.sub(r"\]\([^)]+\)", "]", row) for row in re.findall(r"^\|.+\|$", text, re.MULTILINE)]
    return {
        "blocks": re.findall(r"```.*?```", text, re.DOTALL),
        "commands": re.findall(r"`(resnetkit [^`]+)`", text),
        "numbers": [" ".join(re.findall(r"\d[\d.,]*(?<=\d)", re.sub(r"`[^`]+`", "", row))) for row in rows],
        "links": links,
        "headings": re.findall(r"^#+ ", text, re.MULTILINE),
        "pictures": re.findall(r'src(?:set)?="([^"]+)"', text),
    }


@pytest.mark.parametrize("what", ["blocks", "commands", "numbers", "links", "headings", "pictures"])
def test_the_chinese_readme_says_the_same(what: str) -> None:
    english, chinese = (told(page)[what] for page in (README, ROOT / "README.zh-CN.md"))
    assert english
    assert sorted(chinese) == sorted(english) if what == "links" else chinese == english
