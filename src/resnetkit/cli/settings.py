"""Settings that the command line gives twice over: by an option of its own, and by ``--set``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resnetkit.cli.foreign import ours
from resnetkit.terminal import warn

if TYPE_CHECKING:
    from resnetkit.images.spec import Limits
    from resnetkit.recipes.demands import Demands, SetRule


def warn_of_idle(given: Mapping[str, bool], why: str) -> None:
    """Say of the options that are given that they have no effect, and why."""
    for option, is_given in given.items():
        if is_given:
            warn(f"{option} has no effect {why}")


def with_limits(limits: Limits, max_pixels: int | None, max_file_bytes: int | None) -> Limits:
    """Limits for images, with those that options set."""
    given = {"max_pixels": max_pixels, "max_file_bytes": max_file_bytes}
    return replace(limits, **{name: value for name, value in given.items() if value is not None})


def read_demands(
    unknown_at: float | None, coverage: float | None, set_rule: SetRule | None, precision_at: float | None
) -> Demands:
    """Demands on answers, as options give them.

    Raises:
        ResnetkitError: for a share that is none, and for a rule of sets without the coverage that they are to have.
    """
    from resnetkit.errors import require
    from resnetkit.recipes.demands import Demands

    require(set_rule is None or bool(coverage), "--set-rule is about sets of classes", fix="add --coverage 0.95")
    return Demands(unknown_at, coverage, set_rule or "lac", precision_at)


def read_settings(
    assignments: list[str] | None, options: Mapping[str, tuple[str, Any]], *, command: str = "train"
) -> dict[str, str]:
    """Settings of ``--set``, as text by path.

    Args:
        options: by option, the field that it sets too and its value; None where it is not given.
        command: whose words are told to those who use another tool's.

    Raises:
        ResnetkitError: for a field that is set twice.
    """
    from resnetkit.config import parse_settings
    from resnetkit.errors import Code, ResnetkitError, require

    assigned = parse_settings(assignments or [])
    fields = {path for path, _ in options.values()}
    for path, value in assigned.items():
        usual = "" if path in fields else ours(path, command, value).removeprefix("--set ")
        if usual and usual.partition("=")[0] != path:  # some are called the same here
            raise ResnetkitError(Code.USAGE, f"unknown field '{path}'", fix=f"--set {usual}" if "=" in usual else usual)
    for option, (path, value) in options.items():
        shown = option if value is True else f"{option} {value}".strip()
        require(
            value is None or path not in assigned,
            f"{path} is set twice: by {shown} and by --set {path}={assigned.get(path)}",
            fix="leave one of them out",
        )
    return assigned
