"""``resnetkit describe``."""

from __future__ import annotations

from typing import Annotated

import typer

from resnetkit.cli.options import JsonOption


def describe(
    name: Annotated[str, typer.Argument(help="A network's name.")],
    image_size: Annotated[
        int | None, typer.Option("--image-size", help="Pixels; left out: what it was made for.", show_default=False)
    ] = None,
    channels: Annotated[int | None, typer.Option("--channels", help="Input channels.", show_default=False)] = None,
    classes: Annotated[int | None, typer.Option("--classes", help="Number of classes.", show_default=False)] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="A field of the network: path.to.field=value; repeatable.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show a network stage by stage: output shapes, blocks, kernels and strides, parameters, multiply-adds.

    \b
    Examples:
      resnetkit describe resnet50
      resnetkit describe resnet20 --image-size 28 --channels 1
      resnetkit describe resnet18 --set block.join.kind=scaled_add --set 'widths=[32,64,128,256]'
    """
    from resnetkit.config import override, parse_settings, to_dict
    from resnetkit.errors import require
    from resnetkit.models import description
    from resnetkit.models.catalog import find_entry

    entry = find_entry(name)
    settings: dict[str, object] = {}
    if channels is not None:
        settings["in_channels"] = channels
    if classes is not None:
        settings["num_classes"] = classes
    spec = override(entry.spec, settings | parse_settings(set_ or []))
    size = entry.image_size_px if image_size is None else image_size
    require(size >= 8, f"--image-size must be at least 8, got {size}")
    table = description.describe(spec, size)
    if json:
        import json as json_module

        totals = {"parameters": table.parameters, "multiply_adds": table.multiply_adds}
        content = {"name": name, "summary": entry.summary, "input_shape": table.input_shape, **totals}
        typer.echo(json_module.dumps({**content, "rows": description.as_rows(table), "spec": to_dict(spec)}))
        return
    _print_table(name, entry.summary, table)


def _print_table(name: str, summary: str, table) -> None:  # type: ignore[no-untyped-def]
    from rich.table import Table

    from resnetkit.cli.tables import print_table

    shape = "×".join(map(str, table.input_shape))
    typer.echo(f"{name}: {summary}\ninput {shape} (channels × height × width)")
    grid = Table("stage", "output", "blocks", "kernels and channels", box=None)
    grid.add_column("parameters", justify="right")
    grid.add_column("multiply-adds", justify="right")
    for row in table.rows:
        grid.add_row(
            row.name,
            "×".join(map(str, row.output_shape)),
            row.blocks,
            row.layers,
            f"{row.parameters:,}",
            f"{row.multiply_adds:,}",
        )
    grid.add_section()
    grid.add_row("total", "", "", "", f"{table.parameters:,}", f"{table.multiply_adds:,}")
    print_table(grid)
