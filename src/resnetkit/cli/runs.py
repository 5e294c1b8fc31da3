"""``resnetkit runs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from resnetkit.cli.completion import offer_runs
from resnetkit.cli.options import JsonOption
from resnetkit.cli.program import program
from resnetkit.pages.formatting import percent_digits, plain_percent
from resnetkit.terminal import csv_line, first_few, for_programs, say, say_json, warn

if TYPE_CHECKING:
    from resnetkit.pages.differences import ValueDifference
    from resnetkit.runs.listing import RunRow

MOST_DIFFERENCES = 3  # told in the table; JSON and CSV have all


class ListsByDefault(TyperGroup):
    """Commands, of which ``list`` is meant where none is named: what follows is then a folder, or an option of it."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Name the command that is meant."""
        is_named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if is_named else ["list", *args])


runs = typer.Typer(
    cls=ListsByDefault,
    rich_markup_mode=None,
    help="""List all runs below a folder, or show in what two differ. `resnetkit runs FOLDER` lists; for a folder called
list or diff, write ./list or ./diff.""",
)


@runs.command("list", short_help="List all runs below a folder; meant where no command is named.")
def list_(
    folder: Annotated[str, typer.Argument(help="Where they are, also in folders of repeats or studies.")] = "runs",
    sort: Annotated[
        str, typer.Option("--sort", help="A column of --json, e.g. test_top1; scores, times and dates: highest first.")
    ] = "run",
    top: Annotated[int | None, typer.Option("--top", help="Only the first so many.", show_default=False)] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout, with all columns.")] = False,
    json: JsonOption = False,
) -> None:
    """List all runs below a folder: data, network, what differs in the recipe, score, time, and state.

    What differs is told against the value that most of the listed runs on the same data have. Runs that were
    interrupted, have diverged or are damaged are there too.

    \b
    Examples:
      resnetkit runs
      resnetkit runs runs/0001-resnet20-digits-5-seeds --sort test_top1
      resnetkit runs --sort seconds --top 5 --csv
      resnetkit runs diff runs/0001-resnet20-digits runs/0002-resnet20-digits
    """
    from resnetkit.errors import require
    from resnetkit.runs.listing import list_runs

    require(not (csv and json), "--csv and --json are two forms of the same", fix="leave one out")
    rows, unread = list_runs(Path(folder), sort=sort, most=top)
    if unread:
        warn(f"not looked into: {first_few(unread)}")
    if json:
        say_json([row.as_values() for row in rows])
    elif csv:
        _print_csv(rows)
    elif rows:
        _print_rows(rows, Path(folder))
    else:
        say(f"no runs below {folder}", f"next  {program()} train DATA")


@runs.command(short_help="Show in what two runs differ.")
def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run folder.", autocompletion=offer_runs)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another.", autocompletion=offer_runs)],
    json: JsonOption = False,
) -> None:
    """Show in what two runs differ, and nothing else: values of the recipe, images, weights, machine and versions.

    Which of the two is better: resnetkit compare A B.

    \b
    Examples:
      resnetkit runs diff runs/0001-resnet20-digits runs/0002-resnet20-digits
    """
    from resnetkit.runs.differences import differing_records
    from resnetkit.runs.folder import RunFolder

    found = differing_records(RunFolder(a).read_record(), RunFolder(b).read_record())
    if json:
        say_json({"a": str(a), "b": str(b), **found.as_values()})
        return
    parts = (
        ("recipe", found.recipe),
        ("images", found.data),
        ("weights", found.weights),
        ("machine and versions", found.environment),
    )
    if found.is_empty:
        say("they began alike: nothing differs in recipe, images, weights, machine and versions")
    for title, values in parts:
        if values:
            _print_values(title, values, a, b)


def _print_values(title: str, values: tuple[ValueDifference, ...], a: Path, b: Path) -> None:
    from resnetkit.cli.tables import print_table

    lines = [(one.field, "–" if one.a is None else one.a, "–" if one.b is None else one.b) for one in values]
    print_table((title, str(a), str(b)), lines)


def _print_csv(rows: list[RunRow]) -> None:
    from resnetkit.runs.listing import COLUMNS

    lines = [csv_line(COLUMNS)]
    for row in rows:
        values: dict[str, Any] = row.as_values()
        values["differs"] = " ".join(f"{path}={value}" for path, value in row.differs.items())
        lines.append(csv_line("" if value is None else str(value) for value in values.values()))
    for_programs().write("".join(lines))


def _print_rows(rows: list[RunRow], folder: Path) -> None:
    from resnetkit.cli.tables import print_table

    columns = ("run", "data", "network", "recipe", "top-1 (95 % interval)", "of", "time", "started", "status")
    print_table(columns, [_cells(row, folder) for row in rows])
    damaged = [row for row in rows if row.status == "damaged"]
    for row in damaged:
        say(f"damaged: {row.run}: {row.reason}")
    if any(row.split == "val" and row.val_chose for row in rows):
        say("* its images chose the epoch: a little too good")


def _cells(row: RunRow, folder: Path) -> tuple[str, ...]:
    from resnetkit.pages.formatting import duration

    top1 = row.top1
    name = str(row.run.relative_to(folder)) if row.run != folder else str(row.run)
    changes = first_few([f"{path}={value}" for path, value in row.differs.items()], MOST_DIFFERENCES)
    chose = "*" if row.split == "val" and row.val_chose else ""
    return (
        name,
        row.data or "–",
        row.network or "–",
        " · ".join(part for part in (row.recipe, changes) if part) or "–",
        "–"
        if top1 is None
        else f"{plain_percent(top1.value, 2)} ({percent_digits(top1.low, 2)} to {percent_digits(top1.high, 2)})",
        "–" if top1 is None else f"{top1.num_images:,} {row.split}{chose}",
        "–" if row.seconds is None else duration(row.seconds),
        "–" if row.started is None else f"{row.started.astimezone():%Y-%m-%d %H:%M}",
        _state(row),
    )


def _state(row: RunRow) -> str:
    """The state that a run is in, and how far it has come where that is not the end."""
    if row.status in ("finished", "damaged"):
        return row.status
    return row.status if row.epoch is None else f"{row.status}, epoch {row.epoch} of {row.epochs}"
