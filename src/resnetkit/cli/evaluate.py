"""``resnetkit evaluate``."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from resnetkit.cli.completion import offer_data, offer_weights
from resnetkit.cli.inputs import Reading, chosen_of, open_and_warn
from resnetkit.cli.options import (
    CalibrateOption,
    CheckpointOption,
    ClassNamesOption,
    DataDirOption,
    DeviceOption,
    EngineOption,
    EntryOption,
    JsonOption,
    LayoutOption,
    MaxFileBytesOption,
    MaxPixelsOption,
    PreprocessOption,
    RayOption,
    RowsOption,
    UsePrecisionOption,
    WeightsModelOption,
)
from resnetkit.cli.processes import among_others, device_of_rank, examine_together, open_alike
from resnetkit.cli.settings import with_limits
from resnetkit.terminal import say, say_json, tell, warn

if TYPE_CHECKING:
    from resnetkit.data.seen import SeenImages
    from resnetkit.evaluation.metrics import Scores
    from resnetkit.evaluation.scoring import Evaluation


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
      resnetkit evaluate weights.pth my_photos --model resnet50_v1 --class-names names.txt
      torchrun --nproc-per-node 2 -m resnetkit evaluate runs/0001-resnet18-photos
      resnetkit evaluate runs/0001-resnet18-photos millions --ray auto --out answers.parquet
    """
    from resnetkit.classifier.prediction import Predictor
    from resnetkit.data.loading import open_data
    from resnetkit.errors import require
    from resnetkit.evaluation import scoring
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
        opened = open_and_warn(chosen, reading, conditions.device)
        spec, num_recorded = find_data(located, data, opened.limits)
        spec = replace(spec, on_bad_image=on_bad_image or spec.on_bad_image, data_dir=data_dir or spec.data_dir)
        spec = replace(spec, layout=layout or spec.layout, limits=with_limits(spec.limits, max_pixels, max_file_bytes))
        # Before engines are measured: nobody waits to be told that data are missing.
        source = open_data(spec, opened.class_names)
        if split is None and num_recorded is not None and spec.validation == "test":
            split = "val"  # the data's own test images, which watched over this training
        for text in source.told():
            tell(text)
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
            evaluation = score(Predictor.of(opened, open_engine(opened, conditions)))
        for text in evaluation.warnings:
            warn(text)
        if answers is not None:
            save_answers(Path(answers), evaluation.answers)
        if json:
            say_json(_as_json(evaluation, opened.seen, classifier, spec.source, precision))
        else:
            computed = "" if precision == "fp32" else f", computed in {precision}"
            say(f"{classifier} on {spec.source}, split {evaluation.split}{computed}")
            _print_evaluation(evaluation, opened.seen)
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


def _as_json(
    evaluation: Evaluation, seen: SeenImages | None, classifier: str, source: str, precision: str
) -> dict[str, Any]:
    """All that was measured as one object; scores are null where no image is unseen."""
    import dataclasses

    from resnetkit.config import to_dict
    from resnetkit.evaluation.metrics import Scores

    nothing = dict.fromkeys(field.name for field in dataclasses.fields(Scores))
    return {
        "classifier": classifier,
        "data": source,
        "split": evaluation.split,
        "computed_in": precision,
        "left_out": [{"path": bad.path, "reason": bad.reason} for bad in evaluation.bad_images],
        "knows_its_images": seen is not None and seen.is_complete,
        "num_trained_on": evaluation.num_trained_on,
        "num_chose": evaluation.num_chose,
        "trained_on": None if evaluation.trained_on is None else to_dict(evaluation.trained_on),
        **(nothing if evaluation.scores is None else to_dict(evaluation.scores)),
    }


def _print_evaluation(evaluation: Evaluation, seen: SeenImages | None) -> None:
    """Tell what the images are to the weights, then the scores of those that they were not trained on."""
    num_images, old = evaluation.num_images, evaluation.trained_on
    if seen is None:
        say("the classifier does not say what it was trained on: these images may be among it")
    elif not seen.is_complete:
        say("training started from weights that do not say what they were trained on")
    if old is not None and evaluation.scores is None:
        say(f"no unseen images: the weights were trained on all {num_images:,}, and no score of them says more")
        _print_scores(old)
        return
    if old is not None:
        say(f"{old.top1.num_images:,} of {num_images:,} images were trained on; the scores are of the others")
        say(f"trained on        {old.top1}")
    if evaluation.num_chose:
        say(f"{evaluation.num_chose:,} of them watched over training and chose the epoch: a little optimistic")
    assert evaluation.scores is not None
    _print_scores(evaluation.scores)


def _print_scores(scores: Scores) -> None:
    from resnetkit.cli.tables import print_table
    from resnetkit.evaluation.metrics import confused_pairs

    say(f"top-1             {scores.top1}")
    if scores.top5 is not None:
        say(f"top-5             {scores.top5}")
    say(f"log loss          {scores.log_loss:.4f} nats")
    say(f"calibration error {100 * scores.expected_calibration_error:.2f} %  (15 bins)")
    say(f"macro F1          {scores.macro_f1:.4f}")
    lines = []
    mistaken = {pair.true_name: pair for pair in reversed(confused_pairs(scores))}  # the most frequent stays
    for entry in scores.classes:
        worst = mistaken.get(entry.name)
        lines.append(
            (
                entry.name,
                f"{entry.num_images:,}",
                _share(entry.precision),
                _share(entry.recall),
                f"{100 * entry.recall_low:.1f} to {100 * entry.recall_high:.1f}" if entry.num_images else "–",
                "–" if entry.f1 is None else f"{entry.f1:.3f}",
                f"{worst.predicted_name} ({worst.num_images:,})" if worst else "",
            )
        )
    columns = ("class", "images", "precision", "recall", "95 % interval", "F1", "mostly taken for")
    print_table(columns, lines, numbers=range(1, 6))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
