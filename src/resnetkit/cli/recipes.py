"""``resnetkit recipes``."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from resnetkit.cli.completion import offer_recipes
from resnetkit.cli.options import JsonOption
from resnetkit.terminal import say, say_json

if TYPE_CHECKING:
    from resnetkit.recipes.recipe_words import RecipeWords, Use

WIDEST = 110


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Explain this one.", show_default=False, autocompletion=offer_recipes)
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the recipes of train: what each is for, its command, cost and result; with NAME, all it says and sets.

    Costs are those of two CPU cores. Results are top-1 with its 95 % interval, or of several seeds the median with the
    lowest and the highest.

    \b
    Examples:
      resnetkit recipes
      resnetkit recipes quick
      resnetkit recipes photos --json
    """
    from resnetkit.recipes.named import RECIPES
    from resnetkit.recipes.recipe_words import tell_recipe

    if name is not None:
        _explain(tell_recipe(name), as_json=json)
        return
    told = [tell_recipe(one) for one in RECIPES]
    if json:
        say_json([_values(words) for words in told])
        return
    width = max(map(len, RECIPES)) + 2
    for words in told:
        say(f"{words.name:<{width}}{words.purpose}")
        for use in words.uses:
            _print_use(use, " " * width)
    say("", "resnetkit recipes NAME explains one, resnetkit train DATA --recipe NAME trains by it")


def _explain(words: RecipeWords, *, as_json: bool) -> None:
    from resnetkit.cli.tables import print_table
    from resnetkit.recipes.recipe_words import example_base, find_settings

    (base, _), settings = example_base(words.name), find_settings(words.name)
    if as_json:
        fields = [{"field": one.field, "value": one.b, "usual": one.a} for one in settings]
        say_json({**_values(words), "settings_for": base.data.source, "settings": fields})
        return
    say(f"{words.name}: {words.purpose}")
    _print_wrapped(f"{words.way}.")
    for remark in words.remarks:
        say("")
        for line in remark.splitlines():
            _print_wrapped(line)
    for use in words.uses:
        say("")
        _print_use(use, "")
    if words.measured_in:
        say("", f"measured in {words.measured_in}")
    colours = "grey" if base.preprocessing.channels == 1 else "colour"
    say("", f"What it sets, for images like {base.data.source} ({base.preprocessing.image_size_px} px, {colours}):", "")
    print_table(("field", words.name, "without it"), [(one.field, one.b or "–", one.a or "–") for one in settings])


def _values(words: RecipeWords) -> dict[str, object]:
    return {**asdict(words), "uses": [use._asdict() for use in words.uses]}


def _print_use(use: Use, indent: str) -> None:
    """A command on one line, to be copied, and what is known of it."""
    say(f"{indent}command  {use.command}")
    for title, text in (("on", use.data), ("cost", use.cost), ("result", use.result)):
        if text:
            _print_wrapped(f"{title:<9}{text}", indent, hanging=9)


def _print_wrapped(text: str, indent: str = "", *, hanging: int = 0) -> None:
    width = min(shutil.get_terminal_size((100, 24)).columns, WIDEST)
    say(*textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent + " " * hanging))
