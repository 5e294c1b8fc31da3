"""The command line: parse, one library call, print. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from resnetkit.cli import benchmark, compare, convert, demo, describe, evaluate, models, predict, train
from resnetkit.errors import Code, ResnetkitError

# Idle OpenMP threads spin for some microseconds, then sleep: spinning on costs most of the speed where the machine does
# anything else, sleeping at once a third of it everywhere (benchmarks/notes.md). Read when torch is loaded.
OPENMP_SETTINGS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}

EXIT_CODES = (
    "Exit codes: 0 ok, 1 check failed, 2 usage, 3 data, 4 weights or checkpoint, 5 training diverged, "
    "7 input/output, 70 bug, 130 and 143 stopped by SIGINT and SIGTERM."
)


class Commands(TyperGroup):
    """The commands, which end in our words when the user or the reader of their output leaves early.

    Left to itself, typer says nothing after Ctrl-C, and for a closed pipe it exits with 1: here, a failed check.
    """

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was asked for."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader has gone, as `| head` does; there is nobody left to tell
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit from None
        return result


app = typer.Typer(
    cls=Commands,
    name="resnetkit",
    help="Residual networks: define, inspect, train, evaluate and use them.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("resnetkit"))
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version, is_eager=True),
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks; works after any command too."),
) -> None:
    """Residual networks: define, inspect, train, evaluate and use them."""


app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("convert")(convert.convert)
app.command("models")(models.models)
app.command("describe")(describe.describe)
app.command("compare")(compare.compare)
app.command("benchmark")(benchmark.benchmark)


def main() -> None:
    """Run the command line and exit with the code of what happened."""
    for name, value in OPENMP_SETTINGS.items():
        os.environ.setdefault(name, value)
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    try:
        app()
    except ResnetkitError as error:
        if debug:
            traceback.print_exc()
        if "--json" in sys.argv:
            print(json.dumps({"error": error.as_dict()}))
        print(f"error: {error}", file=sys.stderr)
        sys.exit(int(error.code))
    except Exception as error:
        if debug:
            traceback.print_exc()
        print(
            f"bug: {type(error).__name__}: {error}\n  fix: please report this, with the output of the same command "
            "and --debug",
            file=sys.stderr,
        )
        sys.exit(int(Code.BUG))
