"""``resnetkit models``."""

from __future__ import annotations

from typing import Annotated

import typer

from resnetkit.cli.completion import offer_networks
from resnetkit.cli.options import JsonOption
from resnetkit.terminal import say_json


def models(
    pattern: Annotated[
        str, typer.Argument(help="Part of a name or summary, or a shell pattern.", autocompletion=offer_networks)
    ] = "*",
    json: JsonOption = False,
) -> None:
    """List the named networks with their parameters and multiply-adds.

    \b
    Examples:
      resnetkit models
      resnetkit models 'resnet5*'
      resnetkit models tutorial
    """
    from resnetkit.errors import Code, ResnetkitError, did_you_mean
    from resnetkit.models.catalog import CATALOG, list_models

    names = list_models(pattern)
    if not names:
        raise ResnetkitError(Code.USAGE, f"no network matches '{pattern}'", fix=did_you_mean(pattern, CATALOG))

    from resnetkit.anatomy.cost import count_cost

    entries = {name: CATALOG[name] for name in names}
    costs = {name: count_cost(entry.spec, entry.image_size_px) for name, entry in entries.items()}
    shapes = {name: (entry.spec.in_channels, *(entry.image_size_px,) * 2) for name, entry in entries.items()}
    if json:
        rows = [
            {
                "name": name,
                "parameters": cost.parameters,
                "multiply_adds": cost.multiply_adds,
                "input_shape": shapes[name],
                "classes": entries[name].spec.num_classes,
                "summary": entries[name].summary,
            }
            for name, cost in costs.items()
        ]
        say_json(rows)
        return

    from resnetkit.cli.tables import print_table

    lines = []
    for name, cost in costs.items():
        shape = "×".join(map(str, shapes[name]))
        lines.append((name, f"{cost.parameters:,}", f"{cost.multiply_adds / 1e6:,.1f} M", shape, entries[name].summary))
    print_table(("network", "parameters", "multiply-adds", "at", "what it is"), lines, numbers=range(1, 4))
