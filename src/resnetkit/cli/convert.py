"""``resnetkit convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from resnetkit.cli.completion import offer_weights
from resnetkit.cli.inputs import Reading, open_and_warn
from resnetkit.cli.options import ClassNamesOption, EntryOption, PreprocessOption, WeightsModelOption
from resnetkit.terminal import say, warn

Target = Literal["classifier", "torchvision", "timm", "keras"]


def convert(
    source: Annotated[
        str,
        typer.Argument(
            help="A run folder, a classifier, a weight file, or hf://OWNER/NAME.", autocompletion=offer_weights
        ),
    ],
    target: Annotated[str, typer.Argument(help="The file to write; never one that exists.")],
    to: Annotated[
        Target,
        typer.Option(
            "--to", help="A classifier, or a state dict under others' names (.safetensors, .pth, .weights.h5)."
        ),
    ] = "classifier",
    model: WeightsModelOption = None,
    entry: EntryOption = None,
    class_names: ClassNamesOption = None,
    preprocess: PreprocessOption = None,
) -> None:
    """Turn third-party weights into a classifier, or a network's weights into a file that others read.

    \b
    Examples:
      resnetkit convert resnet20-12fca82f.th resnet20.safetensors
      resnetkit convert keras_weights.h5 cats.safetensors --class-names names.txt
      resnetkit convert runs/0001-resnet18-photos resnet18.pth --to torchvision
      resnetkit convert hf://timm/resnetv2_50.a1h_in1k weights.pth --to timm
    """
    from resnetkit.classifier.classifier import load_classifier
    from resnetkit.classifier.description import Description
    from resnetkit.errors import require
    from resnetkit.sources.weights import open_network
    from resnetkit.weights.peers import in_words
    from resnetkit.weights.saving import save_weights

    path, peer = Path(target), None
    require(not path.exists(), f"{target} exists already", fix="give another name, or remove it")
    if to == "classifier":
        require(
            path.suffix == ".safetensors",
            f"a classifier is a .safetensors file, got {target}",
            fix=f"{path.stem}.safetensors",
        )
        opened = open_and_warn(source, Reading(model, entry, class_names, tuple(preprocess or ())))
        (load_classifier(opened) if isinstance(opened, Description) else opened).save(path)
    else:
        require(
            not class_names and not preprocess, f"weights for {to} hold no class names and no preprocessing",
            fix="leave --class-names and --preprocess out, or use --to classifier",
        )  # fmt: skip
        peer = save_weights(open_network(source, model=model, entry=entry, tell=warn), path, naming=to)
    say(f"wrote {target}")
    if peer is not None:
        if peer.sizes:
            warn(f"{to} has no name for this network: it is like its {peer.name}, where {in_words(peer.sizes)}")
        for line in peer.loading(path):
            say(line)
