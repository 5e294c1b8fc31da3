"""``resnetkit study``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from resnetkit.cli.options import JsonOption
from resnetkit.terminal import say, say_json

if TYPE_CHECKING:
    from resnetkit.study.study import Arm, Budget, Study

StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A shipped study's name, or a .toml file of your own.")
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

    print_table(("study", "what the paper says", "where"), [(s.name, s.title, s.source) for s in studies])


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


def _print_study(opened: Study) -> None:
    from resnetkit.cli.tables import print_table

    say(f"{opened.name}: {opened.title}", " ".join(opened.question.split()), f"source: {opened.source}", "")
    columns = ("arm", "network", "settings", f"published, on {opened.published_on}")
    print_table(columns, [(arm.name, arm.model, _settings(arm), _published(arm)) for arm in opened.arms], numbers=(3,))
    say("", "what the paper says:", *(f"  {claim.says}" for claim in opened.claims), "")
    rows = [_budget(opened, name, budget) for name, budget in opened.budgets.items()]
    print_table(("budget", "data", "recipe", "settings", "runs", "cost"), rows, numbers=(4,))


def _settings(part: Arm | Budget) -> str:
    return " ".join(f"{path}={value}" for path, value in part.settings.items())


def _budget(opened: Study, name: str, budget: Budget) -> tuple[str, ...]:
    arms = len(opened.arms_of(budget))
    runs = f"{arms} × {budget.num_seeds} seed{'s' if budget.num_seeds > 1 else ''}"
    return (name, budget.data, budget.recipe, _settings(budget), runs, budget.cost)


def _published(arm: Arm) -> str:
    if arm.published is None:
        return "–"
    return str(arm.published)
