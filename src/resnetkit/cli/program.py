"""Command by which the user can call this program again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def program() -> str:
    """``resnetkit`` where the shell finds it, else the path it was called by, as ``.venv/bin/resnetkit``."""
    called = Path(sys.argv[0])
    if shutil.which("resnetkit") is None and called.name == "resnetkit" and called.exists():
        here = Path.cwd()
        absolute = called.absolute()
        return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)
    return "resnetkit"
