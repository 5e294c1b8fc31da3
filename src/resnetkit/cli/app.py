"""The command line: parse, one library call, print. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import typer
from typer.core import TyperGroup

from resnetkit.cli import (
    analyze,
    audit,
    benchmark,
    calibrate,
    compare,
    convert,
    demo,
    describe,
    evaluate,
    explain,
    export,
    find_rate,
    models,
    predict,
    push,
    recipes,
    report,
    runs,
    serve,
    study,
    train,
    weights,
)
from resnetkit.cli.foreign import ours
from resnetkit.cli.program import program
from resnetkit.cli.streams import OutputClosed, safe_streams
from resnetkit.cli.surroundings import check_surroundings
from resnetkit.errors import Code, ResnetkitError, did_you_mean, first_line
from resnetkit.terminal import say, say_json, tell
from resnetkit.training.interruption import Interrupted

UsageError: Any = typer.BadParameter.__mro__[1]  # typer has a copy of click, and an older one has click itself

# Idle OpenMP threads spin for some microseconds, then sleep: spinning on costs most of the speed where the machine does
# anything else, sleeping at once a third of it everywhere (benchmarks/notes.md). Read when torch is loaded.
OPENMP_SETTINGS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}

# Shells ask by this variable what may follow. Scripts for them are of the command's name, however it was called to
# print them: a path would be good in one folder only.
COMPLETION = "_RESNETKIT_COMPLETE"
COMPLETION_OPTIONS = {"--install-completion", "--show-completion"}

EXIT_CODES = (
    "Exit codes: 0 ok, 1 check failed, 2 usage, 3 data, 4 weights or checkpoint, 5 training diverged, "
    "7 input/output, 70 bug, 130 and 143 stopped by SIGINT and SIGTERM."
)


class Commands(TyperGroup):
    """The commands; Ctrl-C is answered here, because typer left to itself says nothing."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was asked for."""
        try:
            check_surroundings(sys.argv[1] if len(sys.argv) > 1 else None)
            return super().invoke(ctx)
        except Interrupted as interruption:  # of whichever command trains
            tell(f"{interruption}, after writing a checkpoint")
            raise typer.Exit(128 + interruption.signal_number) from None
        except KeyboardInterrupt:
            tell("stopped")
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Commands,
    name="resnetkit",
    help="Residual networks: define, inspect, train, evaluate and use them.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(version("resnetkit"))
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version, is_eager=True),
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks; works after any command too."),
) -> None:
    """Residual networks: define, inspect, train, evaluate and use them."""


# In the order of the help, with what it says in a line.
COMMANDS: dict[Callable[..., None], str] = {
    demo.demo: "Train on digits, score and classify: the main job in a minute.",
    audit.audit: "Look for what is wrong with images and labels before training.",
    train.train: "Train a classifier; network and recipe are chosen for the data.",
    calibrate.calibrate: "Fit a classifier's probabilities and thresholds to labelled images.",
    find_rate.find_rate: "Sweep the learning rate before training: a range, drawn.",
    evaluate.evaluate: "Score a classifier, with 95 % intervals.",
    report.report: "Draw the report of a run anew: a page to work in.",
    predict.predict: "Classify images: a row per file with its status.",
    explain.explain: "Show what in an image an answer rests on.",
    serve.serve: "Answer over HTTP: a page, JSON, and the Open Inference Protocol.",
    convert.convert: "Turn third-party weights into a classifier, or back.",
    export.export: "Export a classifier as a folder that stands alone, with proof.",
    push.push: "Push a finished run to the Hugging Face hub, with a model card.",
    models.models: "List the named networks with their cost.",
    recipes.recipes: "List the recipes of train, or explain one.",
    describe.describe: "Show a network stage by stage, or draw it.",
    compare.compare: "Show what differs between two networks, files or runs.",
    analyze.analyze: "Show why a network works: the papers' figures, measured on it.",
    benchmark.benchmark: "Measure speed, memory and FLOP/s here.",
}
for command, summary in COMMANDS.items():
    app.command(short_help=summary)(command)
# Commands of commands.
GROUPS: dict[str, tuple[typer.Typer, str]] = {
    "weights": (weights.weights, "List, get or import published weights to start from."),
    "runs": (runs.runs, "List runs with scores and state, or show in what two differ."),
    "study": (study.study, "Rerun the experiments of the papers, with an honest verdict."),
}
for name, (group, summary) in GROUPS.items():
    app.add_typer(group, name=name, short_help=summary)


def main() -> None:
    """Run the command line and exit with the code of what happened."""
    for name, value in OPENMP_SETTINGS.items():
        os.environ.setdefault(name, value)
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    with safe_streams():
        code = _run(debug=debug)
    sys.exit(code)


def _run(*, debug: bool) -> int:
    """Run the command and tell what happened; the exit code."""
    try:
        try:
            is_for_shells = COMPLETION in os.environ or COMPLETION_OPTIONS.intersection(sys.argv)
            name = "resnetkit" if is_for_shells else program()
            return app(prog_name=name, complete_var=COMPLETION, standalone_mode=False) or 0
        finally:
            sys.stdout.flush()  # while it can still be told that this fails
    except OutputClosed:
        return 0
    except UsageError as error:
        return _tell_usage(error)
    except ResnetkitError as error:
        if debug:
            _tell_traceback()
        if "--json" in sys.argv:
            with suppress(ResnetkitError, OutputClosed):
                say_json({"error": error.as_dict()})
        _tell_lines(f"error: {error}")
        return int(error.code)
    except MemoryError as error:
        if debug:
            _tell_traceback()
        _tell_lines(
            f"error: out of memory\n  why: {first_line(error)}\n  fix: smaller batches or images, or fewer workers"
        )
        return int(Code.IO)
    except Exception as error:
        if debug:
            _tell_traceback()
        tell(f"bug: {type(error).__name__}: {error}")
        tell("  fix: please report this, with the output of the same command and --debug")
        return int(Code.BUG)


def _tell_usage(error: Any) -> int:
    """Say in our words what typer found wrong with a command, or give its help where it has no arguments at all."""
    context = error.ctx
    if context is not None and not sys.argv[1:]:
        _tell_lines(context.get_help())
        return int(Code.USAGE)
    command = "resnetkit" if context is None else context.command_path
    unknown = getattr(error, "option_name", None)
    if unknown is None or not isinstance(unknown, str) or context is None:
        _tell_lines(f"error: {error.format_message()}\n  fix: {command} --help lists what there is")
        return int(Code.USAGE)
    known = [option for parameter in context.command.params for option in parameter.opts if option.startswith("--")]
    fix = ours(unknown, context.info_name or "", _value_of(unknown)) or did_you_mean(unknown, known)
    _tell_lines(f"error: {command} has no option {unknown}\n  fix: {fix}")
    return int(Code.USAGE)


def _value_of(option: str) -> str:
    """Value that was given with an option, where it is a plain word or number."""
    following = [*sys.argv[1:], ""]
    values = [following[i + 1] for i, word in enumerate(following) if word == option]
    values += [word.removeprefix(f"{option}=") for word in following if word.startswith(f"{option}=")]
    return values[0] if values and re.fullmatch(r"[\w.][\w./-]*", values[0]) else ""


def _tell_traceback() -> None:
    import traceback

    _tell_lines(traceback.format_exc())


def _tell_lines(text: str) -> None:
    for line in text.rstrip().split("\n"):
        tell(line)
