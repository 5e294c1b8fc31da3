"""Standard streams that a command can rely on, whatever the shell gave it."""

from __future__ import annotations

import codecs
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from resnetkit.errors import ResnetkitError

# Our own signs, for terminals that lack them; of the names of others, what is lacking is escaped.
LOOK_ALIKES = dict(zip("–—−×·•─━│┃┌┐└┘├┤┬┴┼╴▼●²∞≈", "---x.*--||+++++++++-v*2?~", strict=True))
LOOK_ALIKES |= dict.fromkeys("█▉▊▋▌▍▎▏", "#")
LOOK_ALIKES |= {"…": "...", "→": "->", "←": "<-", "≥": ">=", "≤": "<=", "±": "+-", "⊕": "(+)", "⊗": "(x)"}


class OutputClosed(Exception):  # noqa: N818 - nothing is wrong
    """Whoever read the output has gone, as ``| head`` does; there is nobody left to tell."""


class _Output(io.FileIO):
    """A standard stream that fails in our words, and only once.

    No OSError, so that none of those who answer one in their own way, as click does, gets it.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._name, self._has_failed = name, False

    def write(self, content: Any, /) -> int:
        """Write what the stream takes; after a failure, nothing."""
        from resnetkit.files import io_errors

        if self._has_failed:
            return len(content)
        try:
            with io_errors(f"write to {self._name}"):
                while (written := super().write(content)) is None:
                    select.select([], [self], [])  # somebody who has the other end made it return at once
                return written
        except ResnetkitError as error:
            self._has_failed = True
            if self._name == "stderr":  # what is told there is no answer: the work goes on
                return len(content)
            if isinstance(error.__cause__, BrokenPipeError):
                raise OutputClosed from None
            raise


@contextmanager
def safe_streams() -> Iterator[None]:
    """Within the block, text that stdout and stderr cannot encode is written with other signs; stdout that cannot be
    written to is a :class:`ResnetkitError` or, where nobody reads any more, :class:`OutputClosed`; and stderr that
    cannot is passed over.
    """
    codecs.register_error("look alike", _look_alike)
    _open_closed_streams()
    before = sys.stdout, sys.stderr
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape", newline="\n")  # a path may hold any bytes but this
    sys.stdout, sys.stderr = _safe(sys.stdout, "stdout"), _safe(sys.stderr, "stderr")
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(ResnetkitError, OutputClosed):
                stream.flush()
        sys.stdout, sys.stderr = before


def _safe(stream: TextIO, name: str) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.reconfigure(errors="look alike")
    try:
        descriptor = stream.fileno()
    except OSError:  # it lies in memory
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(descriptor, name)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,  # python -u: lines are enough, but at once
    )


def _open_closed_streams() -> None:
    """Give streams that the shell closed (``>&-``) something to stand on: else the next file that is opened has their
    number, and what a library prints goes into it. Stdin is empty then, and stdout cannot be written to.
    """
    for number, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, flags)
            if opened != number and not _is_open(number):
                os.dup2(opened, number)
            setattr(sys, name, os.fdopen(opened, "r" if number == 0 else "w", encoding="utf-8"))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _look_alike(error: UnicodeError) -> tuple[str, int]:
    """Signs that look alike, else an escape, for what cannot be encoded."""
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    return "".join(LOOK_ALIKES.get(sign) or ascii(sign)[1:-1] for sign in signs), error.end
