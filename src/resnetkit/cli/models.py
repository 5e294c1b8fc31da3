"""``resnetkit models``."""

from __future__ import annotations

from typing import Annotated

import typer

from resnetkit.cli.options import JsonOption


def models(
    pattern: Annotated[str, typer.Argument(help="Part of a name or summary, or a shell pattern.")] = "*",
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
    from resnetkit.models.catalog import CATALOG, find_names

    names = find_names(pattern)
    if not names:
        raise ResnetkitError(Code.USAGE, f"no network matches '{pattern}'", fix=did_you_mean(pattern, CATALOG))

    from resnetkit.models.cost import count_cost

    entries = {name: CATALOG[name] for name in names}
    costs = {name: count_cost(entry.spec, entry.image_size_px) for name, entry in entries.items()}
    shapes = {name: (entry.spec.in_channels, *(entry.image_size_px,) * 2) for name, entry in entries.items()}
    if json:
        import json as json_module

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
        typer.echo(json_module.dumps(rows))
        return

    from rich.table import Table

    from resnetkit.cli.tables import print_table

    table = Table("network", box=None)
    for column in ("parameters", "multiply-adds", "at"):
        table.add_column(column, justify="right")
    table.add_column("what it is")
    for name, cost in costs.items():
        shape = "×".join(map(str, shapes[name]))
        table.add_row(name, f"{cost.parameters:,}", f"{cost.multiply_adds / 1e6:,.1f} M", shape, entries[name].summary)
    print_table(table)
