"""Who may import whom: the floors of ARCHITECTURE.md, and what loads without torch."""

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "resnetkit"
ARCHITECTURE = SOURCE.parents[1] / "ARCHITECTURE.md"
MAX_SHARE = 0.12  # of all lines, that one room may have


def drawn_floors() -> list[set[str]]:
    """The floors as ARCHITECTURE.md draws them, from the ground up."""
    drawing = re.search(r"Who may import whom.*?```\n(.*?)```", ARCHITECTURE.read_text(), re.DOTALL)
    assert drawing
    return [{room.strip() for room in line.split("|")} for line in reversed(drawing[1].strip().splitlines())]


FLOORS = drawn_floors()
LEVEL = {room: level for level, floor in enumerate(FLOORS) for room in floor}
FILES = [path for path in sorted(SOURCE.rglob("*.py")) if path.parent != SOURCE or path.stem in LEVEL]


def module_of(path: Path) -> str:
    """The dotted name within the package: ``models.spec``."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imported_modules(path: Path, *, only_at_load: bool = False) -> set[str]:
    """Ours that a file imports; ``only_at_load``: not those that its functions import when they are called."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in walk_outside_functions(tree) if only_at_load else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "resnetkit":
            base = node.module.removeprefix("resnetkit").strip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".strip(".")
                found.add(inner if inner in MODULES else base)
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("resnetkit.") for alias in node.names if alias.name.startswith("resnetkit.")
            }
    return found - {""}


def walk_outside_functions(tree: ast.AST) -> list[ast.AST]:
    found = []
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += [node, *walk_outside_functions(node)]
    return found


def room_of(module: str) -> str:
    return module.split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downwards(path: Path) -> None:
    here = room_of(module_of(path))
    for other in {room_of(module) for module in imported_modules(path)} - {here}:
        assert other in LEVEL, f"{path} imports the unknown room {other}"
        assert LEVEL[other] < LEVEL[here], f"{here} may not import {other}"


def test_nothing_imports_in_a_circle_inside_rooms_either() -> None:
    """Imports for types alone, and within functions, count too."""
    graph = {name: imported_modules(path) & MODULES.keys() - {name} for name, path in MODULES.items()}
    # A package's own __init__ may name what its modules hold; they do not need it.
    for name in [name for name, path in MODULES.items() if path.name == "__init__.py"]:
        graph = {other: needed - ({name} if other.startswith(f"{name}.") else set()) for other, needed in graph.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


def test_every_room_is_drawn_and_every_drawn_room_is_there() -> None:
    there = {room_of(name) for name in MODULES} | {p.stem for p in SOURCE.glob("*.py") if not p.stem.startswith("__")}
    assert there == set(LEVEL)


def test_no_room_outgrows_the_house() -> None:
    lines = dict.fromkeys(LEVEL, 0)
    for name, path in MODULES.items():
        lines[room_of(name)] += len(path.read_text().splitlines())
    largest = max(lines, key=lambda room: lines[room])
    assert lines[largest] <= MAX_SHARE * sum(lines.values()), f"{largest} has {lines[largest]:,} lines"


def test_the_guard_sees_a_wrong_direction(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from resnetkit.training.loop import Loop\n")
    assert imported_modules(wrong) == {"training.loop"}
    assert imported_modules(wrong, only_at_load=True) == set()


@pytest.mark.parametrize(
    "module",
    [
        "resnetkit",
        "resnetkit.cli.app",
        "resnetkit.models.spec",
        "resnetkit.models.catalog",
        "resnetkit.models.plan",
        "resnetkit.anatomy.cost",
        "resnetkit.anatomy.table",
        "resnetkit.anatomy.text_picture",
        "resnetkit.anatomy.network_picture",
        "resnetkit.data.spec",
        "resnetkit.recipes.recipe",
        "resnetkit.recipes.named",
        "resnetkit.recipes.advice",
        "resnetkit.recipes.recipe_words",
        "resnetkit.recipes.warnings",
    ],
)
def test_descriptions_and_the_command_line_load_no_torch(module: str) -> None:
    code = f"import sys, {module}; print([name for name in ('torch', 'numpy', 'PIL') if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module",
    [
        "resnetkit.inference.predictors",  # and with it all that opens sources and chooses engines
        "resnetkit.inference.graph_engines",
    ],
)
def test_what_can_answer_without_torch_loads_none(module: str) -> None:
    code = f"import sys, {module}; print('torch' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"


def test_a_network_without_numbers_loads_no_compiler() -> None:
    """Every classifier that is loaded is looked at so first; the compiler takes longer to load than all the rest."""
    code = (
        "import sys, torch\nfrom resnetkit.models.resnet import create_model\n"
        "with torch.device('meta'): create_model('resnet20')\nprint('torch._dynamo' in sys.modules)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"


WAYS_AROUND = re.compile(r"(?<![\w.])print\(|typer\.s?echo|sys\.(__)?std(out|err)|^\s*(from|import) rich", re.MULTILINE)
ALLOWED = {
    "terminal.py": "the gate",
    "cli/streams.py": "makes the streams",
    "cli/tables.py": "hands its drawing to the gate",
    "cli/app.py": "empties stdout at the end",
    "exporting/page_server.py": "what is exported stands alone",
    "exporting/runner.py": "a child process answers its parent",
    "inference/deadline.py": "a child process answers its parent",
    "publishing/card.py": "a card shows how to print an answer",
    "serving/ray_server.py": "has what Ray prints go to stderr",
}


def test_no_module_prints_around_the_gate() -> None:
    """What is printed past it can command a terminal, or end in an error of its encoding."""
    around = set()
    for path in SOURCE.rglob("*.py"):
        code = re.sub(r'"""(.|\n)*?"""', "", path.read_text())  # examples print
        around |= {str(path.relative_to(SOURCE))} if WAYS_AROUND.search(code) else set()
    assert around == set(ALLOWED)


def test_torchvision_is_never_imported() -> None:
    for path in SOURCE.rglob("*.py"):
        assert "torchvision" not in {part for node in imports(path) for part in node.split(".")}, path


@pytest.mark.parametrize("package", ["onnxruntime", "openvino"])
def test_what_reports_its_own_import_is_imported_in_one_place(package: str) -> None:
    """``graphs.runtimes.import_*`` turn that off first."""
    for folder in (SOURCE, SOURCE.parents[1] / "tests", SOURCE.parents[1] / "benchmarks"):
        for path in folder.rglob("*.py"):
            assert package not in {node.split(".")[0] for node in imports(path)}, path


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_no_module_has_the_name_of_a_public_function() -> None:
    import resnetkit

    public = {name for name in resnetkit.__all__ if name.islower()}
    modules = {path.stem for path in SOURCE.rglob("*.py") if "cli" not in path.parts}
    assert not public & modules


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "misc"])
def test_no_drawer_for_odds_and_ends(word: str) -> None:
    assert not [path for path in SOURCE.rglob("*") if word in path.stem]
