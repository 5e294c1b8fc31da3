"""``resnetkit audit``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnetkit.cli.completion import offer_data, offer_weights
from resnetkit.cli.options import (
    DataDirOption,
    EntryOption,
    GroupByOption,
    JsonOption,
    LayoutOption,
    MaxFileBytesOption,
    MaxPixelsOption,
    PreprocessOption,
    WeightsModelOption,
)
from resnetkit.cli.program import program
from resnetkit.cli.settings import read_settings, warn_of_idle, with_limits
from resnetkit.cli.stopping import leave_nothing_when_terminated
from resnetkit.terminal import say, say_json, tell, warn

if TYPE_CHECKING:
    from resnetkit.audit.auditing import Audit
    from resnetkit.data.spec import DataSpec
    from resnetkit.sources.locate import Located
    from resnetkit.sources.weights import Embedder

# Fields of the data that say how they are kept while they are trained on, and what stops that.
OF_TRAINING = ("on_bad_image", "on_doubt", "check", "cache")


def audit(
    data: Annotated[
        str, typer.Argument(help="A data set or folder; nothing of it is changed.", autocompletion=offer_data)
    ],
    classifier: Annotated[
        str | None,
        typer.Option(
            "--classifier",
            "-c",
            help="A run, a classifier or a weight file, for what only a network sees; left out: for photographs, the "
            "weights at hand that train would start from.",
            autocompletion=offer_weights,
            show_default=False,
        ),
    ] = None,
    train: Annotated[
        bool,
        typer.Option(
            "--train",
            help="Train two networks to judge labels by, each on one half of the training images to judge the other; "
            "the first seconds tell how long that takes.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="New folder to write to; left out: one in audits/.", show_default=False),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 where scores or labels cannot be trusted: leaks, conflicts.")
    ] = False,
    write_list: Annotated[
        Path | None,
        typer.Option(
            "--write-list",
            help="Write a new list (.csv) of the images to train on: no conflicts, no leaks, copies once.",
            show_default=False,
        ),
    ] = None,
    without_suspects: Annotated[
        bool,
        typer.Option("--without-suspects", help="Leave probably wrong labels out of that list's training images too."),
    ] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="A field of the data: data.field=value; repeatable.")
    ] = None,
    layout: LayoutOption = None,
    group_by: GroupByOption = None,
    model: WeightsModelOption = None,
    entry: EntryOption = None,
    preprocess: PreprocessOption = None,
    max_pixels: MaxPixelsOption = None,
    max_file_bytes: MaxFileBytesOption = None,
    data_dir: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Look for what is wrong with images and labels before anything is trained on them.

    Leaks between splits, one picture under two classes, pictures that are there twice, images that show nothing,
    classes of few images. A page shows them, with tables for programs beside it.

    \b
    Examples:
      resnetkit audit photos
      resnetkit audit photos --classifier runs/0001-resnet18-photos
      resnetkit audit digits --train
      resnetkit audit photos --json --strict
      resnetkit audit photos --out audit-of-photos
      resnetkit audit photos --write-list clean.csv
      resnetkit audit list.csv --set data.label_column=breed
    """
    from resnetkit.audit.auditing import audit_data
    from resnetkit.audit.clean_list import check_listable, check_new_list, clean, write_clean_list
    from resnetkit.audit.trained_judge import judge_by_training
    from resnetkit.audit.weights_at_hand import embedder_at_hand
    from resnetkit.audit.writing import write_audit
    from resnetkit.data.spec import DataSpec
    from resnetkit.errors import require
    from resnetkit.files import check_new_folder
    from resnetkit.sources.locate import locate_weights

    if out is not None:
        check_new_folder(out)
    if write_list is not None:
        check_new_list(write_list)
    require(
        not without_suspects or (write_list is not None and (train or classifier is not None)),
        "--without-suspects leaves images out of a list, by what a network makes of them",
        fix="add --write-list FILE.csv, and --classifier RUN or --train; or leave it out",
    )
    of_data = {
        "DATA": ("data.source", data),
        "--data-dir": ("data.data_dir", data_dir),
        "--layout": ("data.layout", layout),
        "--group-by": ("data.group_by", group_by),
        "--max-pixels": ("data.limits.max_pixels", max_pixels),
        "--max-file-bytes": ("data.limits.max_file_bytes", max_file_bytes),
    }
    spec = DataSpec(data, data_dir=data_dir, layout=layout or "auto", group_by=group_by)
    spec = replace(spec, limits=with_limits(spec.limits, max_pixels, max_file_bytes))
    spec = _with_settings(spec, read_settings(set_, of_data, command="audit"), trains=train)
    if classifier is None:
        idle = {"--model": model, "--entry": entry, "--preprocess": preprocess}
        warn_of_idle({option: bool(value) for option, value in idle.items()}, "without --classifier")
    judged = None if classifier is None else locate_weights(classifier)
    embedder = embedder_at_hand if judged is None else _open(judged, model, entry, preprocess)
    refuse = check_listable if write_list is not None else lambda source: None
    find_judge = judge_by_training if train else None
    with leave_nothing_when_terminated():
        found = audit_data(
            spec, embedder=embedder, find_judge=find_judge, judged=judged, on_opened=refuse, progress=True
        )
        folder = write_audit(found, out, shlex.join([program(), *sys.argv[1:]]))
    if json:
        say_json({**found.as_dict(), "folder": str(folder)})
    else:
        _print(found, folder)
    if write_list is not None:
        chosen = clean(found, without_suspects=without_suspects)
        write_clean_list(write_list, chosen)
        for text in chosen.told():
            tell(text)
        tell(f"wrote {write_list}")
    if strict and found.of_severity("error"):
        raise typer.Exit(1)


def _with_settings(spec: DataSpec, settings: Mapping[str, str], *, trains: bool) -> DataSpec:
    """The data as settings change them, with a warning for what matters to a training alone."""
    from resnetkit.config import override
    from resnetkit.data.spec import DataAlone

    changed = override(DataAlone(spec), settings).data
    names, why = [*OF_TRAINING, "max_memory_bytes"], "looks at every image once and trains nothing"
    if trains:
        names, why = [*OF_TRAINING], "looks at every image, and trains on those that it can read"
    idle = {f"data.{name}": getattr(changed, name) != getattr(spec, name) for name in names}
    warn_of_idle(idle, f"on an audit, which {why}")
    return changed


def _open(classifier: Located, model: str | None, entry: str | None, preprocess: list[str] | None) -> Embedder:
    from resnetkit.config import parse_settings
    from resnetkit.sources.weights import open_embedder

    preprocessing = parse_settings(preprocess or [], option="--preprocess")
    embedder = open_embedder(classifier, model=model, entry=entry, preprocessing=preprocessing)
    for text in embedder.warnings:
        warn(text)
    return embedder


def _print(found: Audit, folder: Path) -> None:
    for text in found.subject.source.told():
        tell(text)
    for name, needed in found.left_out.items():
        tell(f"not looked for: {name}, which needs {needed}")
    for finding in found.findings:
        say(f"{finding.severity:<7}  {finding.sentence}")
    if not found.findings:
        say("nothing was found")
    for consequence in found.consequences:
        say(f"score    {consequence}")
    for text in found.remarks:
        tell(text)
    say(f"wrote {folder / 'report.html'}")
