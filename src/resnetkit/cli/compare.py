"""``resnetkit compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnetkit.cli.completion import offer_sources
from resnetkit.cli.options import EntryOption, JsonOption
from resnetkit.cli.verdicts import print_verdict
from resnetkit.terminal import first_few, say, say_json, tell, warn

if TYPE_CHECKING:
    from resnetkit.anatomy.comparison import NetworkComparison, Quantity
    from resnetkit.anatomy.table import StageRow
    from resnetkit.comparing.anything import RunComparison
    from resnetkit.comparing.classifiers import ClassifierComparison, TensorComparison
    from resnetkit.pages.differences import ValueDifference


def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A network's name, a run folder or a folder of repeats, a classifier, a weight file, "
            "a file of evaluate --answers, or hf://OWNER/NAME.",
            autocompletion=offer_sources,
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="What to compare it with.", autocompletion=offer_sources)],
    others: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[C …]",
            help="More runs, or files of evaluate --answers: each with each.",
            show_default=False,
            autocompletion=offer_sources,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Of runs: write a page and a table of the images that only one gets right to this new folder.",
            show_default=False,
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", help="Pixels; left out: what each was made for.", show_default=False),
    ] = None,
    entry: EntryOption = None,
    json: JsonOption = False,
) -> None:
    """Show two networks, files or runs side by side: what differs, why it matters, and which of two runs is better.

    Runs are compared on images that both answered and neither was trained on, found by their pixels: by McNemar's exact
    test, with paired bootstrap intervals. A folder of repeats (train --seeds, --folds) is compared over its runs.

    \b
    Examples:
      resnetkit compare resnet18 resnet50
      resnetkit compare resnet110 'resnet110[join=shortcut_gate]'
      resnetkit compare runs/0001-resnet20-digits runs/0002-resnet20-digits
      resnetkit compare runs/0001-resnet20-digits runs/0002-resnet20-digits --out compared
      resnetkit compare first.npz second.npz
    """
    from resnetkit.comparing import anything, writing
    from resnetkit.comparing.subject import find_subject
    from resnetkit.errors import require
    from resnetkit.files import check_new_folder

    require(image_size is None or image_size >= 8, f"--image-size must be at least 8, got {image_size}")
    if out is not None:
        check_new_folder(out)
    texts = [a, b, *(others or [])]
    subjects = [find_subject(text, image_size_px=image_size, entry=entry) for text in texts]
    for subject in subjects:
        for text in subject.warnings:
            warn(text)
        for text in subject.choices:
            warn(f"{subject.name}: {text}")
    compared = anything.compare(*subjects)
    if out is not None:
        for text in writing.write_comparison(out, compared, subjects):
            warn(text)
    if json:
        say_json(compared.as_values())
        return
    print_verdict(compared)
    if compared.networks is not None:
        _print_networks(compared.networks)
    if compared.classifiers is not None:
        _print_classifiers(compared.classifiers, a, b)
    if compared.tensors is not None:
        _print_tensors(compared.tensors, a, b)
    if compared.runs is not None:
        _print_runs(compared.runs, a, b)
    if out is not None:
        tell(f"page {out / writing.PAGE_NAME}")


def _print_networks(compared: NetworkComparison) -> None:
    a, b = compared.a, compared.b
    if not compared.differences and a.description.input_shape == b.description.input_shape:
        say(f"The networks are the same: {a.description.parameters:,} parameters.")
        return
    for side in (a, b):
        shape = "×".join(map(str, side.description.input_shape))
        published = f"; {compared.published[side.name]}" if side.name in compared.published else ""
        say(f"{side.name}: input {shape}{published}")
    if a.description.input_shape != b.description.input_shape:
        say("The input shapes differ, and costs with them; --image-size gives both one size.")
    _print_grid(
        ("", a.name, b.name, "ratio"),
        [
            (q.name, f"{q.a:,}", f"{q.b:,}", f"× {q.ratio:.3g}" if q.ratio is not None else "")
            for q in compared.quantities
        ],
    )
    columns = ("", "", "output", "blocks", "kernels and channels", "sees px", "parameters", "multiply-adds")
    names = (a.name, b.name)
    lines = [
        (row.name if i == 0 or pair[0] is None else "", names[i], *_row_cells(row))
        for pair in compared.rows
        for i, row in enumerate(pair)
        if row is not None
    ]
    say("")
    _print_grid(columns, lines, num_words=5)
    say("", "WHAT DIFFERS" if compared.differences else "The networks differ in nothing but the size of their images.")
    for difference in compared.differences:
        say("", difference.name, f"  {a.name}: {difference.a}", f"  {b.name}: {difference.b}")
        if difference.alone:
            changes = ", ".join(_change_words(quantity) for quantity in difference.alone)
            _print_paragraph(f"{a.name} with this choice alone: {changes}")
        _print_paragraph(difference.why + (f" [{difference.source}]" if difference.source else ""))
        if difference.measured:
            _print_paragraph(difference.measured)
    say("", "WHAT TO SEE IN THEM")
    for title, text in compared.lessons:
        say("", title)
        _print_paragraph(text)


def _row_cells(row: StageRow) -> tuple[str, ...]:
    seen = "all" if row.receptive_field_px is None else f"{row.receptive_field_px:,}"
    shape = "×".join(map(str, row.output_shape))
    return shape, row.blocks, row.layers, seen, f"{row.parameters:,}", f"{row.multiply_adds:,}"


def _change_words(quantity: Quantity) -> str:
    ratio = f" (× {quantity.ratio:.3g})" if quantity.ratio is not None else ""
    return f"{quantity.name} {quantity.a:,} → {quantity.b:,}{ratio}"


def _print_classifiers(compared: ClassifierComparison, a: str, b: str) -> None:
    say("", "CLASSIFIERS")
    if not compared.preprocessing:
        say("the same preprocessing")
    _print_values(compared.preprocessing, a, b)
    say("the same decision" if not compared.decision else "decisions that differ:")
    _print_values(compared.decision, a, b)
    if compared.same_order:
        say("the same classes")
    for name, classes in ((a, compared.only_a), (b, compared.only_b)):
        if classes:
            say(f"classes of {name} alone: {', '.join(classes)}")
    if not (compared.same_order or compared.only_a or compared.only_b):
        say("the same classes in another order; they are matched by name")


def _print_tensors(compared: TensorComparison, a: str, b: str) -> None:
    say("", "WEIGHTS")
    lines = [
        (
            distance.part,
            f"{distance.num_equal} of {distance.num_tensors}",
            _number(distance.largest),
            _number(distance.relative),
        )
        for distance in compared.distances
    ]
    _print_grid(("", "tensors equal", "largest difference", "relative (L2)"), lines)
    for what, names in (
        (f"in {a} alone", compared.only_a),
        (f"in {b} alone", compared.only_b),
        ("of another shape", compared.other_shape),
    ):
        if names:
            say(f"{what}: {first_few(names)}")


def _print_runs(compared: RunComparison, a: str, b: str) -> None:
    from resnetkit.pages.formatting import duration

    say("", "RUNS")
    say("the same recipe" if not compared.recipe else "values that differ")
    _print_values(compared.recipe, a, b)
    say("the same images, split alike" if compared.same_images else "other images, or split otherwise")
    for split, (of_a, of_b) in compared.scores.items():
        say("", f"{split} top-1, each on its own images", f"  {a}: {of_a}", f"  {b}: {of_b}")
    if compared.seconds is not None:
        say(f"training: {' and '.join(map(duration, compared.seconds))}")


def _print_values(values: Sequence[ValueDifference], a: str, b: str) -> None:
    if values:
        lines = [(value.field, value.a or "–", value.b or "–") for value in values]
        _print_grid(("", a, b), lines, num_words=3)


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"


def _print_grid(columns: Sequence[str], lines: Sequence[Sequence[str]], *, num_words: int = 1) -> None:
    """A table: the first columns hold words, the others numbers."""
    from resnetkit.cli.tables import print_table

    print_table(columns, lines, numbers=range(num_words, len(columns)))


def _print_paragraph(text: str) -> None:
    import shutil
    import textwrap

    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    say(*textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  "))
