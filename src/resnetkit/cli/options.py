"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for programs.")]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
DataDirOption = Annotated[
    str | None,
    typer.Option("--data-dir", help="Folder to look for named data sets in first.", show_default=False),
]
BadImageOption = Annotated[
    Literal["stop", "skip"],
    typer.Option("--on-bad-image", help="stop: list unreadable images and end. skip: leave them out, recorded."),
]
