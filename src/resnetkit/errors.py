"""The one error of the project: what happened, why, and how to fix it.

The command line, JSON output and Python callers all render the same object.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum

from resnetkit.terminal import shown, shown_lines


class Code(IntEnum):
    """Kinds of failure; the value is the process exit code of the command line."""

    CHECK_FAILED = 1
    USAGE = 2
    DATA = 3
    WEIGHTS = 4
    DIVERGED = 5
    IO = 7
    BUG = 70


class ResnetkitError(Exception):
    """A failure the caller can act on.

    >>> error = ResnetkitError(Code.USAGE, "unknown network 'resnet51'", fix="did you mean 'resnet50'?")
    >>> print(error)
    unknown network 'resnet51'
      fix: did you mean 'resnet50'?
    """

    def __init__(self, code: Code, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(code, what, why, fix)
        self.code, self.what, self.why, self.fix = code, what, why, fix

    def __str__(self) -> str:
        lines = [shown(self.what)]
        # Lists in them have lines of their own.
        lines += [f"  why: {shown_lines(self.why)}"] if self.why else []
        lines += [f"  fix: {shown_lines(self.fix)}"] if self.fix else []
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.code, self.what, self.why, self.fix))

    def as_dict(self) -> dict[str, str | int]:
        """The error as JSON-ready values."""
        return {
            "code": int(self.code),
            "kind": self.code.name.lower(),
            "what": self.what,
            "why": self.why,
            "fix": self.fix,
        }


def _rebuild(code: Code, what: str, why: str, fix: str) -> ResnetkitError:
    return ResnetkitError(code, what, why=why, fix=fix)


def require(condition: bool, what: str, *, why: str = "", fix: str = "", code: Code = Code.USAGE) -> None:
    """Raise :class:`ResnetkitError` unless ``condition`` holds."""
    if not condition:
        raise ResnetkitError(code, what, why=why, fix=fix)


def first_line(error: BaseException) -> str:
    """Words of another project's error, without its pages of detail; its kind where it says nothing.

    >>> first_line(RuntimeError("out of memory\\ntried to allocate")), first_line(AssertionError())
    ('out of memory', 'AssertionError')
    """
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def summarize(error: BaseException) -> str:
    """The kind of another project's error and the first line of what it says.

    >>> summarize(RuntimeError("out of memory\\ntried to allocate"))
    'RuntimeError: out of memory'
    """
    return f"{type(error).__name__}: {first_line(error)}"


MOST_CHOICES = 40


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """A suggestion for a mistyped name, or the list of what there is where that is short.

    >>> did_you_mean("resnet51", ["resnet50", "resnet101", "plain20"])
    "did you mean 'resnet50'?"
    >>> did_you_mean("vgg", ["resnet50", "plain20"])
    'choose one of: resnet50, plain20'
    """
    names = list(choices)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if len(names) > MOST_CHOICES:
        nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.0)
        return f"of the {len(names)} there are, the nearest are {', '.join(nearest)}"
    return "choose one of: " + ", ".join(names)
