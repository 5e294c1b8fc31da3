"""The one way out: everything that is said to people, on stdout and stderr, and what is written there for programs.

Names of files, classes and tensors come from anywhere, and a terminal obeys what they hold. So people are shown control
characters escaped, as ``\\x1b``. Programs get CSV and JSON without any loss, as UTF-8 whatever the locale.
"""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TextIO

from resnetkit.jupyter import LiveOutput, in_notebook

# What moves the cursor, changes the direction of writing, ends a line, is not seen, or stands for a byte that is no
# UTF-8. Not the joiners that Persian and emoji are written with.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
# Up to the last @ before a path: passwords may hold one.
_USERINFO = re.compile(r"(?<=://)[^/\s?#]*@")

SHOWN_NAMES = 10


def shown(text: str) -> str:
    r"""A text as people may see it, on one line: control characters are escaped, and credentials left out.

    >>> shown("cat\x1b[2J\n.png"), shown("caf\udce9")
    ('cat\\x1b[2J\\n.png', 'caf\\udce9')
    """
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], without_credentials(text))


def without_credentials(text: str) -> str:
    """A text without the user names and passwords in its addresses.

    >>> without_credentials("http://ada:secret@host:5000/runs, hf://timm/resnet18@v1")
    'http://host:5000/runs, hf://timm/resnet18@v1'
    """
    return _USERINFO.sub("", text)


def quoted(name: str) -> str:
    """A name in quotation marks; what cannot be seen in it is escaped.

    >>> print(quoted("cat"), quoted("caf\\u00e9"), quoted("a\\u200bb"), quoted("cat "))
    'cat' 'café' 'a\\u200bb' 'cat '
    """
    return f"'{shown(name)}'"


def listed(names: Iterable[str], limit: int = SHOWN_NAMES) -> str:
    """Names in quotation marks for a sentence, the first few of many.

    >>> listed(["cat", "dog"]), listed(["a", "b", "c"], 2)
    ("'cat', 'dog'", "'a', 'b' and 1 more")
    """
    return first_few(map(quoted, names), limit)


def first_few(parts: Iterable[str], limit: int = SHOWN_NAMES) -> str:
    """Parts of a sentence with commas between them, the first few of many."""
    parts = list(parts)
    text = ", ".join(parts[:limit])
    return text if len(parts) <= limit else f"{text} and {len(parts) - limit:,} more"


def shown_lines(text: str) -> str:
    """A text of several lines of ours as people may see it."""
    return "\n".join(map(shown, text.split("\n")))


def say(*lines: str) -> None:
    """Print lines of a command's answer on stdout; an empty one for none."""
    print("\n".join(map(shown, lines)))


def say_drawn(text: str) -> None:
    """Print what :func:`shown` has been through already and has styles of ours in it."""
    sys.stdout.write(text)


def tell(text: str, *, stands_out: bool = False) -> None:
    """Print a line about the work on stderr."""
    _clear_live_line()
    line = shown(text)
    print(f"\x1b[33m{line}\x1b[0m" if stands_out and _has_colors() else line, file=sys.stderr)


def warn(text: str) -> None:
    """Print a line that the user should look at on stderr."""
    tell(f"warning: {text}", stands_out=True)


_live_line_open = False


def is_live() -> bool:
    """Tell whether a line on stderr can be written over."""
    return sys.stderr.isatty()


def tell_live(text: str) -> None:
    """Show a line on a terminal's stderr until the next is told."""
    global _live_line_open
    from shutil import get_terminal_size

    width = get_terminal_size().columns
    sys.stderr.write(f"\r\x1b[2K{shown(text)[: width - 1]}")
    sys.stderr.flush()
    _live_line_open = True


def _clear_live_line() -> None:
    global _live_line_open
    if _live_line_open:
        sys.stderr.write("\r\x1b[2K")
        _live_line_open = False


def _has_colors() -> bool:
    return is_live() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


Unit = Literal["count", "bytes"]
NOTEBOOK_SECONDS = 0.2  # between two states of a bar there


@contextmanager
def progress_bar(
    words: str, total: int | None, *, unit: Unit = "count", done: int = 0, wanted: bool = True
) -> Iterator[Callable[[int], None]]:
    """A bar in a notebook or on a terminal's stderr within the block; gives what moves it on by so many."""
    if not wanted or not (in_notebook() or is_live()):
        yield lambda more: None
        return
    make = _bar_in_notebook if in_notebook() else _bar_on_terminal
    with make(shown(words), total, unit, done) as advance:
        yield advance


@contextmanager
def _bar_on_terminal(words: str, total: int | None, unit: Unit, done: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    units = {
        "count": (MofNCompleteColumn(), TimeRemainingColumn()),
        "bytes": (DownloadColumn(), TransferSpeedColumn()),
    }
    columns = (TextColumn("{task.description}"), BarColumn(), *units[unit])
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(words), total=total, completed=done)
        yield lambda more: bar.advance(task, more)


@contextmanager
def _bar_in_notebook(words: str, total: int | None, unit: Unit, done: int) -> Iterator[Callable[[int], None]]:
    output, last_shown = LiveOutput(), -NOTEBOOK_SECONDS

    def amount(number: int) -> str:
        return f"{number / 1e6:,.1f} MB" if unit == "bytes" else f"{number:,}"

    def advance(more: int) -> None:
        nonlocal done, last_shown
        done += more
        if time.monotonic() - last_shown < NOTEBOOK_SECONDS:
            return
        last_shown = time.monotonic()
        text = f"{words} {amount(done)}" + ("" if total is None else f" of {amount(total)}")
        place = "" if total is None else f' value="{done}" max="{total}"'
        output.show(f"<progress{place}></progress> {html.escape(text)}", text)

    advance(0)
    try:
        yield advance
    finally:
        output.show("", "")  # as on a terminal, nothing is left of it


def for_programs() -> TextIO:
    """Stdout as UTF-8, whatever the locale; the name of a file that is not UTF-8 comes out in its own bytes."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    return sys.stdout


def csv_line(cells: Iterable[str]) -> str:
    r"""A row of CSV with its end of line, as any reader reads it back.

    >>> csv_line(["a,b", "c"]), csv_line(["a\rb", "c"])
    ('"a,b",c\n', '"a\rb","c"\n')
    """
    row, text = list(cells), io.StringIO()
    # A lone carriage return would be left bare, and then not read.
    is_odd = any("\r" in cell for cell in row)
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if is_odd else csv.QUOTE_MINIMAL).writerow(row)
    return text.getvalue()


def json_text(value: Any) -> str:
    r"""A value as a line of JSON for programs.

    A text that holds bytes of another encoding has no form in UTF-8: there, and only there, other scripts are escaped.

    >>> print(json_text({"class": "caf\u00e9"}), json_text(["caf\udce9"]))
    {"class": "café"} ["caf\udce9"]
    """
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if re.search("[\ud800-\udfff]", text) else text


def say_json(value: Any) -> None:
    """Print a value as a line of JSON, at once."""
    print(json_text(value), file=for_programs(), flush=True)


def tell_json(value: Any) -> None:
    r"""Print a value as a line of JSON on stderr, in ASCII and without control characters: what a log is made of."""
    print(json.dumps(value).replace("\x7f", "\\u007f"), file=sys.stderr)
