"""``resnetkit export``."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resnetkit.cli.completion import offer_weights
from resnetkit.cli.inputs import Reading, chosen_of, open_and_warn
from resnetkit.cli.options import (
    CalibrateOption,
    CheckpointOption,
    ClassNamesOption,
    CoverageOption,
    EntryOption,
    JsonOption,
    PrecisionAtOption,
    PreprocessOption,
    SetRuleOption,
    UnknownAtOption,
    WeightsModelOption,
)
from resnetkit.cli.settings import read_demands
from resnetkit.cli.stopping import leave_nothing_when_terminated
from resnetkit.pages.formatting import upper_bound
from resnetkit.terminal import progress_bar, say, say_json, tell

if TYPE_CHECKING:
    from resnetkit.exporting.export_folder import Exported
    from resnetkit.exporting.targets import Target
    from resnetkit.sources.locate import Located


def export(
    classifier: Annotated[
        str,
        typer.Argument(
            help="A run folder, a classifier, a third-party weight file, or hf://OWNER/NAME.",
            autocompletion=offer_weights,
        ),
    ],
    to: Annotated[Literal["onnx", "openvino", "torch", "web"], typer.Option("--to", help="What is to run it.")],
    images: Annotated[
        str | None,
        typer.Option(
            "--images",
            help="Folder or list of images to prove it on; labelled, or in folders named like classes, they count for "
            "accuracy. "
            "Left out: the run's validation images.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        Literal["fp32", "bf16", "int8"], typer.Option("--precision", help="What the model computes in.")
    ] = "fp32",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder to write; left out: one of its name in exports/.", show_default=False),
    ] = None,
    calibrate: CalibrateOption = None,
    max_loss: Annotated[
        float | None,
        typer.Option(
            "--max-loss", help="Points of top-1 that bf16 and int8 may lose; left out: 1.", show_default=False
        ),
    ] = None,
    max_images: Annotated[int, typer.Option("--max-images", help="How many images to prove it on, at most.")] = 1000,
    runtime: Annotated[
        Path | None,
        typer.Option(
            "--runtime",
            help="Folder with ONNX Runtime Web's files, for --to web. Left out: npm is asked for them.",
            show_default=False,
        ),
    ] = None,
    unknown_at: UnknownAtOption = None,
    coverage: CoverageOption = None,
    set_rule: SetRuleOption = None,
    precision_at: PrecisionAtOption = None,
    checkpoint: CheckpointOption = None,
    model: WeightsModelOption = None,
    entry: EntryOption = None,
    class_names: ClassNamesOption = None,
    preprocess: PreprocessOption = None,
    json: JsonOption = False,
) -> None:
    """Export a classifier as a folder that stands alone, proved to answer as the classifier does.

    The folder holds the model, with preprocessing in it, predict.py, a README, and the proof. Exits with
    1, and leaves nothing behind, where the export answers otherwise.

    \b
    Examples:
      resnetkit export runs/0001-resnet18-photos --to onnx
      resnetkit export runs/0001-resnet18-photos --to openvino --precision bf16
      resnetkit export runs/0001-resnet18-photos --to onnx --precision int8
      resnetkit export runs/0001-resnet18-photos --to web
      resnetkit export resnet50-0676ba61.pth --to onnx --class-names imagenet_classes.txt --images photos
    """
    from resnetkit.classifier.classifier import load_classifier
    from resnetkit.classifier.demanding import demanding
    from resnetkit.classifier.description import Description
    from resnetkit.config import to_dict
    from resnetkit.errors import require
    from resnetkit.exporting.export_folder import export as export_into
    from resnetkit.exporting.proof import MAX_LOSS
    from resnetkit.exporting.proof_images import open_proof_images
    from resnetkit.exporting.subject import Subject
    from resnetkit.exporting.targets import find_target
    from resnetkit.files import check_new_folder
    from resnetkit.sources.locate import locate_weights

    target = find_target(to, precision)
    require(
        max_loss is None or precision != "fp32",
        "--max-loss is about bf16 and int8: fp32 may lose nothing", fix="leave it out",
    )  # fmt: skip
    require(
        calibrate is None or precision == "int8",
        "--calibrate is about int8", fix="leave it out, or use --precision int8",
    )  # fmt: skip
    require(
        runtime is None or to == "web", "--runtime is what a page runs in: others have their own",
        fix="leave it out, or use --to web",
    )  # fmt: skip
    demands = read_demands(unknown_at, coverage, set_rule, precision_at)
    located = locate_weights(classifier)
    name = _name_of(located)
    place = out or Path("exports") / f"{name}-{to}{'' if precision == 'fp32' else f'-{precision}'}"
    check_new_folder(place)
    reading = Reading(model, entry, class_names, tuple(preprocess or ()))
    opened = demanding(open_and_warn(chosen_of(located, checkpoint), reading), demands)
    whole = load_classifier(opened) if isinstance(opened, Description) else opened
    pixels = None
    if precision == "int8":
        from resnetkit.inference.calibration import find_images_for

        drawn = find_images_for(opened, calibrate or "", tell=tell)
        tell(f"calibrated on {drawn.words}")
        pixels = drawn.pixels
    with (
        leave_nothing_when_terminated(),
        open_proof_images(located, whole, images, max_images=max_images) as found,
        progress_bar("answering", len(found)) as move,
    ):
        exported = export_into(
            Subject(whole, name, precision, pixels, runtime),
            target,
            found,
            place,
            max_loss=MAX_LOSS if max_loss is None else max_loss,
            moved=move,
        )
    if json:
        say_json({"folder": str(place), "num_bytes": exported.num_bytes, "proof": to_dict(exported.proof)})
    else:
        _print(exported, target)


def _name_of(located: Located) -> str:
    """A name for the folder: that of a run's, or a file's without its ending."""
    text = located.text.rstrip("/")
    name = Path(text).name if located.kind == "run" else Path(text).stem
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "classifier"


def _print(exported: Exported, target: Target) -> None:
    proof = exported.proof
    width = max(map(len, exported.num_bytes))
    for name, size in exported.num_bytes.items():
        say(f"{name:<{width}} {size:>13,} bytes")
    far, logits_far = upper_bound(proof.max_difference), upper_bound(proof.max_logit_difference)
    say(f"proved on {proof.images}: {proof.num_changed:,} of {proof.num_images:,} answers changed, "
        f"probabilities within {far}, logits within {logits_far}")  # fmt: skip
    if proof.difference is not None:
        say(f"top-1     {proof.accuracy} before")
        say(f"          {proof.exported_accuracy} after: {proof.difference}")
    if proof.decided is not None:
        say(f"statuses and sets: {proof.decided.num_other:,} of {proof.num_images:,} images have others "
            f"({proof.decided.num_ties:,} at a threshold)")  # fmt: skip
    if proof.refused:
        say(f"{target.reader} refuses {len(proof.refused):,} of the images, which the classifier itself reads")
    say(f"it answered {proof.answered_by}")
    say(f"wrote {exported.folder}")
    script, _, rest = target.command.partition(" ")
    say(f"next  python {quote(str(exported.folder / script))} {rest}".rstrip())
