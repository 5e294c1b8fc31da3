"""Settings that the command line gives twice over: by an option of its own, and by ``--set``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def read_settings(assignments: list[str] | None, options: Mapping[str, tuple[str, Any]]) -> dict[str, str]:
    """What ``--set`` sets, as text by path.

    Args:
        options: by option, the field that it sets too and its value; None where it is not given.

    Raises:
        ResnetkitError: for a field that is set twice.
    """
    from resnetkit.config import parse_settings
    from resnetkit.errors import require

    assigned = parse_settings(assignments or [])
    for option, (path, value) in options.items():
        shown = option if value is True else f"{option} {value}".strip()
        require(
            value is None or path not in assigned,
            f"{path} is set twice: by {shown} and by --set {path}={assigned.get(path)}",
            fix="leave one of them out",
        )
    return assigned
