"""Drawings of ``describe --draw``: pictures of a network, and its layers one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from resnetkit.models.spec import ResNetSpec
from resnetkit.terminal import say, say_json

Drawing = Literal["network", "blocks", "summary", "orders", "shortcuts"]


def write_drawing(path: Path, name: str, spec: ResNetSpec, size: int, what: Drawing) -> None:
    """Write a picture as SVG.

    Raises:
        ResnetkitError: for a path where no picture may be written, and for a summary, which is text.
    """
    from resnetkit.anatomy.block_picture import draw_blocks, draw_panels
    from resnetkit.anatomy.network_picture import draw_network
    from resnetkit.anatomy.sheets import COLUMNS, SHEETS, sheet_notes, sheet_panels
    from resnetkit.anatomy.wiring import wire
    from resnetkit.cli.pictures import check_picture, write_picture
    from resnetkit.errors import require

    require(what != "summary", "a summary is text, not a picture", fix="leave out --svg, or --draw network")
    check_picture(path)
    if what in SHEETS:
        sheet = SHEETS[what]
        panels = sheet_panels(sheet, spec, size)
        drawn = draw_panels(sheet.title, sheet_notes(sheet, name, panels), panels, columns=COLUMNS)
    elif what == "blocks":
        drawn = draw_blocks(name, wire(spec, size).block_kinds())
    else:
        drawn = draw_network(name, wire(spec, size))
    write_picture(path, drawn)


def print_drawing(name: str, spec: ResNetSpec, size: int, what: Drawing) -> None:
    """Print a picture as text."""
    from resnetkit.anatomy.block_picture import kind_panels
    from resnetkit.anatomy.sheets import SHEETS, sheet_notes, sheet_panels
    from resnetkit.anatomy.text_picture import network_text, panel_text
    from resnetkit.anatomy.wiring import wire

    if what == "summary":
        _print_summary(name, spec, size)
        return
    if what in SHEETS:
        sheet = SHEETS[what]
        panels = sheet_panels(sheet, spec, size)
        head = "\n".join([sheet.title, *sheet_notes(sheet, name, panels)])
        drawn = "\n\n".join([head, *map(panel_text, panels)])
    elif what == "blocks":
        drawn = "\n\n".join([name, *map(panel_text, kind_panels(wire(spec, size).block_kinds()))])
    else:
        drawn = f"{name}\n{network_text(wire(spec, size))}"
    say(*drawn.split("\n"))


def print_summary_json(name: str, spec: ResNetSpec, size: int) -> None:
    """Print a network's layers as JSON."""
    from resnetkit.anatomy.summary import as_values, summarize

    say_json({"name": name, **as_values(summarize(spec, size))})


def _print_summary(name: str, spec: ResNetSpec, size: int) -> None:
    from resnetkit.anatomy.summary import summarize
    from resnetkit.cli.tables import print_table

    summary = summarize(spec, size)
    rows = []
    for row in summary.rows:
        inner = row.name.split(".", 2)[2] if row.level and row.name else row.name
        numbers = (f"{count:,}" if count else "" for count in (row.parameters, row.statistics))
        rows.append(("  " * row.level + inner, row.layer, "×".join(map(str, row.output_shape)), *numbers))
    say(f"{name}: input {'×'.join(map(str, summary.input_shape))} (channels × height × width)", "")
    print_table(("layer", "what it does", "output", "parameters", "not trained"), rows, numbers=(3, 4))
    say(
        "",
        f"parameters   {summary.parameters:>13,}  trained; a block's row has the sum of its layers",
        f"not trained  {summary.statistics:>13,}  running means and variances of batch norms",
        f"together     {summary.parameters + summary.statistics:>13,}  as Keras counts them",
    )
