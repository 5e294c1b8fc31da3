"""``resnetkit find-rate``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnetkit.cli.completion import offer_data, offer_networks, offer_recipes, offer_weights
from resnetkit.cli.options import DataDirOption, DeviceOption, JsonOption, LayoutOption
from resnetkit.cli.settings import read_settings
from resnetkit.terminal import say, say_json, warn

if TYPE_CHECKING:
    from resnetkit.training.rate_range import RateRange

ROWS, BAR = 20, 40


def find_rate(
    data: Annotated[str, typer.Argument(help="A named data set, a folder or a list.", autocompletion=offer_data)],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="A network's name; chosen if left out.", autocompletion=offer_networks),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", "-r", help="A recipe's name; chosen if left out.", autocompletion=offer_recipes),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="A field of the recipe: path.to.field=value; repeatable.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", "-w", help="To start from, as in train.", autocompletion=offer_weights),
    ] = None,
    low: Annotated[
        float | None,
        typer.Option("--from", help="The lowest rate; left out: a ten-thousandth of the recipe's.", show_default=False),
    ] = None,
    high: Annotated[
        float | None,
        typer.Option("--to", help="The highest; left out: a hundred times the recipe's.", show_default=False),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", help="Updates of a sweep.")] = 100,
    sweeps: Annotated[int, typer.Option("--sweeps", help="Sweeps, each of another seed.")] = 5,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="Draw the sweeps into this HTML file.", show_default=False)
    ] = None,
    layout: LayoutOption = None,
    data_dir: DataDirOption = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Sweep the learning rate before training: where the loss falls, is lowest, and runs away (arXiv:1506.01186).

    Several sweeps give a range and how far they agree. Nothing is written but --out.

    \b
    Examples:
      resnetkit find-rate digits
      resnetkit find-rate path/to/photos --out rates.html
      resnetkit find-rate fashion_mnist --recipe tutorial_adam --from 1e-6 --to 1
    """
    from resnetkit.cli.progress import ConsoleListener
    from resnetkit.config import to_dict
    from resnetkit.data.spec import DataSpec
    from resnetkit.errors import require
    from resnetkit.training.automatic_weights import AUTO
    from resnetkit.training.rate_page import write_page
    from resnetkit.training.rate_sweeps import find_rate as find

    require(out is None or not Path(out).exists(), f"{out} exists already", fix="give another name, or remove it")
    options = {"--device": ("runtime.device", None if device == "auto" else device)}
    others = {"DATA": ("data.source", data), "--model": ("model", model), "--layout": ("data.layout", layout)}
    settings = read_settings(set_, options | others, command="train")
    settings |= {path: value for path, value in options.values() if value is not None}
    found = find(
        DataSpec(data, data_dir=data_dir, layout=layout or "auto"),
        model=model,
        recipe=recipe,
        settings=settings,
        weights=weights or AUTO,
        rates=(low, high),
        num_steps=steps,
        num_sweeps=sweeps,
        listener=ConsoleListener(),
    )
    if out is not None:
        write_page(Path(out), found)
    if json:
        values = {"verdict": found.range.verdict, "settings": found.settings, "seconds": found.seconds}
        say_json({**to_dict(found.range), "suggested": found.range.suggested, **values})
        return
    _draw(found.range)
    for text in found.range.warnings:
        warn(text)
    for text in found.sentences():
        say(text)
    if out is not None:
        say(f"page: {shlex.quote(out)}")


def _draw(found: RateRange) -> None:
    """The mean loss of all sweeps over rates, as bars of text."""
    curve = found.mean_curve()
    rows = sorted({round(place * (len(curve) - 1) / (ROWS - 1)) for place in range(ROWS)}) if curve else []
    highest = max((loss for _, loss in curve), default=1.0)
    say("      rate   loss")
    for row in rows:
        rate, loss = curve[row]
        inside = found.low is not None and found.high is not None and found.low <= rate <= found.high
        say(f"{rate:10.3g} {loss:6.3f} {'=' if inside else ' '} {'█' * max(1, round(BAR * loss / highest))}")
