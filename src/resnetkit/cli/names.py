"""What is told of the names of networks that a command is given."""

from __future__ import annotations

from pathlib import Path

from resnetkit.terminal import warn


def warn_about_name(text: str) -> None:
    """Tell on stderr which settings in a name's brackets have no effect; nothing of a file, or of a name without."""
    if "[" not in text or Path(text).exists():
        return
    from resnetkit.models.catalog import find_entry

    for warning in find_entry(text).warnings:
        warn(warning)
