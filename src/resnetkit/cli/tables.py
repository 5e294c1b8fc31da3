"""Tables on stdout."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Pass the error on to whoever answers it for all commands; rich would exit with 1."""
        raise BrokenPipeError


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal, or where there is none, as wide as it is.

    Cells are shown as they are: the name of a class or file can look like markup or the code of an emoji.
    """
    console = _Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)
