"""``resnetkit benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resnetkit.cli.completion import offer_recipes, offer_sources
from resnetkit.cli.names import warn_about_name
from resnetkit.cli.options import (
    DeviceOption,
    EngineOption,
    EntryOption,
    JsonOption,
    PrecisionOption,
    WeightsModelOption,
)
from resnetkit.cli.settings import read_settings
from resnetkit.pages.formatting import plain_percent
from resnetkit.terminal import say, say_json, tell, warn

if TYPE_CHECKING:
    from resnetkit.benchmarking.results import Benchmark, Row


def benchmark(
    subject: Annotated[
        str,
        typer.Argument(
            help="A network's name, a run folder, a classifier, a weight file, or hf://OWNER/NAME.",
            autocompletion=offer_sources,
        ),
    ] = "resnet18",
    only: Annotated[
        Literal["train", "predict"] | None, typer.Option("--only", help="Leave the other one out.", show_default=False)
    ] = None,
    batch_size: Annotated[
        list[int] | None, typer.Option("--batch-size", "-b", help="Images in a batch; repeatable.", show_default=False)
    ] = None,
    image_size: Annotated[
        list[int] | None,
        typer.Option(
            "--image-size", help="Pixels; repeatable. Left out: the network's size and half of it.", show_default=False
        ),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", help="Every case has its turn in each of them.")] = 5,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Time for all rounds together, warm-up not counted.")
    ] = 30,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            "-r",
            help="Train as this recipe does; left out: as train would choose.",
            autocompletion=offer_recipes,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="A field of the recipe: path.to.field=value; repeatable.")
    ] = None,
    engine: EngineOption = "torch",
    precision: PrecisionOption = "fp32",
    model: WeightsModelOption = None,
    entry: EntryOption = None,
    threads: Annotated[
        int | None, typer.Option("--threads", help="CPU threads; left out: as many as torch chooses.")
    ] = None,
    device: DeviceOption = "auto",
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Draw the costs in this file too.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure images per second, latency, memory and achieved FLOP/s here, over batch and image sizes.

    Training is the loop that train runs, with its augmentation; prediction is from pixels to probabilities, without the
    reading of files, computed as --engine and --precision say. FLOPs are 2 × multiply-adds, in training 3 times that;
    the peak is the best product of two matrices that this machine did in the same run, in the same precision. Every
    figure is the median of the rounds. A long run of train is compiled first, which takes half a minute a case: --set
    runtime.compile=on measures that.

    \b
    Examples:
      resnetkit benchmark
      resnetkit benchmark resnet50 --only predict -b 1 -b 16 --image-size 224
      resnetkit benchmark tutorial_preact --recipe tutorial_adam -b 32 --image-size 28 --set runtime.precision=bf16
      resnetkit benchmark runs/0001-resnet20-digits --svg cost.svg
    """
    from resnetkit.benchmarking.drawing import cost_svg
    from resnetkit.benchmarking.plan import MODES, Plan
    from resnetkit.benchmarking.suite import run_benchmark
    from resnetkit.benchmarking.target import find_subject
    from resnetkit.cli.pictures import check_picture, write_picture
    from resnetkit.sources.locate import locate

    options = {
        "--threads": ("runtime.threads", threads),
        "--device": ("runtime.device", None if device == "auto" else device),
    }
    settings = {path: value for path, value in options.values() if value is not None}
    settings |= read_settings(set_, options)
    modes = MODES if only is None else (only,)
    plan = Plan(modes, tuple(batch_size or ()), tuple(image_size or ()), rounds, seconds, engine, precision)
    if svg is not None:
        check_picture(svg)
    located = locate(subject)
    warn_about_name(located)
    found = find_subject(located, recipe=recipe, settings=settings, model=model, entry=entry)
    measured = run_benchmark(found, plan, on_progress=_tell)
    for text in measured.warnings:
        warn(text)
    if svg is not None:
        write_picture(svg, cost_svg(measured))
    if json:
        say_json(measured.as_values())
    else:
        _print_benchmark(measured)
    if any(row.reason for row in measured.rows):
        raise typer.Exit(1)


def _tell(text: str) -> None:
    tell(text)


def _print_benchmark(measured: Benchmark) -> None:
    from resnetkit.benchmarking.drawing import cost_text
    from resnetkit.cli.tables import print_table

    environment = measured.environment
    of_precision = measured.peak_flops_per_second.items()
    peaks = ", ".join(f"{peak / 1e9:,.0f} GFLOP/s in {precision}" for precision, peak in of_precision)
    recipe = measured.recipe
    compiled = "compiled" if measured.compiled else "not compiled"
    say(f"{measured.subject}, trained as recipe {recipe['name']} does, in {measured.precision}, {compiled}")
    say(f"machine  {measured.device}, {environment['threads']} threads")
    say(f"versions resnetkit {environment['resnetkit']}, torch {environment['torch']}")
    say(f"peak     {peaks}", "")
    words = ("", "engine", "in")
    numbers = ("px", "batch", "images/s", "lowest to highest", "ms a batch", "95 %", "GFLOP/s", "of peak", "MB")
    cells = [
        (row.case.mode, row.engine, row.precision, f"{row.case.image_size_px}", f"{row.case.batch_size}", *_cells(row))
        for row in measured.rows
    ]
    print_table((*words, *numbers), cells, numbers=range(len(words), len(words) + len(numbers)))
    for row in measured.rows:
        if row.reason:
            case = row.case
            say(f"not measured: {case.mode}, {case.image_size_px} px, batch {case.batch_size}: {row.reason}")
    figures = [row.images_per_second for row in measured.rows if row.images_per_second is not None]
    if figures:
        say("", f"medians of n = {figures[0].n} rounds; 95 %: 95th percentile of the batch times", "")
        say(*cost_text(measured.rows).split("\n"))


def _cells(row: Row) -> tuple[str, ...]:
    if row.images_per_second is None or row.step_ms is None:
        return ("–",)
    rate, tail = row.images_per_second, row.step_ms["p95"]
    return (
        f"{rate.median:,.1f}",
        f"{rate.low:,.1f} to {rate.high:,.1f}",
        f"{row.step_ms['p50']:,.1f}",
        "–" if tail is None else f"{tail:,.1f}",
        "–" if row.flops_per_second is None else f"{row.flops_per_second / 1e9:,.0f}",
        "–" if row.peak_share is None else plain_percent(row.peak_share, 0),
        "–" if row.peak_bytes is None else f"{row.peak_bytes / 1e6:,.0f}",
    )
