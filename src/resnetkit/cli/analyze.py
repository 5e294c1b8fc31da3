"""``resnetkit analyze``."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resnetkit.cli.completion import offer_data, offer_sources
from resnetkit.cli.inputs import Reading
from resnetkit.cli.names import warn_about_name
from resnetkit.cli.options import (
    ClassNamesOption,
    DataDirOption,
    DeviceOption,
    EntryOption,
    JsonOption,
    PreprocessOption,
    WeightsModelOption,
)
from resnetkit.cli.settings import warn_of_idle
from resnetkit.terminal import is_live, say, say_json, tell, tell_live, warn

if TYPE_CHECKING:
    import torch

    from resnetkit.analysis.analyses import Analysis
    from resnetkit.analysis.landscape import Plane
    from resnetkit.analysis.sample_reading import Choice
    from resnetkit.analysis.subject import Subject
    from resnetkit.sources.locate import Located

LANDSCAPE = "landscape"
LIVE_SECONDS, PLAIN_SECONDS = 0.2, 30.0


def analyze(
    source: Annotated[
        str,
        typer.Argument(
            help="A run folder, a classifier, a weight file, hf://OWNER/NAME, or a network's name.",
            autocompletion=offer_sources,
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
    against: Annotated[
        str | None,
        typer.Option(
            "--against", help="A second one to show beside it.", show_default=False, autocompletion=offer_sources
        ),
    ] = None,
    figure: Annotated[
        list[str] | None,
        typer.Option("--figure", "-f", help="A figure to make, by its name; repeatable; left out: all but landscape."),
    ] = None,
    images: Annotated[int, typer.Option("--images", "-n", help="Images to measure on, at most.")] = 1000,
    split: Annotated[
        str | None,
        typer.Option("--split", help="train, val, test or all; left out: test, or all of DATA without one."),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option("--image", help="An image file to picture the stages with; left out: one of the images."),
    ] = None,
    landscape: Annotated[
        bool, typer.Option("--landscape", help="Compute the loss landscape too; killed, it goes on where it was.")
    ] = False,
    grid: Annotated[int, typer.Option("--grid", help="Points a side of the landscape, an odd number.")] = 25,
    span: Annotated[
        float, typer.Option("--span", help="How far the landscape reaches, in lengths of the filters.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Of all that is drawn: images, blocks, directions.")] = 0,
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for the folders of analyses.")] = "analyses",
    model: WeightsModelOption = None,
    entry: EntryOption = None,
    class_names: ClassNamesOption = None,
    preprocess: PreprocessOption = None,
    data_dir: DataDirOption = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Show why a network works: the figures of the papers, measured on it, as a page.

    Every figure says where it is from, what it should look like, and what is seen. Of a name alone, whose weights are
    fresh, there are only those that need no training.

    \b
    Examples:
      resnetkit analyze runs/0001-resnet56-digits
      resnetkit analyze runs/0001-plain56-digits --against runs/0002-resnet56-digits --landscape
      resnetkit analyze resnet20-12fca82f.th cifar10 --figure lesions
      resnetkit analyze resnet50.pth --image photo.jpg --figure stages --figure filters
      resnetkit analyze resnet110 digits
    """
    from resnetkit.analysis.analyses import USUAL, check_names
    from resnetkit.analysis.landscape import WHOLE, Plane
    from resnetkit.analysis.page import PAGE, as_values, name_networks, write_analyses
    from resnetkit.analysis.sample_reading import USUAL as USUAL_CHOICE
    from resnetkit.analysis.sample_reading import Choice
    from resnetkit.errors import Code, require
    from resnetkit.files import io_errors, make_folder
    from resnetkit.machine.device import find_device
    from resnetkit.sources.locate import locate

    names = list(dict.fromkeys([*(figure or USUAL), *([LANDSCAPE] if landscape else [])]))
    check_names(names)
    plane, choice = Plane(grid, span), Choice(images, split, data_dir, image if "stages" in names else None)
    if LANDSCAPE not in names:
        given = {"--grid": plane.grid != WHOLE.grid, "--span": plane.span != WHOLE.span}
        warn_of_idle(given, f"without the figure {LANDSCAPE}")
    if "stages" not in names:
        warn_of_idle({"--image": image is not None}, "without the figure stages")
    require(against != source, f"--against names {source} again", fix="give another network")
    located = [locate(text) for text in (source, against) if text is not None]
    for one in located:
        warn_about_name(one)
    reading = Reading(model, entry, class_names, tuple(preprocess or ())).arguments()
    # They say what weight files do not; where there is none, opening refuses them.
    read_so = [one for one in located if one.kind == "weights"] or located[:1]
    require(not Path(out).is_file(), f"--out needs a folder, and {out} is a file", fix="name another", code=Code.IO)
    with io_errors(f"make {out}"):
        make_folder(Path(out))
    opening = Opening(data, choice, seed, find_device(device))
    subjects = [opening.open(one, reading if one in read_so else {}) for one in located]
    if all(subject.sample is None for subject in subjects):
        warn_of_idle(
            {"--images": images != USUAL_CHOICE.num_images, "--data-dir": data_dir is not None}, "without data"
        )
    if len({subject.data for subject in subjects}) > 1:
        warn(f"the two are shown other images: {' and '.join(subject.data or 'none' for subject in subjects)}")
    shown = name_networks([subject.name for subject in subjects])
    landscapes = Path(out) / "landscapes"
    analyses = [_analyze(one, names, plane, landscapes, shown=name) for one, name in zip(subjects, shown, strict=True)]
    require(
        any(analysis.figures for analysis in analyses),
        "no figure can be made",
        why="; ".join(dict.fromkeys(f"{one.name}: {one.reason}" for analysis in analyses for one in analysis.left_out)),
    )
    folder = write_analyses(Path(out), analyses, shlex.join(["resnetkit", *sys.argv[1:]]))
    if json:
        say_json(as_values(analyses) | {"folder": str(folder)})
        return
    _print(analyses, is_asked=bool(figure))
    say("", f"page  {folder / PAGE}")


@dataclass(frozen=True)
class Opening:
    """Options by which the networks are opened, and shown images."""

    data: str | None
    choice: Choice
    seed: int
    device: torch.device

    def open(self, located: Located, reading: dict[str, Any]) -> Subject:
        """Open one, telling what is to be known of it."""
        from resnetkit.analysis.subject import open_subject

        tell(f"opening {located.text}")
        subject = open_subject(
            located, self.data, self.choice, seed=self.seed, device=self.device, progress=True, reading=reading
        )
        for text in subject.remarks:
            warn(f"{subject.name}: {text}")
        return subject


def _analyze(subject: Subject, names: list[str], plane: Plane, folder: Path, *, shown: str) -> Analysis:
    """Measure one network, telling what is under way."""
    from resnetkit.analysis.analyses import FIGURES, analyze_subject
    from resnetkit.analysis.landscape_figure import show_landscape

    progress = LandscapeProgress(f"{shown}: {LANDSCAPE}")
    show = partial(show_landscape, plane=plane, folder=folder, progress=progress)
    table = FIGURES | {LANDSCAPE: replace(FIGURES[LANDSCAPE], show=show)}
    try:
        return analyze_subject(subject, names, measurements=table, tell=lambda name: tell(f"{shown}: {name}"))
    except KeyboardInterrupt:
        progress.tell_kept()
        raise


class LandscapeProgress:
    """Tells how far a landscape is: what it costs as soon as that is known, then one live line, or now and then one."""

    def __init__(self, name: str) -> None:
        self.name, self.last_told, self.known, self.start = name, 0.0, 0, time.monotonic()

    def __call__(self, known: int, num_points: int, seconds_left: float) -> None:
        """Take note of a point."""
        from resnetkit.pages.formatting import duration

        now, is_first = time.monotonic(), not self.known
        self.known = known
        text = f"{self.name}: {known:,} of {num_points:,} points, {duration(seconds_left)} left"
        if is_first and known < num_points:
            each = seconds_left / (num_points - known)
            tell(f"{text} at {duration(each)} a point; stopped, the same command goes on")
        elif now - self.last_told < (LIVE_SECONDS if is_live() else PLAIN_SECONDS):
            return
        else:
            (tell_live if is_live() else tell)(text)
        self.last_told = now

    def tell_kept(self) -> None:
        """Say what was computed of a landscape that is stopped on the way."""
        if self.known:
            tell(f"{self.name}: {self.known:,} points are kept; the same command goes on there")


def _print(analyses: Sequence[Analysis], *, is_asked: bool) -> None:
    from resnetkit.analysis.page import group_left_out, lay_out

    for section in lay_out(analyses):
        say(f"{section.first.title} ({section.first.source})")
        for name, figure in section.figures.items():
            say(f"  {name}: {figure.seen}")
        if section.verdict:
            say(f"  {section.verdict}")
    for analysis in analyses:
        for reason, figures in group_left_out(analysis).items():
            (warn if is_asked else tell)(f"{analysis.source}: no {', '.join(figures)}: {reason}")
