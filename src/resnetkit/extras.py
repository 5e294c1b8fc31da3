"""Libraries that come with an extra of this package, asked for when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from resnetkit.errors import Code, ResnetkitError


def import_extra(module: str, *, extra: str, what: str) -> Any:
    """The module of that name.

    Args:
        extra: of this package, which brings it.
        what: goes wrong without it.

    Raises:
        ResnetkitError: where it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise ResnetkitError(Code.USAGE, what, fix=f"pip install 'resnetkit[{extra}]'") from None
