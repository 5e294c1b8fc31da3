"""Docstrings begin with a verb or the noun that they return: `Tell whether …`, `Number of …`, not `How many …`."""

import ast
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
