"""``resnetkit weights``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resnetkit.cli.completion import offer_published, offer_weights
from resnetkit.cli.options import ClassNamesOption, EntryOption, JsonOption, PreprocessOption, WeightsModelOption
from resnetkit.cli.program import program
from resnetkit.terminal import say, say_json, warn

if TYPE_CHECKING:
    from resnetkit.sources.weight_store import AtHand

Numbers = tuple[float, float, float]

weights = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Published weights to start from: what there is, getting it, and importing files where nothing connects.""",
)


@weights.command("list", short_help="List published weights, and what is at hand.")
def list_(
    pattern: Annotated[str, typer.Argument(help="Part of a name, or a shell pattern.")] = "*",
    here: Annotated[bool, typer.Option("--here", help="Only what is on this machine.")] = False,
    json: JsonOption = False,
) -> None:
    """List published weights with licence, published accuracy and size, and which are on this machine.

    On this machine are those in the cache, and in the folders that RESNETKIT_WEIGHTS names; a file from which nothing
    starts unless it is named says why.

    \b
    Examples:
      resnetkit weights list
      resnetkit weights list 'resnet50*'
      resnetkit weights list --here
    """
    from resnetkit.sources.weight_list import list_weights

    rows = list_weights(pattern, only_here=here)
    if json:
        say_json([row.as_values() for row in rows])
        return
    if not rows:
        say("none on this machine", f"next  {program()} weights get NAME, or {program()} weights import FILE")
        return
    from resnetkit.cli.tables import print_table

    columns = ("weights", "network", "data", "top-1", "at", "size", "licence", "here")
    print_table(columns, [row.as_words() for row in rows], numbers=range(3, 6))


@weights.command("get", short_help="Download published weights; resumed, and checked.")
def get(
    name: Annotated[
        str,
        typer.Argument(
            help="What list calls it, or a network's name.", show_default=False, autocompletion=offer_published
        ),
    ],
    mirror: Annotated[
        str | None,
        typer.Option("--mirror", help="Address of a folder with the same files, asked first.", show_default=False),
    ] = None,
    deadline: Annotated[int, typer.Option("--deadline", help="Seconds after which a download is given up.")] = 3600,
    json: JsonOption = False,
) -> None:
    """Download published weights into the cache; what was interrupted goes on where it was.

    A file is kept only if it has the checksum that is known of it, or that the server states, and its tensors are those
    of the network. HF_ENDPOINT names a mirror of the Hugging Face hub, HTTPS_PROXY a proxy.

    \b
    Examples:
      resnetkit weights get resnet18
      resnetkit weights get resnet50.a1_in1k
      resnetkit weights get resnet50 --mirror https://files.example.org/weights
    """
    from resnetkit.errors import require
    from resnetkit.sources.fetching import fetch_published

    require(deadline > 0, f"--deadline must be above 0 seconds, got {deadline}")
    kept, is_new = fetch_published(name, mirror=mirror, deadline_seconds=deadline)
    _tell_kept(kept, is_new=is_new, as_json=json)


@weights.command("import", short_help="Take a weight file into the cache.")
def import_(
    file: Annotated[
        str,
        typer.Argument(
            help="A weight file, a classifier, a run folder, or hf://OWNER/NAME.",
            show_default=False,
            autocompletion=offer_weights,
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="What to call it; left out: its published name, or the file's.")
    ] = None,
    model: WeightsModelOption = None,
    mean: Annotated[
        Numbers | None,
        typer.Option("--mean", help="How images are prepared: mean of each channel, of values in 0 … 1."),
    ] = None,
    std: Annotated[Numbers | None, typer.Option("--std", help="The same: standard deviation of each channel.")] = None,
    entry: EntryOption = None,
    class_names: ClassNamesOption = None,
    preprocess: PreprocessOption = None,
    json: JsonOption = False,
) -> None:
    """Take a weight file into the cache, as a classifier: its network, preprocessing and origin stay with it.

    What it is, its checksum or its place on the hub says, or the file itself; where two networks fit, --model chooses.
    Nothing in a file is executed. It is copied, and may be removed afterwards.

    \b
    Examples:
      resnetkit weights import resnet18-f37072fd.pth
      resnetkit weights import resnet50.safetensors --model resnet50_v1 --mean 0.485 0.458 0.408 --std 0.229 0.224 0.225
    """
    from resnetkit.cli.inputs import Reading
    from resnetkit.sources.weight_store import keep

    stated: dict[str, Any] = Reading(model, entry, class_names, tuple(preprocess or ())).arguments()
    numbers = {name: values for name, values in (("mean", mean), ("std", std)) if values is not None}
    if numbers:
        stated["preprocessing"] = {**stated.get("preprocessing", {}), **numbers}
    kept, is_new = keep(file, name=name, **stated)
    _tell_kept(kept, is_new=is_new, as_json=json)


def _tell_kept(kept: AtHand, *, is_new: bool, as_json: bool) -> None:
    from resnetkit.sources.weights import say_preprocessing

    assert kept.spec is not None
    assert kept.preprocessing is not None
    for text in kept.provenance.get("warnings", ()):
        warn(text)
    if as_json:
        facts = ("origin", "licence", "sha256", "checked")
        stated = {fact: kept.provenance.get(fact) for fact in facts}
        say_json({"name": kept.name, "network": kept.model, "path": str(kept.path), "is_new": is_new, **stated})
        return
    say(f"{'kept as' if is_new else 'at hand already:'} {kept.name}, {kept.path}")
    say(f"  network  {kept.model}, {kept.spec.num_classes or 0:,} classes")
    say(f"  images   {say_preprocessing(kept.preprocessing)}")
    if "origin" in kept.provenance:
        say(f"  origin   {kept.provenance['origin']}, licence {kept.provenance.get('licence', 'not stated')}")
    if "checked" in kept.provenance:
        say(f"  checked  {kept.provenance['checked']}")
    # Photographs have three channels and classes of their own.
    options = "--reset-head" if kept.spec.in_channels == 3 else "--reset-head --adapt-channels"
    say(f"next  {program()} train PHOTOS --weights {shlex.quote(kept.name)} {options}")
