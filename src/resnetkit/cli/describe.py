"""``resnetkit describe``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnetkit.cli.completion import offer_sources
from resnetkit.cli.drawings import Drawing, print_drawing, print_summary_json, write_drawing
from resnetkit.cli.names import warn_about_name
from resnetkit.cli.options import EntryOption, JsonOption
from resnetkit.cli.settings import read_settings
from resnetkit.terminal import say, say_json

if TYPE_CHECKING:
    from resnetkit.anatomy.memory import Memory
    from resnetkit.anatomy.table import Description
    from resnetkit.models.catalog.entry import Entry


def describe(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A network's name, a run folder, a classifier, a weight file, or hf://OWNER/NAME; left out with "
            "--draw orders or shortcuts: the paper's network.",
            show_default=False,
            autocompletion=offer_sources,
        ),
    ] = None,
    from_entry: EntryOption = None,
    image_size: Annotated[
        int | None, typer.Option("--image-size", help="Pixels; left out: what it was made for.", show_default=False)
    ] = None,
    channels: Annotated[int | None, typer.Option("--channels", help="Input channels.", show_default=False)] = None,
    classes: Annotated[int | None, typer.Option("--classes", help="Number of classes.", show_default=False)] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="A field of the network: path.to.field=value; repeatable.")
    ] = None,
    draw: Annotated[
        Drawing | None,
        typer.Option(
            "--draw",
            help="network; blocks: layer by layer, one of each kind; summary: all layers in a table; orders, "
            "shortcuts: a block in every activation order, and with every shortcut, of arXiv:1603.05027.",
        ),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", help="Write the drawing (left out: of the network) to this file.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show a network stage by stage: shapes, blocks, kernels, receptive field, parameters, cost, memory.

    Multiply-adds and activations (numbers put out) are those of convs and linear layers. Memory is that of float32
    maps for one image: kept for the gradients in training, and alive at once in use. Of a file, what it is and what it
    does not say comes first.

    \b
    Examples:
      resnetkit describe resnet50
      resnetkit describe resnet50 --draw blocks
      resnetkit describe resnet50 --draw summary
      resnetkit describe --draw orders --svg orders.svg
      resnetkit describe resnet50 --svg resnet50.svg
      resnetkit describe resnet20 --image-size 28 --channels 1
      resnetkit describe resnet20-12fca82f.th
      resnetkit describe resnet18 --set block.join.kind=scaled_add --set 'widths=[32,64,128,256]'
    """
    from resnetkit.config import override, to_dict
    from resnetkit.errors import require

    if name is None:
        from resnetkit.anatomy.sheets import PAPERS_NETWORK, SHEETS

        require(draw in SHEETS, "a network must be named", fix="e.g. resnetkit describe resnet50")
        name = PAPERS_NETWORK
    entry, about = _find(name, from_entry)
    options = {"--channels": ("in_channels", channels), "--classes": ("num_classes", classes)}
    set_by_options = {path: value for path, value in options.values() if value is not None}
    settings = set_by_options | read_settings(set_, options, command="describe")
    if entry is None:
        require(
            draw is None and svg is None,
            f"{name} leaves open which network it is, so there is none to draw",
            fix=f"resnetkit describe {name} says which it can be; draw one of them by its name",
        )
        _print_open_choice(name, about, as_json=json)
        return
    spec = override(entry.spec, settings)
    size = entry.image_size_px if image_size is None else image_size
    require(size >= 8, f"--image-size must be at least 8, got {size}")
    if svg is not None:
        write_drawing(svg, name, spec, size, draw or "network")
        if not json:
            return
    elif draw == "summary" and json:
        print_summary_json(name, spec, size)
        return
    elif draw is not None:
        require(not json, "--json carries a table, not a drawing", fix="leave out --draw or --json, or --draw summary")
        print_drawing(name, spec, size, draw)
        return
    from resnetkit.anatomy import table
    from resnetkit.anatomy.memory import measure_memory  # loads torch, which drawings do without

    description, memory = table.describe(spec, size), measure_memory(spec, size)
    if json:
        totals = {
            field: getattr(description, field)
            for field in ("parameters", "multiply_adds", "activations", "num_layers", "receptive_field_px")
        }
        totals |= {field: getattr(memory, field) for field in ("parameter_bytes", "kept_bytes", "peak_bytes")}
        rows = [
            {**row, "kept_bytes": part.kept_bytes, "peak_bytes": part.peak_bytes}
            for row, part in zip(table.as_rows(description), memory.parts, strict=True)
        ]
        content = {"name": name, "summary": entry.summary, "input_shape": description.input_shape, **totals}
        content |= {"file": about} if about else {}
        say_json({**content, "rows": rows, "spec": to_dict(spec)})
        return
    _print_report(about)
    _print_table(name, entry.summary, description, memory)


def _find(name: str, from_entry: str | None) -> tuple[Entry | None, dict[str, object]]:
    """A network by its name or out of a file, and what the file says; no network where that leaves a choice."""
    from resnetkit.errors import require
    from resnetkit.sources.locate import locate

    located = locate(name)
    if located.entry is not None:
        require(from_entry is None, f"--entry reads a weight file, and {name} is none", fix="leave --entry out")
        warn_about_name(located)
        return located.entry, {}
    from resnetkit.sources.describe_file import report_on

    return report_on(located, entry=from_entry)


def _print_report(report: dict[str, object]) -> None:
    for key, value in report.items():
        lines = value if isinstance(value, list) else [value]
        for i, line in enumerate(lines):
            say(f"{key if i == 0 else '':<14} {line}")
    if report:
        say("")


def _print_open_choice(name: str, report: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        say_json({"name": name, "file": report})
        return
    _print_report(report)


def _print_table(name: str, summary: str, description: Description, memory: Memory) -> None:
    from resnetkit.cli.tables import print_table

    shape = "×".join(map(str, description.input_shape))
    say(f"{name}: {summary}", f"input {shape} (channels × height × width)", "")
    layers = [
        (row.name, "×".join(map(str, row.output_shape)), row.blocks, row.layers, row.strided_layer)
        for row in description.rows
    ]
    print_table(("stage", "output", "blocks", "kernels and channels", "stride in"), layers)
    say("")
    costs = []
    for row, part in zip(description.rows, memory.parts, strict=True):
        seen = "all" if row.receptive_field_px is None else f"{row.receptive_field_px:,}"
        jump = "" if row.jump_px is None else f"{row.jump_px}"
        cost = (f"{row.parameters:,}", f"{row.multiply_adds:,}", f"{row.activations:,}")
        costs.append((row.name, seen, jump, *cost, f"{part.kept_bytes / 1e6:,.2f}", f"{part.peak_bytes / 1e6:,.2f}"))
    totals = (f"{description.parameters:,}", f"{description.multiply_adds:,}", f"{description.activations:,}")
    seen = f"{description.receptive_field_px:,}"
    costs.append(("total", seen, "", *totals, f"{memory.kept_bytes / 1e6:,.2f}", f"{memory.peak_bytes / 1e6:,.2f}"))
    columns = ("stage", "sees px", "stride", "parameters", "multiply-adds", "activations", "training MB", "in use MB")
    print_table(columns, costs, numbers=range(1, len(columns)))
    say("", description.layers_in_words, f"weights take {memory.parameter_bytes / 1e6:,.2f} MB in float32")
