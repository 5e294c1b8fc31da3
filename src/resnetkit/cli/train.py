"""``resnetkit train``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from resnetkit.cli.completion import offer_data, offer_networks, offer_recipes, offer_runs, offer_weights
from resnetkit.cli.options import (
    BadImageOption,
    CheckOption,
    CoverageOption,
    DataDirOption,
    DeviceOption,
    EntryOption,
    GroupByOption,
    JsonOption,
    LayoutOption,
    MaxFileBytesOption,
    MaxPixelsOption,
    PrecisionAtOption,
    SetRuleOption,
    UnknownAtOption,
)
from resnetkit.cli.run_results import print_dry_run, print_repeats, print_result
from resnetkit.cli.settings import read_settings, with_limits
from resnetkit.terminal import is_live

if TYPE_CHECKING:
    from resnetkit.sources.published import Published


def train(
    data: Annotated[
        str | None,
        typer.Argument(
            help="A named data set (digits, fashion_mnist, …), a folder, or a list (CSV, TSV or JSON lines).",
            show_default=False,
            autocompletion=offer_data,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="A network's name; chosen for the data if left out.",
            autocompletion=offer_networks,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", "-r", help="A recipe's name; chosen if left out.", autocompletion=offer_recipes),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", "-e", help="Passes over the training images.")] = None,
    time: Annotated[
        str | None,
        typer.Option(
            "--time",
            help="For all of it, as 5m, 90s or 1h: by the first seconds, epochs or the views of each image are chosen.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for run folders.")] = "runs",
    set_: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="A field of the recipe: path.to.field=value; repeatable.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Go on with the run in this folder.", autocompletion=offer_runs)
    ] = None,
    moved: Annotated[
        str | None,
        typer.Option("--data", help="With --resume: where its image folder or list is now.", show_default=False),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            "-w",
            help="To start from: a weight file, a run's folder, hf://OWNER/NAME, a name of resnetkit weights list, "
            "none, or auto: for photographs what suits them, of those at hand; auto if left out.",
            autocompletion=offer_weights,
        ),
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch published weights to start from where none are at hand.")
    ] = False,
    entry: EntryOption = None,
    reset_head: Annotated[
        bool, typer.Option("--reset-head", help="With --weights: a new head, for other classes.")
    ] = False,
    adapt_channels: Annotated[
        bool, typer.Option("--adapt-channels", help="With --weights: a first conv for grey or for colour images.")
    ] = False,
    freeze: Annotated[
        str | None,
        typer.Option("--freeze", help="Hold the network up to and including this: none, stem, stage1, stage2, …"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Another seed, another run; with --seeds, the first one.")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", help="Train so often, each by another seed: mean, spread, interval.", show_default=False
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds", help="Train so often, each time tested on another part of the images.", show_default=False
        ),
    ] = None,
    unknown_at: UnknownAtOption = None,
    coverage: CoverageOption = None,
    set_rule: SetRuleOption = None,
    precision_at: PrecisionAtOption = None,
    track: Annotated[
        list[str] | None,
        typer.Option(
            "--track",
            help="Keep the run by csv, tensorboard, wandb or mlflow too; repeatable. On this machine, unless the "
            "environment asks for a server: that gets numbers, names and the recipe, never an image. With --resume, by "
            "those it has, unless others or none are named.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be done, and measure its memory and time; write no run."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Train only if no image is in two splits or under two classes.")
    ] = False,
    layout: LayoutOption = None,
    group_by: GroupByOption = None,
    on_bad_image: BadImageOption = "stop",
    check: CheckOption = "first",
    max_pixels: MaxPixelsOption = None,
    max_file_bytes: MaxFileBytesOption = None,
    data_dir: DataDirOption = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Train a classifier on DATA: network and recipe are chosen for it, scores come with intervals.

    \b
    Examples:
      resnetkit train digits
      resnetkit train path/to/photos --epochs 30
      resnetkit train path/to/photos --time 5m
      resnetkit train path/to/list.csv
      resnetkit train path/to/list.csv --group-by patient
      resnetkit train path/to/photos --group-by '([^/_]+)_\\d+'
      resnetkit train path/to/photos --dry-run
      resnetkit train path/to/photos --strict
      resnetkit train path/to/photos --unknown-at 0.05 --precision-at 0.99
      resnetkit train digits --seeds 5
      resnetkit train path/to/photos --folds 5
      resnetkit train path/to/scenes --layout train=part1,train=part2,test=part3
      resnetkit train fashion_mnist --model tutorial_preact --recipe tutorial_adam
      resnetkit train cifar10 --set optimizer.learning_rate=0.05 --set augmentation.mixup_alpha=0.2
      resnetkit train path/to/photos --weights runs/0001-resnet18-birds --reset-head --freeze stage2
      resnetkit train --resume runs/0001-resnet20-digits
      resnetkit train --resume runs/0002-resnet18-photos --data new/path/to/photos
      resnetkit train digits --track tensorboard --track csv
      torchrun --nproc-per-node 2 -m resnetkit train digits

    \b
    Recipes (--recipe; resnetkit recipes tells more of each):
      tiny_images     For images up to 16 px
      small_images    For images up to 64 px
      quick           For images up to 64 px, within minutes
      thorough        For images up to 64 px, within the hour
      photos          For photographs
      fine_tune       For weights trained on other images
      fine_tune_few   As fine_tune, for few images
      cifar_paper     As arXiv:1512.03385, Section 4.2
      tutorial_adam   As the Keras tutorial trains
      tutorial_exact  As the Keras tutorial's script does, to compare with it
    """
    started = monotonic()
    from resnetkit.cli.progress import ConsoleListener
    from resnetkit.data.spec import DataSpec
    from resnetkit.errors import require
    from resnetkit.runs.finding import has_repeats
    from resnetkit.training import run
    from resnetkit.training.automatic_weights import AUTO, WeightsChoice
    from resnetkit.training.dry_run import rehearse
    from resnetkit.training.repeats import resume_repeats, train_repeats
    from resnetkit.training.time_budget import TimeBudget, read_minutes

    require(
        moved is None or resume is not None,
        "--data says where the images of a run have moved, and goes with --resume RUN",
        fix=f"resnetkit train {shlex.quote(moved or '')}",
    )
    require((data is None) != (resume is None), "give either DATA or --resume RUN", fix="resnetkit train digits")
    listener = ConsoleListener()
    trackers = [] if track == ["none"] else track
    options = {
        "--epochs": ("epochs", epochs),
        "--weights": ("fine_tuning.weights", weights),
        "--entry": ("fine_tuning.entry", entry),
        "--reset-head": ("fine_tuning.reset_head", reset_head or None),
        "--adapt-channels": ("fine_tuning.adapt_channels", adapt_channels or None),
        "--freeze": ("fine_tuning.freeze", freeze),
        "--seed": ("seed", seed),
        "--unknown-at": ("decision.unknown_at", unknown_at),
        "--coverage": ("decision.coverage", coverage),
        "--set-rule": ("decision.set_rule", set_rule),
        "--precision-at": ("decision.precision_at", precision_at),
        "--device": ("runtime.device", None if device == "auto" else device),
    }
    of_data = {
        "--data-dir": ("data.data_dir", data_dir),
        "--layout": ("data.layout", layout),
        "--group-by": ("data.group_by", group_by),
        "--on-bad-image": ("data.on_bad_image", None if on_bad_image == "stop" else on_bad_image),
        "--strict": ("data.on_doubt", "stop" if strict else None),
        "--check": ("data.check", None if check == "first" else check),
        "--max-pixels": ("data.limits.max_pixels", max_pixels),
        "--max-file-bytes": ("data.limits.max_file_bytes", max_file_bytes),
    }
    others = {"DATA": ("data.source", data), "--model": ("model", model)}
    num_runs = seeds if folds is None else folds
    by: Literal["seeds", "folds"] = "seeds" if folds is None else "folds"
    require(seeds is None or folds is None, "--seeds and --folds are two ways to repeat a run", fix="leave out one")
    require(not dry_run or num_runs is None, "--dry-run is of one run", fix=f"leave out --{by}: each takes as long")
    require(not (dry_run and download), "--dry-run fetches nothing", fix="leave out --download")
    if resume is not None:
        by_field = [value for name, (_, value) in (options | of_data).items() if name != "--weights"]
        switches = [num_runs, None if out == "runs" else out, download or None, dry_run or None]
        require(
            all(value is None for value in (model, recipe, time, set_ or None, *switches, *by_field)),
            "--resume goes on with the run as it was started and takes no other options but --json, --track, and "
            "--data and --weights for files that have moved",
            fix="start a new run to change something",
        )
        given: dict[str, Any] = {"data": moved, "weights": weights, "listener": listener, "track": trackers}
        if has_repeats(Path(resume)):
            print_repeats(resume_repeats(resume, **given), as_json=json)
            return
        result = run.resume(resume, **given)
    else:
        assert data is not None
        assigned = read_settings(set_, options | of_data | others)
        stated = {path: value for name, (path, value) in options.items() if name != "--weights"}
        spec = DataSpec(data, data_dir=data_dir, layout=layout or "auto", on_bad_image=on_bad_image, check=check)
        spec = replace(spec, on_doubt="stop" if strict else "tell", group_by=group_by)
        spec = replace(spec, limits=with_limits(spec.limits, max_pixels, max_file_bytes))
        arguments: dict[str, Any] = {
            "data": spec,
            "model": model,
            "recipe": recipe,
            "settings": {path: value for path, value in stated.items() if value is not None} | assigned,
            "weights": WeightsChoice(weights or AUTO, download or (not dry_run and _asking(json=json))),
            "minutes": None if time is None else TimeBudget(read_minutes(time), started),
            "out": out,
            "listener": listener,
            "track": trackers or (),
        }
        if dry_run:
            print_dry_run(rehearse(**arguments), as_json=json)
            return
        if num_runs is not None:
            print_repeats(train_repeats(num_runs=num_runs, by=by, **arguments), as_json=json)
            return
        result = run.train(**arguments)
    if os.environ.get("RANK", "0") == "0":  # of several processes, the first one tells
        print_result(result, as_json=json)


def _asking(*, json: bool) -> bool | Callable[[Published], bool]:
    """Ask before a download, where somebody is there to answer."""
    alone = json or "RANK" in os.environ or not (sys.stdin.isatty() and is_live())

    def ask(file: Published) -> bool:
        size = "" if file.num_bytes is None else f"{file.num_bytes / 1e6:.0f} MB, "
        words = f"no weights to start from are on this machine; download {file.name} ({size}{file.origin}"
        return typer.confirm(f"{words}, licence {file.licence or 'not stated'})?", default=True, err=True)

    return False if alone else ask
