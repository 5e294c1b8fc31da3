"""``resnetkit calibrate``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resnetkit.cli.completion import offer_data, offer_weights
from resnetkit.cli.inputs import Reading, open_and_warn
from resnetkit.cli.options import (
    ClassNamesOption,
    CoverageOption,
    DataDirOption,
    DeviceOption,
    EntryOption,
    JsonOption,
    LayoutOption,
    MaxFileBytesOption,
    MaxPixelsOption,
    PrecisionAtOption,
    PreprocessOption,
    SetRuleOption,
    UnknownAtOption,
    WeightsModelOption,
)
from resnetkit.cli.settings import read_demands, with_limits
from resnetkit.pages.formatting import plain_percent, set_percent
from resnetkit.terminal import say, say_json, tell, warn

if TYPE_CHECKING:
    from resnetkit.evaluation.recalibration import Recalibrated


def calibrate(
    classifier: Annotated[
        str,
        typer.Argument(
            help="A run folder, a classifier, a third-party weight file, or hf://OWNER/NAME.",
            autocompletion=offer_weights,
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            help="A data set or folder with labelled images that the weights were not trained on.",
            autocompletion=offer_data,
        ),
    ],
    out: Annotated[str, typer.Option("--out", "-o", help="The new classifier: a .safetensors file.")],
    split: Annotated[
        str | None,
        typer.Option(
            "--split", help="train, val, test or all; left out: val, or all of DATA without splits.", show_default=False
        ),
    ] = None,
    unknown_at: UnknownAtOption = None,
    coverage: CoverageOption = None,
    set_rule: SetRuleOption = None,
    precision_at: PrecisionAtOption = None,
    layout: LayoutOption = None,
    on_bad_image: Annotated[
        Literal["stop", "skip"] | None,
        typer.Option("--on-bad-image", help="stop or skip; left out: as the run did.", show_default=False),
    ] = None,
    model: WeightsModelOption = None,
    entry: EntryOption = None,
    class_names: ClassNamesOption = None,
    preprocess: PreprocessOption = None,
    max_pixels: MaxPixelsOption = None,
    max_file_bytes: MaxFileBytesOption = None,
    data_dir: DataDirOption = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Fit a classifier's temperature and thresholds to labelled images, and write it as a new classifier.

    Its probabilities then say how often it is right. Images that set them cannot judge them: evaluate tells of those.

    \b
    Examples:
      resnetkit calibrate resnet20-12fca82f.th cifar10 --split test --out resnet20.safetensors
      resnetkit calibrate runs/0001-resnet18-photos new_photos --out photos.safetensors --unknown-at 0.05
      resnetkit calibrate classifier.safetensors held_out --out sure.safetensors --precision-at 0.99 --json
    """
    from resnetkit.classifier.classifier import load_classifier
    from resnetkit.classifier.description import Description
    from resnetkit.config import to_dict
    from resnetkit.data.loading import open_data
    from resnetkit.errors import require
    from resnetkit.evaluation.recalibration import recalibrate
    from resnetkit.evaluation.sharing import BATCH_SIZE
    from resnetkit.inference.torch_engines import plain_predictor
    from resnetkit.machine.device import find_device
    from resnetkit.sources.locate import locate_weights
    from resnetkit.sources.own_data import find_data

    path = Path(out)
    require(
        path.suffix == ".safetensors", f"a classifier is a .safetensors file, got {out}", fix=f"{path.stem}.safetensors"
    )
    require(not path.exists(), f"{out} exists already", fix="give another name, or remove it")
    demands = read_demands(unknown_at, coverage, set_rule, precision_at)
    located, reading = locate_weights(classifier), Reading(model, entry, class_names, tuple(preprocess or ()))
    place = str(find_device(device))
    opened = open_and_warn(located, reading, place)
    spec, num_recorded = find_data(located, data, opened.limits)
    spec = replace(spec, on_bad_image=on_bad_image or spec.on_bad_image, data_dir=data_dir or spec.data_dir)
    spec = replace(spec, layout=layout or spec.layout, limits=with_limits(spec.limits, max_pixels, max_file_bytes))
    source = open_data(spec, opened.class_names)
    for text in source.told():
        tell(text)
    if opened.seen is None:
        warn("the classifier does not say what it was trained on: none of these images may be among that")
    loaded = load_classifier(opened, device=place) if isinstance(opened, Description) else opened
    predictor = plain_predictor(loaded, batch_size=BATCH_SIZE)
    found = recalibrate(predictor, source, demands, split=split, num_recorded=num_recorded, progress=True)
    for text in found.warnings:
        warn(text)
    replace(loaded, decision=found.decision, yardstick=found.yardstick).save(path)
    if json:
        say_json(
            {
                "classifier": classifier,
                "data": spec.source,
                "split": found.split,
                "num_images": found.calibration.after.num_images,
                "decision": to_dict(found.decision),
                "calibration": to_dict(found.calibration),
                "out": out,
            }
        )
        return
    say(f"{classifier}, fitted to {found.yardstick.images}: {found.calibration.after.num_images:,} images")
    _print(found)
    say(f"wrote {out}")
    say("how well it does now, other images must tell: on these, by which it was set, it does a little better")


def _print(found: Recalibrated) -> None:
    from resnetkit.cli.tables import print_table
    from resnetkit.evaluation.fitted_decision import LEAST_IMAGES

    before, after, decision = found.calibration.before, found.calibration.after, found.decision
    is_too_few = after.num_images < LEAST_IMAGES
    why = f": it takes {LEAST_IMAGES} images to fit one to, these are {after.num_images}" if is_too_few else ""
    say(f"temperature {decision.temperature:g}{why}")
    rows = [
        (name, *(plain_percent(value, 2) for value in pair))
        for name, pair in {
            "calibration error, 15 bins of equal width": (before.ece, after.ece),
            "  of that by chance alone": (before.floor, after.floor),
            "calibration error, 15 bins of equally many": (before.adaptive_ece, after.adaptive_ece),
        }.items()
    ]
    rows.append(("log loss in nats", f"{before.log_loss:.4f}", f"{after.log_loss:.4f}"))
    print_table(("", "before", "after"), rows, numbers=range(1, 3))
    if decision.unknown is not None:
        rate = f"{set_percent(decision.unknown.rate)} of known images"
        say(f"unknown: below a familiarity of {decision.unknown.below:.4g}, as {rate} are")
    if decision.sets is not None:
        say(f"sets: by {decision.sets.rule}, to hold the true class in {set_percent(decision.sets.coverage)}")
    if decision.sure is not None:
        precision = f"of the others {set_percent(decision.sure.precision)} are to be right"
        say(f"unsure: below a probability of {plain_percent(decision.sure.least)}; {precision}")
