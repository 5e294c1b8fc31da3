"""``resnetkit push``."""

from __future__ import annotations

from typing import Annotated

import typer

from resnetkit.cli.completion import offer_runs
from resnetkit.cli.options import JsonOption
from resnetkit.cli.program import program
from resnetkit.terminal import say, say_json, tell


def push(
    run: Annotated[str, typer.Argument(help="The folder of a finished run.", autocompletion=offer_runs)],
    to: Annotated[str, typer.Argument(help="hf://OWNER/NAME; made where it is missing.")],
    license: Annotated[
        str | None,
        typer.Option("--license", help="Of the weights, as the hub calls it, e.g. apache-2.0.", show_default=False),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Have a new repository seen by its owner alone.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the files of a repository that holds something else.")
    ] = False,
    dry_run: Annotated[
        str | None,
        typer.Option(
            "--dry-run", help="Write the files to this new folder, and connect to nothing.", show_default=False
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Push a finished run to the Hugging Face hub: classifier, model card, and config.json where timm has the network.

    No image is pushed. The token is the one of hf auth login, or of HF_TOKEN.

    \b
    Examples:
      resnetkit push runs/0001-resnet18-photos hf://me/birds --dry-run birds
      resnetkit push runs/0001-resnet18-photos hf://me/birds --license apache-2.0 --private
      resnetkit predict hf://me/birds photo.jpg
    """
    from resnetkit.config import to_dict
    from resnetkit.publishing import pushing

    pushed = pushing.push(run, to, license=license, private=private, overwrite=overwrite, dry_run=dry_run)
    if json:
        say_json(to_dict(pushed))
        return
    for note in pushed.notes:
        tell(f"note: {note}")
    for name, size in pushed.num_bytes.items():
        say(f"{name:<22} {size:>13,} bytes")
    say(f"{'pushed to' if dry_run is None else 'would push: wrote'} {pushed.to}")
    if dry_run is None:
        say(f"next  {program()} predict {to} IMAGE…")
