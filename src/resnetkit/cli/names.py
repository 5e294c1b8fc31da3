"""Tell what is to be said of the names of networks that a command is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resnetkit.terminal import warn

if TYPE_CHECKING:
    from resnetkit.sources.locate import Located


def warn_about_name(located: Located) -> None:
    """Tell on stderr which settings in a name's brackets have no effect; nothing of a file, or of a name without."""
    if located.entry is not None:
        for text in located.entry.warnings:
            warn(text)
