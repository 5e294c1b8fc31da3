"""``resnetkit predict``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resnetkit.cli.completion import offer_weights
from resnetkit.cli.image_paths import find_files, whole_path
from resnetkit.cli.inputs import Reading, chosen_of, open_and_warn
from resnetkit.cli.options import (
    CalibrateOption,
    CheckpointOption,
    ClassNamesOption,
    DeviceOption,
    EngineOption,
    EntryOption,
    MaxFileBytesOption,
    MaxPixelsOption,
    PreprocessOption,
    RayOption,
    RowsOption,
    UsePrecisionOption,
    WeightsModelOption,
)
from resnetkit.cli.settings import with_limits
from resnetkit.terminal import csv_line, for_programs, say, say_json, tell

if TYPE_CHECKING:
    from resnetkit.classifier.prediction import Prediction, Predictor
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
    precision: UsePrecisionOption = "fp32",
    calibrate: CalibrateOption = None,
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
      resnetkit predict runs/0002-resnet18-photos new_photos --precision int8
      find . -name '*.jpg' | resnetkit predict classifier.safetensors - --format jsonl --top 1
    """
    from resnetkit.classifier.prediction import BATCH_SIZE, Predictor
    from resnetkit.errors import require
    from resnetkit.inference.answering import Opening, Predicting
    from resnetkit.inference.conditions import find_conditions
    from resnetkit.inference.engine_choice import open_engine
    from resnetkit.inference.on_demand import EngineOnDemand
    from resnetkit.sources.described import digest_of
    from resnetkit.sources.locate import locate_weights

    require(top >= 1, f"--top must be at least 1, got {top}")
    require(not csv_safe or format == "csv", "--csv-safe is about --format csv", fix="add --format csv")
    require(ray is None or out is not None, "--ray needs a folder for its rows", fix="add --out FOLDER")
    require(out is None or format == "table", f"--out writes Parquet, not {format}", fix="leave out --format or --out")
    files = list(find_files(paths))
    require(bool(files), f"no image files in {', '.join(paths)}", fix="give image files, or a folder that holds some")
    conditions = find_conditions(
        engine, precision=precision, calibrate=calibrate, batch_size=min(BATCH_SIZE, len(files)), device=device
    )
    reading = Reading(model, entry, class_names, tuple(preprocess or ()))
    chosen = chosen_of(locate_weights(classifier), checkpoint)
    opened = open_and_warn(chosen, reading, conditions.device)
    limits, top = with_limits(opened.limits, max_pixels, max_file_bytes), min(top, len(opened.class_names))
    if out is not None:
        opening = Opening(
            chosen.whole_name,
            digest_of(opened),
            limits,
            reading.arguments(),
            engine,
            precision,
            BATCH_SIZE,
            device,
            conditions.calibrate or None,
        )
        predictor = opening.predictor(opened, conditions)
        _predict_into(out, Predicting(opening, top), [whole_path(file) for file in files], ray or predictor)
        return
    # Where no file can be read nothing is computed, and nobody waits for engines to be measured.
    expects_images = any(os.path.isfile(file) and os.access(file, os.R_OK) for file in files)
    opener = partial(open_engine, opened, conditions)
    predictor = Predictor.of(opened, opener() if expects_images else EngineOnDemand(opener))
    predictor, counts = replace(predictor, limits=limits), Counts()
    writers: dict[str, Callable[[Iterable[Prediction], int], None]] = {
        "table": _write_table,
        "csv": partial(_write_csv, safe=csv_safe),
        "jsonl": _write_jsonl,
    }

    def counted() -> Iterator[Prediction]:
        for prediction in predictor.iter_predictions(files, top=top):
            counts.add(prediction.status, prediction.note)
            yield prediction

    writers[format](counted(), top)
    counts.tell()


@dataclass
class Counts:
    """Numbers of files of which something is to be told."""

    files: int = 0
    errors: int = 0
    losing_colour: int = 0
    first_read: int = 0

    def add(self, status: str, note: str) -> None:
        """Count a file, by its row."""
        from resnetkit.images.decoding import COLOUR_LOST, FIRST_READ

        self.files += 1
        self.errors += status != "ok"
        self.losing_colour += COLOUR_LOST in note
        self.first_read += FIRST_READ in note

    def tell(self) -> None:
        """Tell what was lost; exits with 1 if any file could not be read."""
        if self.losing_colour:
            counted = f"{self.losing_colour:,} of {self.files:,} images in colour"
            tell(f"warning: {counted}, which the classifier, made for grey ones, does not see")
        if self.first_read:
            counted = f"in {self.first_read:,} of {self.files:,} files"
            tell(f"note: several pages or frames, of which the first is read, {counted}")
        if self.errors:
            tell(f"{self.errors:,} of {self.files:,} files could not be read")
            raise typer.Exit(1)


def _predict_into(out: str, work: Predicting, files: Sequence[str], by: Predictor | str) -> None:
    """Keep a row for each file in a folder; exits with 1 if any could not be read."""
    from pathlib import Path

    from resnetkit.inference.many_images import answer_missing, opened_rows
    from resnetkit.inference.row_folder import as_text

    asked, counts, num_rows = set(map(as_text, files)), Counts(), 0
    with opened_rows(Path(out), work) as rows:
        answer_missing(rows, work, files, by)
        for table in rows.tables(["path", "status", "note"]):
            num_rows += len(table)
            for row in table.to_pylist():
                if row["path"] in asked:
                    counts.add(row["status"], row["note"])
    say(f"{num_rows:,} rows in {out}")
    counts.tell()


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
        say_json(prediction.as_row())
