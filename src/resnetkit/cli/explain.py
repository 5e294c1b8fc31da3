"""``resnetkit explain``."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from resnetkit.cli.completion import offer_weights
from resnetkit.cli.image_paths import find_files
from resnetkit.cli.inputs import Reading, chosen_of, open_and_warn
from resnetkit.cli.options import (
    CheckpointOption,
    ClassNamesOption,
    DeviceOption,
    EntryOption,
    JsonOption,
    MaxFileBytesOption,
    MaxPixelsOption,
    PrecisionAtOption,
    PreprocessOption,
    UnknownAtOption,
    WeightsModelOption,
)
from resnetkit.cli.program import program
from resnetkit.cli.settings import read_demands, with_limits
from resnetkit.pages.formatting import plain_percent
from resnetkit.terminal import progress_bar, say, say_json, tell

if TYPE_CHECKING:
    from resnetkit.explanation.explanation import Explanation

PLACE = "explanations"
FINE_GRID = 4  # across; with fewer, maps hardly tell places apart


def explain(
    classifier: Annotated[
        str,
        typer.Argument(
            help="A run folder, a classifier, a third-party weight file, or hf://OWNER/NAME.",
            autocompletion=offer_weights,
        ),
    ],
    paths: Annotated[
        list[str],
        typer.Argument(help="Files, folders, lists (CSV, TSV or JSON lines), patterns, or - for paths on stdin."),
    ],
    method: Annotated[
        list[str] | None,
        typer.Option("--method", help="How to explain; repeatable, or all: side by side.", show_default="grad_cam"),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option("--layer", help="Map to read: stem, stage1, stage2, …; left out: the last.", show_default=False),
    ] = None,
    class_: Annotated[
        str | None,
        typer.Option("--class", help="The class to explain; left out: each image's most probable.", show_default=False),
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="Explain why not this class instead.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help=f"Folder to write to; left out: a new one in {PLACE}/.", show_default=False),
    ] = None,
    format: Annotated[
        Literal["html", "png", "svg", "npz"],
        typer.Option("--format", "-f", help="One page of all images, or of each a picture, or its arrays for numpy."),
    ] = "html",
    check: Annotated[
        bool,
        typer.Option("--check", help="Check each map: does it matter, and depend on what was learned? Takes longer."),
    ] = False,
    unknown_at: UnknownAtOption = None,
    precision_at: PrecisionAtOption = None,
    checkpoint: CheckpointOption = None,
    model: WeightsModelOption = None,
    entry: EntryOption = None,
    class_names: ClassNamesOption = None,
    preprocess: PreprocessOption = None,
    max_pixels: MaxPixelsOption = None,
    max_file_bytes: MaxFileBytesOption = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Show what in each image an answer rests on: a heat map over it, and the probabilities beside it.

    Exits with 1 if any file could not be read.

    \b
    Examples:
      resnetkit explain runs/0001-resnet20-digits photo.jpg
      resnetkit explain runs/0001-resnet18-photos new_photos --method all
      resnetkit explain runs/0001-resnet18-photos wasp.jpg --class wasp --against bee
      resnetkit explain runs/0001-resnet18-photos wasp.jpg --method all --check
      resnetkit explain resnet50-0676ba61.pth photo.jpg --class-names imagenet_classes.txt --format png --out maps

    \b
    Methods (--method):
      grad_cam              Where features lie that speak for the class; fast
      layer_cam             As grad_cam, finer with an early --layer
      grad_cam_plus_plus    As grad_cam, for several objects of the class
      gradient              The pixels that the answer is most sensitive to
      smooth_grad           As gradient, with less noise
      integrated_gradients  What each pixel adds to the answer, or takes from it
      occlusion             How much less sure the answer is with each patch covered; slow
      rise                  How sure the answer is with random parts left; slowest
    """
    from resnetkit.classifier.demanding import demanding
    from resnetkit.classifier.description import Description
    from resnetkit.errors import require
    from resnetkit.explanation.explaining import iter_explanations
    from resnetkit.explanation.explanation import Asked
    from resnetkit.explanation.methods import find_methods
    from resnetkit.explanation.page import Heading
    from resnetkit.explanation.writing import check_files, plan_files, write_all
    from resnetkit.inference.conditions import find_conditions
    from resnetkit.sources.locate import locate_weights

    files = list(find_files(paths))
    require(
        bool(files), f"no image files in {', '.join(paths)}", fix="give image files, or a folder or list that has some"
    )
    names = plan_files(files, format)
    if out is not None:
        check_files(out / name for name in dict.fromkeys(names))
    demands = read_demands(unknown_at, None, None, precision_at)
    asked = Asked(tuple(one.name for one in find_methods(tuple(method or ["grad_cam"]))), layer, class_, against, check)
    reading = Reading(model, entry, class_names, tuple(preprocess or ()))
    located = chosen_of(locate_weights(classifier), checkpoint)
    opened = demanding(open_and_warn(located, reading, find_conditions(device=device).device), demands)
    opened = replace(opened, limits=with_limits(opened.limits, max_pixels, max_file_bytes))
    place = device if isinstance(opened, Description) else "auto"  # else it is there already
    rows: list[dict[str, Any]] = []

    num_maps = len(files) * len(asked.methods)
    with progress_bar("explaining", num_maps, wanted=num_maps > 1) as move:
        explanations = iter_explanations(opened, files, asked, device=place, tell=tell, made=lambda: move(1))

        def noted(folder: Path) -> Iterator[Explanation]:
            for explanation, name in zip(explanations, names, strict=True):
                rows.append(_row(explanation, folder / name, of_each=format != "html"))
                yield explanation
                move(len(asked.methods) - len(explanation.maps))

        with _folder(out, classifier) as folder:
            heading = Heading(Path(classifier).name, asked.methods, shlex.join([program(), *sys.argv[1:]]))
            write_all(noted(folder), folder, names, format, heading)
    is_written = any(row["file"] for row in rows)
    if json:
        say_json({"classifier": classifier, "folder": str(folder) if is_written else None, "images": rows})
    else:
        _print(rows)
        say(f"wrote {folder / names[0] if format == 'html' else folder}" if is_written else "nothing was written")
        coarsest = min((heat["grid"] for row in rows for heat in row["maps"] if heat["grid"]), default=FINE_GRID)
        if coarsest < FINE_GRID:
            tell(f"a map of {coarsest}×{coarsest} values cannot say much of places: --layer stage1 has more of them")
    num_errors = sum(row["status"] == "error" for row in rows)
    if num_errors:
        tell(f"{num_errors} of {len(files)} files could not be read or answered")
        raise typer.Exit(1)


@contextmanager
def _folder(out: Path | None, classifier: str) -> Iterator[Path]:
    """The folder to write to, a new one where none was named; of that, nothing is left if nothing was written."""
    from resnetkit.files import create_numbered_folder

    # Of a run, without its own number, which would be taken for that of the folder.
    folder = out or create_numbered_folder(Path(PLACE), re.sub(r"^\d{4,}-", "", Path(classifier).stem))
    try:
        yield folder
    finally:
        if out is None and not any(folder.iterdir()):
            folder.rmdir()


def _row(explanation: Explanation, file: Path, *, of_each: bool) -> dict[str, Any]:
    """Values that tell of an image, JSON-ready.

    Args:
        of_each: whether every image has its own file, so that an unreadable one has none.
    """
    from resnetkit.config import to_dict
    from resnetkit.explanation.words import tell_place

    is_read = explanation.status != "error"
    ((best, probability),) = explanation.top(1) if explanation.status == "ok" else ((None, None),)
    return {
        "path": explanation.source,
        "status": explanation.status,
        "reason": explanation.reason,
        "class": best,
        "probability": probability,
        "explained": explanation.maps[0].class_name if is_read else None,
        "against": explanation.maps[0].against if is_read else None,
        "maps": [
            {
                "method": heat.method,
                "layer": heat.layer,
                "grid": heat.grid,
                "strongest": tell_place(heat),
                "gap": heat.gap,
                "check": None if heat.check is None else to_dict(heat.check),
            }
            for heat in explanation.maps
        ],
        "file": str(file) if is_read or not of_each else None,
    }


def _print(rows: Sequence[dict[str, Any]]) -> None:
    from resnetkit.cli.tables import print_table

    lines = []
    for row in rows:
        if row["status"] == "error":
            lines.append([row["path"], "error", row["reason"], "", "", ""])
            continue
        asked = row["explained"] if row["against"] is None else f"{row['explained']}, not {row['against']}"
        share = "" if row["probability"] is None else plain_percent(row["probability"], 1)
        look = row["maps"][0]["strongest"]
        lines.append([row["path"], row["status"], row["class"] or "", share, asked, look])
    print_table(("file", "status", "class", "probability", "why", "look at"), lines, numbers=(3,))
    _print_checks([heat for row in rows for heat in row["maps"] if heat["check"]])


def _print_checks(maps: Sequence[dict[str, Any]]) -> None:
    """A row for each method, with means over the images."""
    if not maps:
        return
    from statistics import fmean

    from resnetkit.cli.tables import print_table
    from resnetkit.explanation.explanation import KEPT_ABOVE
    from resnetkit.explanation.methods import METHODS

    lines = []
    for name in dict.fromkeys(heat["method"] for heat in maps):
        checks = [heat["check"] for heat in maps if heat["method"] == name]
        areas = [
            " / ".join(f"{fmean(check[whose][kind] for check in checks):.2f}" for whose in ("own", "blob", "random"))
            for kind in ("insertion", "deletion")
        ]
        head, both = (fmean(check[key] for check in checks) for key in ("head_anew", "last_stage_anew"))
        verdict = "depends on what was learned" if both < KEPT_ABOVE else "hardly depends on it: a hint"
        lines.append([METHODS[name].title, *areas, f"{head:.2f}", f"{both:.2f}", verdict])
    say("", "areas: of the map / of a blob in the centre / of random places; insertion: more is better, deletion: less")
    print_table(
        ("method", "insertion", "deletion", "head anew", "and last stage", "so the map"), lines, numbers=range(1, 5)
    )
    say("")
