"""Docstrings begin with a verb or the noun that they return: `Tell whether …`, `Number of …`, not `How many …`.

What they refer to is where they say.
"""

import ast
import re
from pathlib import Path

import resnetkit

PACKAGE = Path(resnetkit.__file__).parent
ASKING = ("What", "How", "Whether", "Which", "Who", "Whose", "Where", "When", "Why")


def asking(source: str) -> list[str]:
    """First lines of docstrings that begin like a question."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    texts = [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    return [text.partition("\n")[0] for text in texts if text.partition(" ")[0] in ASKING]


def test_no_docstring_begins_like_a_question() -> None:
    found = {str(path.relative_to(PACKAGE)): asking(path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_guard_sees_one_that_does() -> None:
    assert asking('"""A module."""\ndef f():\n    """How many there are."""') == ["How many there are."]


def dangling(source: str) -> list[str]:
    """References like ``:class:`~resnetkit.errors.Code``` to what no module has."""
    return [name for name in re.findall(r":\w+:`[^`]*?(resnetkit(?:\.\w+)+)>?`", source) if not is_there(name)]


def is_there(name: str) -> bool:
    """Tell whether the module of a dotted name defines what comes behind it, or the package lists it."""
    parts = name.split(".")[1:]
    for end in range(len(parts), 0, -1):
        module = PACKAGE.joinpath(*parts[:end]).with_suffix(".py")
        if module.is_file():
            source = module.read_text()
            return all(re.search(rf"^ *(def |class |)({part})\b *[(:=\[]", source, re.M) for part in parts[end:])
    return len(parts) == 1 and parts[0] in resnetkit.__all__


def test_what_docstrings_refer_to_is_there() -> None:
    found = {str(path.relative_to(PACKAGE)): dangling(path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert {name: names for name, names in found.items() if names} == {}


def test_the_guard_sees_a_reference_to_what_has_moved() -> None:
    assert not dangling(":class:`~resnetkit.errors.Code` and :func:`resnetkit.open_predictor`")
    moved = ":class:`~resnetkit.data.spec.Preprocessing`"
    assert dangling(moved) == ["resnetkit.data.spec.Preprocessing"]
