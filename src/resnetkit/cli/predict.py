"""``resnetkit predict``."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resnetkit.cli.opening import Computing, Reading, chosen_file, open_for_prediction
from resnetkit.cli.options import (
    CheckpointOption,
    ClassNamesOption,
    DeviceOption,
    EngineOption,
    EntryOption,
    MaxFileBytesOption,
    MaxPixelsOption,
    PrecisionOption,
    PreprocessOption,
    WeightsModelOption,
)
from resnetkit.cli.settings import with_limits

if TYPE_CHECKING:
    from resnetkit.prediction import Prediction

Format = Literal["table", "csv", "jsonl"]


def predict(
    classifier: Annotated[
        str, typer.Argument(help="A run folder, a classifier, anybody's weight file, or hf://OWNER/NAME.")
    ],
    paths: Annotated[list[str], typer.Argument(help="Files, folders, patterns, or - for paths on stdin.")],
    top: Annotated[int, typer.Option("--top", help="How many classes to give per image.")] = 5,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print the rows.")] = "table",
    checkpoint: CheckpointOption = None,
    model: WeightsModelOption = None,
    entry: EntryOption = None,
    class_names: ClassNamesOption = None,
    preprocess: PreprocessOption = None,
    max_pixels: MaxPixelsOption = None,
    max_file_bytes: MaxFileBytesOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    precision: PrecisionOption = "fp32",
) -> None:
    """Classify images: a row per file with its status; a file that cannot be read has no class.

    Exits with 1 if any file could not be read.

    \b
    Examples:
      resnetkit predict runs/0001-resnet20-digits photo.jpg
      resnetkit predict runs/0001-resnet18-photos new_photos 'more/**/*.png' --format csv > answers.csv
      resnetkit predict runs/0002-resnet18-photos photo.jpg --checkpoint best
      resnetkit predict resnet50-0676ba61.pth photo.jpg --class-names imagenet_classes.txt
      find . -name '*.jpg' | resnetkit predict classifier.safetensors - --format jsonl --top 1
    """
    from resnetkit.errors import require
    from resnetkit.prediction import BATCH_SIZE

    require(top >= 1, f"--top must be at least 1, got {top}")
    files = list(find_files(paths))
    require(bool(files), f"no image files in {', '.join(paths)}", fix="give image files, or a folder that holds some")
    loaded = open_for_prediction(
        chosen_file(classifier, checkpoint),
        Reading(model, entry, class_names, tuple(preprocess or ()), device),
        Computing(engine, precision, min(BATCH_SIZE, len(files))),
        expects_images=any(os.path.isfile(file) and os.access(file, os.R_OK) for file in files),
    )
    loaded = replace(loaded, limits=with_limits(loaded.limits, max_pixels, max_file_bytes))
    top = min(top, len(loaded.class_names))
    num_errors = 0
    writer = {"table": _write_table, "csv": _write_csv, "jsonl": _write_jsonl}[format]

    def counted() -> Iterator[Prediction]:
        nonlocal num_errors
        for prediction in loaded.iter_predictions(files, top=top):
            num_errors += prediction.status != "ok"
            yield prediction

    writer(counted(), top)
    if num_errors:
        print(f"{num_errors} of {len(files)} files could not be read", file=sys.stderr)
        raise typer.Exit(1)


def find_files(paths: Iterable[str]) -> Iterator[str]:
    """The files that paths, folders, patterns and ``-`` stand for; what is not there is passed on, to get its row."""
    from resnetkit.data.image_files import count_unread, tell_ignored
    from resnetkit.data.image_folder import find_images

    for path in paths:
        if path == "-":
            yield from (line.rstrip("\n") for line in sys.stdin if line.strip())
        elif Path(path).is_dir():
            images, left_out = find_images(Path(path))
            if left_out.beside:
                print(f"{path}: {tell_ignored(left_out.beside)}", file=sys.stderr)
            if left_out.unread:
                print(f"warning: {path}: not read: {count_unread(left_out.unread)}", file=sys.stderr)
            yield from images
        elif any(sign in path for sign in "*?[") and not Path(path).exists():
            import glob

            matches = sorted(glob.glob(path, recursive=True))
            yield from find_files(matches) if matches else [path]
        else:
            yield path


def _write_table(predictions: Iterable[Prediction], top: int) -> None:
    from rich.table import Table

    from resnetkit.cli.tables import print_table

    table = Table("file", "status", "class", box=None, padding=(0, 2, 0, 0))
    table.add_column("probability", justify="right")
    if top > 1:
        table.add_column("then")
    for prediction in predictions:
        if prediction.status == "ok":
            then = ", ".join(f"{name} {100 * share:.1f} %" for name, share in prediction.top[1:])
            cells = ["ok", str(prediction.class_name), f"{100 * (prediction.probability or 0):.1f} %", then]
        else:
            cells = ["error", prediction.reason, "", ""]
        table.add_row(*[prediction.source, *cells][: 4 + (top > 1)])
    print_table(table)


def _write_csv(predictions: Iterable[Prediction], top: int) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    ranks = range(1, top + 1)
    writer.writerow(
        ["path", "status", "reason", *(f"{what}_{rank}" for rank in ranks for what in ("class", "probability"))]
    )
    for prediction in predictions:
        answers = [cell for name, share in prediction.top for cell in (name, f"{share:.6f}")] or [""] * (2 * top)
        writer.writerow([prediction.source, prediction.status, prediction.reason, *answers])


def _write_jsonl(predictions: Iterable[Prediction], top: int) -> None:
    for prediction in predictions:
        row = {
            "path": prediction.source,
            "status": prediction.status,
            "reason": prediction.reason,
            "class": prediction.class_name,
            "probability": prediction.probability,
            "top": [{"class": name, "probability": share} for name, share in prediction.top],
        }
        print(json.dumps(row, ensure_ascii=False), flush=True)
