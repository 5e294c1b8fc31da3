"""Who may import whom: the layers of ARCHITECTURE.md, and what loads without torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "resnetkit"

# From the ground up; a part may import parts of lower layers, never of its own or a higher one.
LAYERS = [
    {"config", "errors", "files", "foreign_json", "locking", "allocation", "processor", "runtime", "terminal"},
    {"models", "data"},
    {"classifier_file", "prediction"},
    {"classifier"},
    {"pretrained"},
    {"evaluation", "inference"},
    {"training", "explanation", "exporting"},
    {"serving", "study", "benchmarking"},
    {"cli"},
]
# errors, config, files and their like are the ground that everything may stand on, each other included.
GROUND = {"errors", "config", "files", "foreign_json", "locking", "allocation", "processor", "runtime", "terminal"}
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = node.module.split(".")
            if module == ["resnetkit"]:
                found |= {alias.name for alias in node.names}
            elif module[0] == "resnetkit":
                found.add(module[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("resnetkit.")}
    return found


FILES = [path for path in sorted(SOURCE.rglob("*.py")) if path.parent != SOURCE or part_of(path) in LEVEL]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downwards(path: Path) -> None:
    here = part_of(path)
    for other in imported_parts(path) - {here}:
        assert other in LEVEL, f"{path} imports the unknown part {other}"
        allowed = LEVEL[other] < LEVEL[here] or (here in GROUND and other in GROUND)
        assert allowed, f"{here} may not import {other}"


def test_the_guard_sees_a_wrong_direction(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from resnetkit.training.loop import Loop\n")
    assert imported_parts(wrong) == {"training"}


@pytest.mark.parametrize(
    "module",
    [
        "resnetkit",
        "resnetkit.cli.app",
        "resnetkit.models.spec",
        "resnetkit.models.catalog",
        "resnetkit.models.cost",
        "resnetkit.data.spec",
        "resnetkit.training.recipe",
        "resnetkit.training.recipes",
        "resnetkit.training.choice",
        "resnetkit.training.cautions",
    ],
)
def test_descriptions_and_the_command_line_load_no_torch(module: str) -> None:
    code = f"import sys, {module}; print([name for name in ('torch', 'numpy', 'PIL') if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module",
    [
        "resnetkit.classifier_file",
        "resnetkit.prediction",
        "resnetkit.inference.opening",
        "resnetkit.inference.graph_engines",
    ],
)
def test_what_can_answer_without_torch_loads_none(module: str) -> None:
    code = f"import sys, {module}; print('torch' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"


def test_everything_is_said_through_the_terminals_gate() -> None:
    """What is printed past it can command a terminal, or end in an error of its encoding."""
    for path in SOURCE.rglob("*.py"):
        calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        said = [ast.unparse(call) for call in calls if ast.unparse(call) in ("print", "typer.echo", "typer.secho")]
        # A process of its own answers the one that started it.
        assert not said or path.relative_to(SOURCE).as_posix() in ("terminal.py", "inference/deadline.py"), path


def test_torchvision_is_never_imported() -> None:
    for path in SOURCE.rglob("*.py"):
        assert "torchvision" not in {part for node in imports(path) for part in node.split(".")}, path


@pytest.mark.parametrize("package", ["onnxruntime", "openvino"])
def test_what_reports_its_own_import_is_imported_in_one_place(package: str) -> None:
    """``inference.graph_engines.import_*`` turn that off first."""
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
