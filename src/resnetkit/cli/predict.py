"""``resnetkit predict``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resnetkit.cli.completion import offer_weights
from resnetkit.cli.image_paths import find_files
from resnetkit.cli.inputs import Reading, chosen_of, open_and_warn
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
    RayOption,
    RowsOption,
    WeightsModelOption,
)
from resnetkit.cli.settings import with_limits
from resnetkit.terminal import csv_line, for_programs, say, say_json, tell

if TYPE_CHECKING:
    from resnetkit.classifier.prediction import Prediction
    from resnetkit.inference.answering import Predicting

Format = Literal["table", "csv", "jsonl"]
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def predict(
    classifier: Annotated[
        str,
        typer.Argument(
            help="A run folder, a classifier, a third-party weight file, or hf://OWNER/NAME.",
            autocompletion=offer_weights,
        ),
    ],
    paths: Annotated[list[str], typer.Argument(help="Files, folders, patterns, or - for paths on stdin.")],
    top: Annotated[int, typer.Option("--top", help="How many classes to give per image.")] = 5,
    format: Annotated[
        Format, typer.Option("--format", "-f", help="How to print the rows; csv and jsonl are UTF-8, and lose nothing.")
    ] = "table",
    csv_safe: Annotated[
        bool, typer.Option("--csv-safe", help="With --format csv, for spreadsheets: ' before what is like a formula.")
    ] = False,
    out: RowsOption = None,
    ray: RayOption = None,
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
      resnetkit predict runs/0002-resnet18-photos millions --out answers.parquet --ray auto
      find . -name '*.jpg' | resnetkit predict classifier.safetensors - --format jsonl --top 1
    """
    from resnetkit.classifier.prediction import BATCH_SIZE, Predictor
    from resnetkit.errors import require
    from resnetkit.images.decoding import COLOUR_LOST, FIRST_READ
    from resnetkit.inference.answering import Opening, Predicting
    from resnetkit.inference.conditions import find_conditions
    from resnetkit.inference.engine_choice import open_engine
    from resnetkit.inference.on_demand import EngineOnDemand
    from resnetkit.sources.locate import locate_weights

    require(top >= 1, f"--top must be at least 1, got {top}")
    require(not csv_safe or format == "csv", "--csv-safe is about --format csv", fix="add --format csv")
    require(ray is None or out is not None, "--ray needs a folder for its rows", fix="add --out FOLDER")
    require(out is None or format == "table", f"--out writes Parquet, not {format}", fix="leave out --format or --out")
    files = list(find_files(paths))
    require(bool(files), f"no image files in {', '.join(paths)}", fix="give image files, or a folder that holds some")
    conditions = find_conditions(engine, precision=precision, batch_size=min(BATCH_SIZE, len(files)), device=device)
    reading = Reading(model, entry, class_names, tuple(preprocess or ()))
    chosen = chosen_of(locate_weights(classifier), checkpoint)
    opened = open_and_warn(chosen, reading, conditions.device)
    if out is not None:
        limits = with_limits(opened.limits, max_pixels, max_file_bytes)
        opening = Opening(chosen.name, reading.arguments(), engine, precision, BATCH_SIZE, device, limits)
        _predict_into(out, ray, Predicting(opening, min(top, len(opened.class_names))), files)
        return
    # Where no file can be read nothing is computed, and nobody waits for engines to be measured.
    expects_images = any(os.path.isfile(file) and os.access(file, os.R_OK) for file in files)
    opener = partial(open_engine, opened, conditions)
    predictor = Predictor.of(opened, opener() if expects_images else EngineOnDemand(opener))
    predictor = replace(predictor, limits=with_limits(predictor.limits, max_pixels, max_file_bytes))
    top = min(top, len(predictor.class_names))
    num_errors = num_losing_colour = num_first = 0
    writers: dict[str, Callable[[Iterable[Prediction], int], None]] = {
        "table": _write_table,
        "csv": partial(_write_csv, safe=csv_safe),
        "jsonl": _write_jsonl,
    }

    def counted() -> Iterator[Prediction]:
        nonlocal num_errors, num_losing_colour, num_first
        for prediction in predictor.iter_predictions(files, top=top):
            num_errors += prediction.status != "ok"
            num_losing_colour += COLOUR_LOST in prediction.note
            num_first += FIRST_READ in prediction.note
            yield prediction

    writers[format](counted(), top)
    if num_losing_colour:
        counted_colour = f"{num_losing_colour:,} of {len(files):,} images in colour"
        tell(f"warning: {counted_colour}, which the classifier, made for grey ones, does not see")
    if num_first:
        tell(f"note: several pages or frames, of which the first is read, in {num_first:,} of {len(files):,} files")
    if num_errors:
        tell(f"{num_errors} of {len(files)} files could not be read")
        raise typer.Exit(1)


def _predict_into(out: str, ray: str | None, work: Predicting, files: Sequence[str]) -> None:
    """Keep a row for each file in a folder; exits with 1 if any could not be read."""
    from pathlib import Path

    from resnetkit.inference.many_images import answer_missing, opened_rows

    with opened_rows(Path(out), work) as rows:
        answer_missing(rows, work, files, ray)
        states = [state for table in rows.tables(["status"]) for state in table.column("status").to_pylist()]
    num_errors = len(states) - states.count("ok")
    say(f"{len(states):,} rows in {out}")
    if num_errors:
        tell(f"{num_errors:,} of them are of files that could not be read")
        raise typer.Exit(1)


def _write_table(predictions: Iterable[Prediction], top: int) -> None:
    from resnetkit.cli.tables import print_table

    columns = ("file", "status", "class", "probability", "then")[: 4 + (top > 1)]
    rows = []
    for prediction in predictions:
        if prediction.status == "ok":
            then = ", ".join(f"{name} {100 * share:.1f} %" for name, share in prediction.top[1:])
            cells = ["ok", str(prediction.class_name), f"{100 * (prediction.probability or 0):.1f} %", then]
        else:
            cells = ["error", prediction.reason, "", ""]
        rows.append([prediction.source, *cells][: len(columns)])
    print_table(columns, rows, numbers=(3,))


def _write_csv(predictions: Iterable[Prediction], top: int, *, safe: bool = False) -> None:
    """A row per image, in UTF-8.

    Args:
        safe: a cell that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = for_programs()
    ranks = range(1, top + 1)
    answer_columns = (f"{what}_{rank}" for rank in ranks for what in ("class", "probability"))
    out.write(csv_line(("path", "status", "reason", *answer_columns)))
    for prediction in predictions:
        answers = [cell for name, share in prediction.top for cell in (name, f"{share:.6f}")] or [""] * (2 * top)
        cells = [prediction.source, prediction.status, prediction.reason, *answers]
        cells = [f"'{cell}" if safe and cell.startswith(FORMULA_SIGNS) else cell for cell in cells]
        out.write(csv_line(cells))


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
        say_json(row)
