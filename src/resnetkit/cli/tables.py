"""Tables on stdout."""

from __future__ import annotations

import io
import sys
from collections.abc import Container, Iterable, Sequence

from resnetkit.terminal import say_drawn, shown

WIDEST = 10_000


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Container[int] = ()) -> None:
    """Print a table as wide as the terminal, or where there is none, as wide as it is.

    Cells are shown as they are but for control characters: the name of a class or file can look like markup or the code
    of an emoji.

    Args:
        numbers: positions of the columns that stand at the right.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for position, column in enumerate(columns):
        table.add_column(shown(column), justify="right" if position in numbers else "left")
    for row in rows:
        table.add_row(*map(shown, row))
    drawn, is_terminal = io.StringIO(), sys.stdout.isatty()
    width = None if is_terminal else WIDEST
    console = Console(file=drawn, width=width, force_terminal=is_terminal, highlight=False, markup=False, emoji=False)
    console.print(table)
    say_drawn("".join(f"{line.rstrip()}\n" for line in drawn.getvalue().splitlines()))
