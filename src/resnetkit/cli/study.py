"""``resnetkit study``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnetkit.cli.completion import offer_data, offer_studies
from resnetkit.cli.options import JsonOption
from resnetkit.terminal import first_few, say, say_json, tell

if TYPE_CHECKING:
    from resnetkit.study.findings import Findings
    from resnetkit.study.study import Arm, Budget, Study

StudyArgument = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="A shipped study's name, or a .toml file of your own.", autocompletion=offer_studies
    ),
]

study = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Rerun the experiments of the papers: networks side by side, over seeds, with an honest verdict.""",
)


@study.command("list", short_help="List the shipped studies.")
def list_(json: JsonOption = False) -> None:
    """List the shipped studies with their questions' titles and their budgets."""
    from resnetkit.study.shipped import list_studies, open_study

    studies = [open_study(name) for name in list_studies()]
    if json:
        rows = [{"name": s.name, "title": s.title, "source": s.source, "budgets": [*s.budgets]} for s in studies]
        say_json(rows)
        return
    from resnetkit.cli.tables import print_table

    print_table(("study", "about", "source"), [(s.name, s.title, s.source) for s in studies])


@study.command("show", short_help="Show a study: question, networks, claims, budgets.")
def show(
    name: StudyArgument,
    json: JsonOption = False,
) -> None:
    """Show what a study asks, which networks it trains, what the paper says, and what each budget costs.

    \b
    Examples:
      resnetkit study show degradation
      resnetkit study show my_study.toml --json
    """
    from resnetkit.study.checks import check_study
    from resnetkit.study.shipped import open_study

    opened = open_study(name)
    check_study(opened)
    if json:
        from resnetkit.config import to_dict

        say_json(to_dict(opened) | {"digest": opened.digest})
        return
    _print_study(opened)


@study.command("run", short_help="Train a study's networks, or go on with them, and conclude.")
def run(
    name: Annotated[
        str,
        typer.Argument(
            metavar="STUDY",
            help="A shipped study's name, a .toml file of your own, or the folder of a study to go on with.",
            autocompletion=offer_studies,
        ),
    ],
    budget: Annotated[
        str | None,
        typer.Option("--budget", "-b", help="smoke, minutes, hours, paper, or one of yours; left out: smoke."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="Train on this named data set or folder.", show_default=False, autocompletion=offer_data
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Runs of each network.", show_default=False)] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", help="Runs side by side; left out: one for each free core, on a GPU up to 4."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The study's folder; left out: studies/NAME-BUDGET.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", help="Compute on a Ray cluster: local, auto or HOST:PORT.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train the networks of a study side by side, for every seed, and say what they show of its claims.

    A study that was stopped, or killed, goes on where it was when the same command is given again. Ctrl-C stops all
    runs, each after a checkpoint. Results do not depend on how many runs go side by side.

    \b
    Examples:
      resnetkit study run degradation
      resnetkit study run degradation --budget minutes
      resnetkit study run degradation --data path/to/photos --seeds 5
      resnetkit study run my_study.toml --budget hours --jobs 2
      resnetkit study run studies/degradation-minutes
    """
    from resnetkit.cli.study_progress import ConsoleStudyListener
    from resnetkit.study.running import run_study
    from resnetkit.training.interruption import Interrupted

    listener = ConsoleStudyListener()
    try:
        findings = run_study(
            name, budget=budget, data=data, num_seeds=seeds, num_jobs=jobs, out=out, place=ray, listener=listener
        )
    except Interrupted as interruption:
        tell(f"{interruption}, after all runs have written a checkpoint; the same command goes on")
        raise typer.Exit(128 + interruption.signal_number) from None
    _print_findings(findings, as_json=json)


@study.command("report", short_help="Conclude from what there is of a study.")
def report(
    folder: Annotated[Path, typer.Argument(help="The study's folder.", show_default=False)],
    json: JsonOption = False,
) -> None:
    """Write the page of a study from the runs that are there, and say what is missing.

    \b
    Examples:
      resnetkit study report studies/degradation-smoke
    """
    from resnetkit.study.running import report_study

    _print_findings(report_study(folder), as_json=json)


def _print_findings(findings: Findings, *, as_json: bool) -> None:
    if as_json:
        say_json(findings.as_values())
        return
    from resnetkit.cli.tables import print_table
    from resnetkit.study.reading_words import TITLES, estimate_words, published_words

    opened = findings.record.study
    for finding in findings.claims:
        say(finding.sentence, *([f"  {finding.figures}"] if finding.figures else []))
    say("")
    published = [f"published, on {opened.published_on}"] if opened.has_figures else []
    columns = ("arm", *(TITLES[reading] for reading in opened.all_readings), *published, "runs")
    rows = []
    for arm in findings.arms:
        done = f"{sum(one.is_done for one in arm.outcomes)} of {len(arm.outcomes)}"
        done += f", {arm.num_diverged} did not converge" if arm.num_diverged else ""
        words = [estimate_words(reading, arm.estimates[reading]) for reading in opened.all_readings]
        words += [published_words(arm.arm.published)] if published else []
        rows.append((arm.arm.name, *words, done))
    print_table(columns, rows, numbers=range(1, len(columns)))
    say("", *(f"note  {remark}" for remark in findings.remarks))
    if findings.to_do:
        say(f"note  not finished: {first_few(f'{one.job} ({one.status})' for one in findings.to_do)}")
    say(f"page  {findings.page}")


def _print_study(opened: Study) -> None:
    from resnetkit.cli.tables import print_table
    from resnetkit.study.reading_words import published_words

    words = (" ".join(text.split()) for text in (opened.question, opened.why) if text)
    say(f"{opened.name}: {opened.title}", *words, f"source: {opened.source}", "")
    table = {"arm": [arm.name for arm in opened.arms], "network": [arm.model for arm in opened.arms]}
    if any(arm.settings for arm in opened.arms):
        table["settings"] = [_settings(arm) for arm in opened.arms]
    if opened.has_figures:
        table[f"published, on {opened.published_on}"] = [published_words(arm.published) for arm in opened.arms]
    numbers = [len(table) - 1] if opened.has_figures else []
    print_table([*table], list(zip(*table.values(), strict=True)), numbers=numbers)
    if opened.claims:
        heading = "what it claims:" if opened.is_ours else "what the paper says:"
        say("", heading, *(f"  {claim.says}" for claim in opened.claims))
    for name, budget in opened.budgets.items():
        say("", *_budget_lines(opened, name, budget))


def _settings(part: Arm | Budget) -> str:
    return " ".join(f"{path}={value}" for path, value in part.settings.items())


def _budget_lines(opened: Study, name: str, budget: Budget) -> list[str]:
    num_arms = len(opened.arms_of(budget))
    seeds = f"{budget.num_seeds} seed{'s' if budget.num_seeds > 1 else ''}"
    lines = [f"budget {name}: {num_arms} networks × {seeds} on {budget.data}, recipe {budget.recipe}"]
    lines += [f"  {' '.join(budget.note.split())}"] if budget.note else []
    lines += [f"  arms      {', '.join(budget.arms)}"] if budget.arms else []
    replaced = (f"{ours} for {theirs}" for theirs, ours in budget.networks.items())
    lines += [f"  networks  {', '.join(replaced)}"] if budget.networks else []
    lines += [f"  settings  {_settings(budget)}"] if budget.settings else []
    return [*lines, f"  cost      {budget.cost}"]
