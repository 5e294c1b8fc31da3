"""``resnetkit predict``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
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
    CoverageOption,
    DeviceOption,
    EngineOption,
    EntryOption,
    MaxFileBytesOption,
    MaxPixelsOption,
    PrecisionAtOption,
    PreprocessOption,
    RayOption,
    RowsOption,
    SetRuleOption,
    UnknownAtOption,
    UsePrecisionOption,
    WeightsModelOption,
)
from resnetkit.cli.prediction_rows import Counts, write_csv, write_jsonl, write_table
from resnetkit.cli.settings import read_demands, with_limits
from resnetkit.terminal import say

if TYPE_CHECKING:
    from resnetkit.classifier.decision import Decision
    from resnetkit.classifier.prediction import Prediction, Predictor
    from resnetkit.inference.answering import Predicting

Format = Literal["table", "csv", "jsonl"]


def predict(
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
    top: Annotated[int, typer.Option("--top", help="How many classes to give per image.")] = 5,
    format: Annotated[
        Format, typer.Option("--format", "-f", help="How to print the rows; csv and jsonl are UTF-8, and lose nothing.")
    ] = "table",
    csv_safe: Annotated[
        bool, typer.Option("--csv-safe", help="With --format csv, for spreadsheets: ' before what is like a formula.")
    ] = False,
    out: RowsOption = None,
    ray: RayOption = None,
    unknown_at: UnknownAtOption = None,
    coverage: CoverageOption = None,
    set_rule: SetRuleOption = None,
    precision_at: PrecisionAtOption = None,
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

    With thresholds, of the classifier or given, an image can be unknown or unsure: it has no class either. Exits with 1
    if any file could not be read.

    \b
    Examples:
      resnetkit predict runs/0001-resnet20-digits photo.jpg
      resnetkit predict runs/0001-resnet18-photos new_photos 'more/**/*.png' --format csv > answers.csv
      resnetkit predict runs/0002-resnet18-photos photo.jpg --checkpoint best
      resnetkit predict resnet50-0676ba61.pth photo.jpg --class-names imagenet_classes.txt
      resnetkit predict runs/0002-resnet18-photos millions --out answers.parquet --ray auto
      resnetkit predict runs/0002-resnet18-photos new_photos --precision int8
      resnetkit predict runs/0002-resnet18-photos new_photos --unknown-at 0.05 --coverage 0.95
      find . -name '*.jpg' | resnetkit predict classifier.safetensors - --format jsonl --top 1
    """
    from resnetkit.classifier.demanding import demanding
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
    demands = read_demands(unknown_at, coverage, set_rule, precision_at)
    files = list(find_files(paths))
    require(
        bool(files), f"no image files in {', '.join(paths)}", fix="give image files, or a folder or list that has some"
    )
    conditions = find_conditions(
        engine, precision=precision, calibrate=calibrate, batch_size=min(BATCH_SIZE, len(files)), device=device
    )
    reading = Reading(model, entry, class_names, tuple(preprocess or ()))
    chosen = chosen_of(locate_weights(classifier), checkpoint)
    opened = demanding(open_and_warn(chosen, reading, conditions.device), demands)
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
            demands,
        )
        predictor, paths = opening.predictor(opened, conditions), [whole_path(file) for file in files]
        _predict_into(out, Predicting(opening, top), paths, ray or predictor, opened.decision)
        return
    # Where no file can be read nothing is computed, and nobody waits for engines to be measured.
    expects_images = any(os.path.isfile(file) and os.access(file, os.R_OK) for file in files)
    opener = partial(open_engine, opened, conditions)
    predictor = Predictor.of(opened, opener() if expects_images else EngineOnDemand(opener))
    predictor, counts = replace(predictor, limits=limits), Counts()
    writers: dict[str, Callable[[Iterable[Prediction], int], None]] = {
        "table": write_table,
        "csv": partial(write_csv, has_sets=opened.decision.sets is not None, safe=csv_safe),
        "jsonl": write_jsonl,
    }

    def counted() -> Iterator[Prediction]:
        for prediction in predictor.iter_predictions(files, top=top):
            counts.add(prediction.status, prediction.note)
            yield prediction

    writers[format](counted(), top)
    counts.tell(opened.decision)


def _predict_into(out: str, work: Predicting, files: Sequence[str], by: Predictor | str, decision: Decision) -> None:
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
    counts.tell(decision)
