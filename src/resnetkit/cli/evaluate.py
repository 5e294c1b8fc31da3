"""``resnetkit evaluate``."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resnetkit.cli.completion import offer_data, offer_weights
from resnetkit.cli.evaluation_results import as_json, print_evaluation
from resnetkit.cli.image_paths import find_files
from resnetkit.cli.inputs import Reading, chosen_of, open_and_warn
from resnetkit.cli.options import (
    CalibrateOption,
    CheckpointOption,
    ClassNamesOption,
    CoverageOption,
    DataDirOption,
    DeviceOption,
    EngineOption,
    EntryOption,
    JsonOption,
    LayoutOption,
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
from resnetkit.cli.processes import among_others, device_of_rank, examine_together, open_alike
from resnetkit.cli.settings import read_demands, with_limits
from resnetkit.terminal import say, say_json, tell, warn

if TYPE_CHECKING:
    from resnetkit.evaluation.metrics import Scores


def evaluate(
    classifier: Annotated[
        str,
        typer.Argument(
            help="A run folder, a classifier, a third-party weight file, or hf://OWNER/NAME.",
            autocompletion=offer_weights,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            help="A data set, folder or list (CSV, TSV or JSON lines); left out: the run's own.",
            show_default=False,
            autocompletion=offer_data,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="train, val, test or all; left out: test, or all of DATA without one."),
    ] = None,
    min_top1: Annotated[
        float | None, typer.Option("--min-top1", help="Exit with 1 if top-1 is below this share (0 to 1).")
    ] = None,
    answers: Annotated[
        str | None,
        typer.Option(
            "--answers",
            help="Write what is answered for every image to a new file: .csv, or .npz with all probabilities.",
            show_default=False,
        ),
    ] = None,
    out: RowsOption = None,
    ray: RayOption = None,
    unknown_at: UnknownAtOption = None,
    unknown_data: Annotated[
        str | None,
        typer.Option(
            "--unknown-data",
            help="A folder of images of no class that the classifier knows: how many of them are found.",
            show_default=False,
        ),
    ] = None,
    coverage: CoverageOption = None,
    set_rule: SetRuleOption = None,
    precision_at: PrecisionAtOption = None,
    layout: LayoutOption = None,
    on_bad_image: Annotated[
        Literal["stop", "skip"] | None,
        typer.Option("--on-bad-image", help="stop or skip; left out: as the run did.", show_default=False),
    ] = None,
    checkpoint: CheckpointOption = None,
    model: WeightsModelOption = None,
    entry: EntryOption = None,
    class_names: ClassNamesOption = None,
    preprocess: PreprocessOption = None,
    max_pixels: MaxPixelsOption = None,
    max_file_bytes: MaxFileBytesOption = None,
    data_dir: DataDirOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    precision: UsePrecisionOption = "fp32",
    calibrate: CalibrateOption = None,
    json: JsonOption = False,
) -> None:
    """Score a classifier: top-1, top-5, log loss, calibration, per class, with 95 % intervals.

    \b
    Examples:
      resnetkit evaluate runs/0001-resnet20-digits
      resnetkit evaluate runs/0001-resnet18-photos new_photos --answers answers.csv
      resnetkit evaluate classifier.safetensors cifar10 --json --min-top1 0.9
      resnetkit evaluate resnet20-12fca82f.th cifar10
      resnetkit evaluate runs/0001-resnet18-photos --precision int8
      resnetkit evaluate runs/0001-resnet18-photos --coverage 0.95 --precision-at 0.99
      resnetkit evaluate runs/0001-resnet18-photos --unknown-at 0.05 --unknown-data other_photos
      resnetkit evaluate weights.pth my_photos --model resnet50_v1 --class-names names.txt
      torchrun --nproc-per-node 2 -m resnetkit evaluate runs/0001-resnet18-photos
      resnetkit evaluate runs/0001-resnet18-photos millions --ray auto --out answers.parquet
    """
    from resnetkit.classifier.decision import Familiarities
    from resnetkit.classifier.demanding import demanding
    from resnetkit.classifier.prediction import Predictor
    from resnetkit.config import to_dict
    from resnetkit.data.loading import open_data
    from resnetkit.errors import require
    from resnetkit.evaluation import scoring
    from resnetkit.evaluation.answers import join_answers
    from resnetkit.evaluation.calibration import calibration_of
    from resnetkit.evaluation.decision_scores import familiarity_of, score_decision
    from resnetkit.evaluation.sharing import BATCH_SIZE
    from resnetkit.inference.answering import Opening, Scoring
    from resnetkit.inference.conditions import find_conditions
    from resnetkit.inference.engine_choice import open_engine
    from resnetkit.inference.many_images import examine_into, opened_rows
    from resnetkit.runs.answer_files import check_new_file, save_answers
    from resnetkit.sources.described import digest_of
    from resnetkit.sources.locate import locate_weights
    from resnetkit.sources.own_data import find_data

    if answers is not None:
        check_new_file(Path(answers))
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    require(ray is None or out is not None, "--ray needs a folder for its rows", fix="add --out FOLDER")
    require(
        out is None or not several, "several processes of torchrun keep no rows", fix="leave out --out, or torchrun"
    )
    require(min_top1 is None or 0 <= min_top1 <= 1, f"--min-top1 must be in [0, 1], got {min_top1}")
    demands = read_demands(unknown_at, coverage, set_rule, precision_at)
    together = out is not None or several
    require(
        unknown_data is None or not together,
        "images of no known class are measured by one process alone, without rows",
        fix="leave out --unknown-data, or --out and torchrun",
    )
    others = [] if unknown_data is None else list(find_files([unknown_data]))
    require(unknown_data is None or bool(others), f"no image files in {unknown_data}")
    reading = Reading(model, entry, class_names, tuple(preprocess or ()))
    with among_others() as shard:
        conditions = find_conditions(
            engine,
            precision=precision,
            calibrate=calibrate,
            batch_size=BATCH_SIZE,
            device=device_of_rank(device, shard),
        )
        located = locate_weights(classifier)
        chosen = chosen_of(located, checkpoint)
        opened = demanding(open_and_warn(chosen, reading, conditions.device), demands)
        spec, num_recorded = find_data(located, data, opened.limits)
        spec = replace(spec, on_bad_image=on_bad_image or spec.on_bad_image, data_dir=data_dir or spec.data_dir)
        spec = replace(spec, layout=layout or spec.layout, limits=with_limits(spec.limits, max_pixels, max_file_bytes))
        # Before engines are measured: nobody waits to be told that data are missing.
        source = open_data(spec, opened.class_names)
        if split is None and num_recorded is not None and spec.validation == "test":
            split = "val"  # the data's own test images, which watched over this training
        for text in source.told():
            tell(text)
        of_unknown: Familiarities | None = None
        score = partial(scoring.evaluate, data=source, split=split, num_recorded=num_recorded, progress=True)
        if out is not None:
            opening = Opening(
                chosen.whole_name,
                digest_of(opened),
                spec.limits,
                reading.arguments(),
                engine,
                precision,
                BATCH_SIZE,
                device,
                conditions.calibrate or None,
                demands,
            )
            work = Scoring(opening, os.path.realpath(source.root), spec.num_workers)
            with opened_rows(Path(out), work) as rows:
                predictor = opening.predictor(opened, conditions)
                evaluation = score(predictor, examine=examine_into(rows, work, predictor, ray))
        elif shard is not None:
            predictor = Predictor.of(opened, open_alike(opened, conditions, shard))
            examine = examine_together(predictor, spec.num_workers, shard)
            if shard.rank > 0:
                scoring.load_to_score(predictor, source, split=split, num_recorded=num_recorded, examine=examine)
                return
            evaluation = score(predictor, examine=examine)
        else:
            predictor = Predictor.of(opened, open_engine(opened, conditions))
            evaluation = score(predictor)
            if others:
                of_unknown, num_bad = familiarity_of(replace(predictor, limits=spec.limits), others)
                if num_bad:
                    warn(f"{num_bad:,} of {len(others):,} images of {unknown_data} cannot be read and are left out")
        for text in evaluation.warnings:
            warn(text)
        joined = join_answers(evaluation.split, evaluation.answers)
        decided = score_decision(joined, opened.decision, of_unknown)
        if others and decided is None:
            warn(f"{unknown_data} is measured against unseen images, of which there are none here")
        if opened.decision.unknown is not None and joined.familiarity is None:
            warn(
                f"{out} holds rows of an earlier version, which kept no familiarity: unknown images are not counted, "
                "and not left out of the sure ones; to have all answered again, give a new --out"
            )
        if answers is not None:
            save_answers(Path(answers), evaluation.answers)
        if json:
            found = as_json(evaluation, opened.seen, classifier, spec.source, precision)
            found["decision"] = None if decided is None else to_dict(decided)
            found["calibration"] = None if decided is None else to_dict(calibration_of(joined))
            say_json(found)
        else:
            computed = "" if precision == "fp32" else f", computed in {precision}"
            say(f"{classifier} on {spec.source}, split {evaluation.split}{computed}")
            print_evaluation(evaluation, decided, opened.decision, opened.seen)
    if min_top1 is not None:
        _check(evaluation.scores, min_top1)


def _check(scores: Scores | None, min_top1: float) -> None:
    """Exit with 1 where the images that training never saw do not reach a top-1."""
    if scores is None:
        tell("check failed: the weights were trained on all of these images")
    elif scores.top1.value < min_top1:
        tell(f"check failed: top-1 {scores.top1.value:.4f} is below {min_top1}")
    else:
        return
    raise typer.Exit(1)
