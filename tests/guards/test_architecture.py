"""ARCHITECTURE.md's "To change X, edit Y" is true: what it names is there, and it is where things of that kind are."""

import ast
import re
from pathlib import Path

import pytest
import typer

from resnetkit.cli.app import app

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "resnetkit"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
TABLE = ARCHITECTURE.partition("## To change X, edit Y")[2]
ROWS = dict(re.findall(r"^\| ([^|`]+?) \| (.+) \|$", TABLE, re.MULTILINE))
for head in ("to …", "---"):
    del ROWS[head]


def find(name: str) -> Path | None:
    """The file or folder that the table means."""
    name = name.removeprefix("python ")
    places = [base / name for base in (SOURCE, ROOT)]
    return next((place for place in places if "/" in name and place.exists()), None)


def names_in(path: Path) -> set[str]:
    """Names that a module defines or imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.alias(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


def files_of(row: str) -> set[str]:
    """The modules that a row names, from the package's root."""
    paths = {find(word) for word in re.findall(r"`([^`]+)`", ROWS[row])} - {None}
    return {str(path.relative_to(SOURCE)) for path in paths if path and path.is_relative_to(SOURCE)}


def files_with(pattern: str) -> set[str]:
    """The modules whose text has a pattern."""
    return {str(p.relative_to(SOURCE)) for p in SOURCE.rglob("*.py") if re.search(pattern, p.read_text(), re.MULTILINE)}


def test_there_is_a_table() -> None:
    assert len(ROWS) >= 15


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_names_is_there(row: str) -> None:
    words = re.findall(r"`([^`]+)`", ROWS[row])
    paths = [path for word in words if (path := find(word))]
    assert paths
    known = set().union(*(names_in(path) for path in paths if path.suffix == ".py"))
    for word in words:
        assert find(word) or word in known, f"{row}: `{word}` is neither a file nor defined in the row's files"


# By row, what shows where things of its kind are: a pattern that only the row's modules have, and the modules it is in.
PROBES = {
    "add a join": (
        r"case .*\bDropoutAdd\(",
        {"models/joining.py", "models/block.py", "anatomy/skip_words.py"},
    ),
    "add an attention": (
        r"case .*\bSqueezeExcitation\(",
        {"models/steps.py", "models/attention.py", "anatomy/wiring.py"},
    ),
    "add a kind of step": (
        r"case .*\bPadSame\(",
        {"models/sliding.py", "models/layers.py", "anatomy/cost.py", "anatomy/wiring.py", "anatomy/formula.py"},
    ),
    "add a data set": (r"= NamedData\($", {"data/datasets.py"}),
    "add an augmentation": (r"^(PIXEL|INPUT)_CHANGES\b|^class (Purpose|Augmentation)\b", None),
    "add an optimizer": (r"^class Sgd\b|case Sgd\(", None),
    "add an engine": (r"^ENGINES\b", {"inference/engines.py"}),
    "add a score": (r"^class Scores\b", {"evaluation/metrics.py"}),
    "add a command": (r"^COMMANDS\b", {"cli/app.py"}),
    "add a tracker to the command line": (r"^TRACKERS\b|^class Tracker\b", None),
    "follow runs with a tracker of your own": (r"^class Listener\b", {"runs/events.py"}),
    "change what a checkpoint holds": (r"def to_checkpoint\b", {"training/state.py"}),
}


@pytest.mark.parametrize("row", PROBES)
def test_a_row_names_the_modules_that_know_its_kind(row: str) -> None:
    pattern, modules = PROBES[row]
    assert files_with(pattern) == (modules or files_of(row))
    assert files_with(pattern) <= files_of(row)


def test_every_command_has_a_file_of_its_name() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert {name for name in commands if not (SOURCE / "cli" / f"{name.replace('-', '_')}.py").is_file()} == set()


def parts() -> dict[str, str]:
    """What ARCHITECTURE.md says of each room and ground module, under "The parts"."""
    drawn = re.search(r"src/resnetkit/\n(.*?)```", ARCHITECTURE, re.DOTALL)
    assert drawn
    pieces = re.split(r"^  (\w+)(?:/|\.py) +", drawn[1], flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@pytest.mark.parametrize("room", sorted(path.parent.name for path in SOURCE.glob("*/__init__.py")))
def test_every_module_is_named_where_its_room_is_told_of(room: str) -> None:
    told = set(re.findall(r"\w+", parts()[room]))
    families = re.findall(r"(\w+)\*", parts()[room])  # layout* stands for all whose names begin so
    modules = {path.stem for path in (SOURCE / room).glob("*.py")} - {"__init__"}
    unnamed = {name for name in modules - told if not any(name.startswith(family) for family in families)}
    assert room == "cli" or unnamed == set()


def test_every_module_that_is_named_is_there() -> None:
    for path in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", ARCHITECTURE):
        assert (SOURCE / path).is_file() or (ROOT / path).is_file(), path
