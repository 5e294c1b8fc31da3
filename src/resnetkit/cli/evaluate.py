"""``resnetkit evaluate``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resnetkit.cli.opening import Computing, Reading, chosen_file, open_and_warn
from resnetkit.cli.options import (
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
    PrecisionOption,
    PreprocessOption,
    WeightsModelOption,
)
from resnetkit.cli.settings import with_limits
from resnetkit.terminal import say, say_json, tell, warn

if TYPE_CHECKING:
    from resnetkit.data.spec import DataSpec, Limits
    from resnetkit.evaluation.metrics import Scores


def evaluate(
    classifier: Annotated[
        str, typer.Argument(help="A run folder, a classifier, anybody's weight file, or hf://OWNER/NAME.")
    ],
    data: Annotated[
        str | None, typer.Argument(help="A data set or folder; left out: the run's own.", show_default=False)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="train, val, test or all; left out: test, or all of DATA without one."),
    ] = None,
    min_top1: Annotated[
        float | None, typer.Option("--min-top1", help="Exit with 1 if top-1 is below this share (0 to 1).")
    ] = None,
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
    precision: PrecisionOption = "fp32",
    json: JsonOption = False,
) -> None:
    """Score a classifier: top-1, top-5, log loss, calibration, per class, with 95 % intervals.

    \b
    Examples:
      resnetkit evaluate runs/0001-resnet20-digits
      resnetkit evaluate runs/0001-resnet18-photos new_photos
      resnetkit evaluate classifier.safetensors cifar10 --json --min-top1 0.9
      resnetkit evaluate resnet20-12fca82f.th cifar10
      resnetkit evaluate weights.pth my_photos --model resnet50_v1 --class-names names.txt
    """
    from resnetkit.data.loading import open_data
    from resnetkit.errors import require
    from resnetkit.evaluation import scoring

    require(min_top1 is None or 0 <= min_top1 <= 1, f"--min-top1 must be in [0, 1], got {min_top1}")
    computing = Computing(engine, precision, scoring.BATCH_SIZE)
    computing.check()
    file = chosen_file(classifier, checkpoint)
    cache = computing.cache_beside(file)
    loaded = open_and_warn(file, Reading(model, entry, class_names, tuple(preprocess or ()), device))
    spec, is_own = _data_spec(classifier, data, loaded.limits)
    spec = replace(spec, on_bad_image=on_bad_image or spec.on_bad_image, data_dir=data_dir or spec.data_dir)
    spec = replace(spec, layout=layout or spec.layout, limits=with_limits(spec.limits, max_pixels, max_file_bytes))
    source = open_data(
        spec, loaded.class_names
    )  # before engines are measured: nobody waits to be told that data are missing
    if split is None:
        # Images that training never saw are all fit to be scored; of its own, only those held back.
        apart = "val" if is_own and spec.validation == "test" else "test"
        split = apart if is_own or "test" in source.split_sizes else "all"
    for text in source.told():
        tell(text)
    loaded.engine = computing.open_engine(loaded, cache)
    evaluation = scoring.evaluate(loaded, source, split=split, progress=True)
    for text in evaluation.warnings:
        warn(text)
    scores = evaluation.scores
    if json:
        from resnetkit.config import to_dict

        left_out = [{"path": bad.path, "reason": bad.reason} for bad in evaluation.bad_images]
        content = {"classifier": classifier, "data": spec.source, "split": split, "computed_in": precision}
        say_json({**content, "left_out": left_out, **to_dict(scores)})
    else:
        computed = "" if precision == "fp32" else f", computed in {precision}"
        _print_scores(scores, f"{classifier} on {spec.source}, split {split}{computed}")
    if min_top1 is not None and scores.top1.value < min_top1:
        tell(f"check failed: top-1 {scores.top1.value:.4f} is below {min_top1}")
        raise typer.Exit(1)


def _data_spec(classifier: str, data: str | None, limits: Limits) -> tuple[DataSpec, bool]:
    """The data to score on, and whether they are those the classifier was trained with."""
    from pathlib import Path

    from resnetkit.data.spec import DataSpec
    from resnetkit.errors import require
    from resnetkit.training.run_folder import RunFolder

    folder = RunFolder(Path(classifier))
    own = folder.read_record()[0].data if folder.recipe_file.is_file() else None
    require(
        data is not None or own is not None, "which data? A classifier file does not say", fix="give DATA, or the run"
    )
    if own is not None and (data is None or own.source in (data, str(Path(data).expanduser().absolute()))):
        # The same split seed and shares as in training: what was held back then is held back now.
        return own, True
    assert data is not None
    return DataSpec(data, validation_fraction=0.0, test_fraction=0.0, limits=limits), False


def _print_scores(scores: Scores, title: str) -> None:
    from resnetkit.cli.tables import print_table

    say(title)
    say(f"top-1             {scores.top1}")
    if scores.top5 is not None:
        say(f"top-5             {scores.top5}")
    say(f"log loss          {scores.log_loss:.4f} nats")
    say(f"calibration error {100 * scores.expected_calibration_error:.2f} %  (15 bins)")
    say(f"macro F1          {scores.macro_f1:.4f}")
    lines = []
    names = [entry.name for entry in scores.classes]
    for entry, row in zip(scores.classes, scores.confusion, strict=True):
        others = [(count, name) for count, name in zip(row, names, strict=True) if name != entry.name and count]
        worst = max(others, default=None)
        lines.append(
            (
                entry.name,
                f"{entry.num_images:,}",
                _share(entry.precision),
                _share(entry.recall),
                f"{100 * entry.recall_low:.1f} to {100 * entry.recall_high:.1f}" if entry.num_images else "–",
                "–" if entry.f1 is None else f"{entry.f1:.3f}",
                f"{worst[1]} ({worst[0]})" if worst else "",
            )
        )
    columns = ("class", "images", "precision", "recall", "95 % interval", "F1", "mostly taken for")
    print_table(columns, lines, numbers=range(1, 6))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
