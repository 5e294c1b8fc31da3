"""``resnetkit report``."""

from __future__ import annotations

from typing import Annotated

import typer

from resnetkit.cli.completion import offer_runs
from resnetkit.cli.options import JsonOption
from resnetkit.terminal import say, say_json, tell


def report(
    run: Annotated[str, typer.Argument(help="A run's folder.", autocompletion=offer_runs)],
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="A new file; left out: report.html of the run.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Draw the report of a run anew, from what is stored of it: one page that opens offline.

    Runs of earlier versions get the page of this one; of a run that has not finished, the page has its curves so far.
    Images are read again where the data still are.

    \b
    Examples:
      resnetkit report runs/0001-resnet20-digits
      resnetkit report runs/0001-resnet18-photos --out for_my_colleagues.html
    """
    from resnetkit.explanation.run_report import draw_report

    drawn = draw_report(run, out)
    if json:
        say_json({"report": str(drawn.path), "notes": list(drawn.notes)})
        return
    for note in drawn.notes:
        tell(f"note: {note}")
    say(f"report {drawn.path}")
