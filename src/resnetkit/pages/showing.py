"""Values as HTML, where a notebook asks for it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

HOME = "resnetkit.notebook.values"


def show(value: Any) -> str:
    """The HTML of a value.

    Values are defined on many floors, and what shows them stands above them all: so it is found by its name when it is
    asked for, as the package's public names are.
    """
    html: str = import_module(HOME).html_of(value)
    return html
