"""Find studies: those that are shipped, by name, and the user's own, by path. No torch here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resnetkit.config import from_dict
from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.files import io_errors
from resnetkit.study.study import Study

FOLDER = Path(__file__).parent / "studies"


def list_studies() -> list[str]:
    """List the names of the shipped studies.

    >>> "degradation" in list_studies()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def open_study(name: str) -> Study:
    """The study of that name, or in that ``.toml`` file.

    >>> open_study("degradation").source
    'arXiv:1512.03385, Figure 6 and Table 6'

    Raises:
        ResnetkitError: for an unknown name, and for a file that holds no study, with the field that is wrong.
    """
    path = Path(name).expanduser()
    if path.suffix == ".toml":
        return read_study(path)
    shipped = list_studies()
    if name not in shipped:
        raise ResnetkitError(
            Code.USAGE,
            f"unknown study '{name}'",
            fix=f"{did_you_mean(name, shipped)} (or give a file that ends in .toml)",
        )
    return read_study(FOLDER / f"{name}.toml")


def read_study(path: Path) -> Study:
    """The study in a file.

    Raises:
        ResnetkitError: where it holds none; it says which field is wrong.
    """
    with io_errors(f"read {path}"):
        content = path.read_bytes()
    try:
        tree = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # of its text, or of its bytes
        raise ResnetkitError(Code.USAGE, f"{path} is no TOML", why=str(error)) from None
    try:
        return from_dict(Study, _with_dotted_settings(tree))
    except ResnetkitError as error:
        raise ResnetkitError(error.code, f"{path}: {error.what}", why=error.why, fix=error.fix) from None


def _with_dotted_settings(tree: dict[str, Any]) -> dict[str, Any]:
    """The same, with all settings by dotted path: TOML nests them where their names are not quoted."""
    arms, budgets = tree.get("arms"), tree.get("budgets")
    parts = [*(arms if isinstance(arms, list) else ()), *(budgets.values() if isinstance(budgets, dict) else ())]
    for part in parts:
        if isinstance(part, dict) and isinstance(part.get("settings"), dict):
            part["settings"] = dict(_flat(part["settings"]))
    return tree


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows = []
    for key, value in tree.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows
