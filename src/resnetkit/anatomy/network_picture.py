"""The picture of a whole network as SVG: stem, stages with their blocks, tail and head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from resnetkit.anatomy.block_picture import KIND_WORDS, MARGIN_PX, shape_words
from resnetkit.anatomy.wiring import BlockWiring, DrawnStep, NetworkWiring
from resnetkit.pages import svg

MAX_UNFOLDED = 4
LABELS_PX = 128  # the column with the names of the parts
PORT_PX = 20  # from a block's box to its fork, and to its addition
LINE_PX = 17


@dataclass(frozen=True)
class Fold:
    """Blocks in a row that are alike, drawn once; ``count`` says how many."""

    block: BlockWiring
    count: int


def fold(stage: Sequence[BlockWiring]) -> list[Fold]:
    """A stage's blocks as they are drawn: up to four one by one, of more each run of equal ones once.

    >>> from resnetkit.models.catalog import CATALOG
    >>> from resnetkit.anatomy.wiring import wire
    >>> [(f.block.kind, f.count) for f in fold(wire(CATALOG["resnet50"].spec, 224).stages[2])]
    [('projection', 1), ('identity', 5)]
    """
    if len(stage) <= MAX_UNFOLDED:
        return [Fold(block, 1) for block in stage]
    runs = [list(run) for _, run in groupby(stage, key=lambda block: (block.kind, block.convs, skip_words(block)))]
    return [Fold(run[0], len(run)) for run in runs]


def skip_words(block: BlockWiring) -> str:
    """Tell what a skip does, in short: ``identity``, or its steps without their sizes."""
    if block.kind == "plain":
        return ""
    return " · ".join(step.words.split(",")[0] for step in block.skip) or "identity"


def order_words(block: BlockWiring) -> str:
    """A block's layers by name, in call order: ``[preact] · branch (+) after``."""
    start = " ".join(step.name for step in block.preact)
    branch = " ".join(step.name or step.words for step in block.branch)
    after = " ".join(step.name for step in block.after_add)
    plus = "" if block.kind == "plain" else " ⊕"
    return (f"{start} · " if start else "") + branch + plus + (f" {after}" if after else "")


def steps_words(steps: Sequence[DrawnStep], separator: str) -> str:
    """Tell what steps do, one after the other."""
    return separator.join(step.words for step in steps)


def tell_network(network: NetworkWiring) -> str:
    """A network's picture in sentences."""
    sentences = [f"Input {shape_words(network.input_shape)}.", f"Stem: {steps_words(network.stem, ', ')}."]
    for number, stage in enumerate(network.stages, start=1):
        folds = [
            f"{one.count} {KIND_WORDS[one.block.kind]} of {', '.join(one.block.convs)}"
            for one in [Fold(run[0], len(run)) for run in _alike(stage)]
        ]
        sentences.append(f"Stage {number}: {'; '.join(folds)}; to {shape_words(stage[-1].output_shape)}.")
    return " ".join([*sentences, f"Then {steps_words(network.tail, ', ')}." if network.tail else ""]).strip()


def draw_network(title: str, network: NetworkWiring) -> str:
    """An SVG picture of a whole network; long stages are folded."""
    rows = [_chain("stem", network.stem)]
    for number, stage in enumerate(network.stages, start=1):
        rows.append(_stage(f"stage {number}", stage))
    if network.tail:
        rows.append(_chain("tail and head" if network.tail[-1].name == "fc" else "tail", network.tail))
    first = network.stages[0][-1]
    note = f"{_inside(network)}, for images {shape_words(network.input_shape)}"
    lines = [note, f"in each block, in order: {order_words(first)}"]
    width = max([row.width for row in rows] + [svg.words_px(words) for words in lines]) + 2 * MARGIN_PX
    parts = [svg.text(MARGIN_PX, 34, title, "title")]
    parts += [svg.text(MARGIN_PX, 56 + 17 * i, words, "note") for i, words in enumerate(lines)]
    y = 92.0
    for i, row in enumerate(rows):
        panel = svg.box(MARGIN_PX, y, width - 2 * MARGIN_PX, row.height, "panel", radius=8)
        moved = Markup('<g transform="translate({:g} {:g})">{}</g>').format(MARGIN_PX, y, Markup("").join(row.parts))
        parts += [panel, moved]
        y += row.height
        if i < len(rows) - 1:
            parts.append(svg.line([(MARGIN_PX + 40, y), (MARGIN_PX + 40, y + 20)], arrow=True))
            y += 22
    return svg.picture(width, y + MARGIN_PX, title, tell_network(network), parts)


@dataclass(frozen=True)
class _Row:
    parts: list[Markup]
    width: float
    height: float


def _chain(name: str, steps: Sequence[DrawnStep]) -> _Row:
    """Steps side by side, with arrows between them."""
    parts = _labels(name, steps[-1].output_shape, 35)
    x, height = float(LABELS_PX), 70.0
    for i, step in enumerate(steps):
        width = svg.words_px(step.words) + 24
        if i:
            parts.append(svg.line([(x - 20, height / 2), (x - 1, height / 2)], arrow=True))
        kind = "shape-step" if step.kind == "shape" else step.kind
        parts += [
            svg.box(x, height / 2 - 15, width, 30, kind),
            svg.text(x + width / 2, height / 2 + 4, step.words, anchor="middle"),
        ]
        x += width + 20
    return _Row(parts, x, height)


def _stage(name: str, stage: Sequence[BlockWiring]) -> _Row:
    """A stage's blocks side by side, each with its skip above it."""
    folds = fold(stage)
    box_height = 20 + LINE_PX * max(len(block.convs) for block in stage)
    height = box_height + 70.0
    middle = height - 26 - box_height / 2
    parts = _labels(name, stage[-1].output_shape, middle)
    x = LABELS_PX + PORT_PX + 4.0
    lines, boxes = [], []
    for one in folds:
        width = _glyph_px(one)
        lines.append(svg.line([(x - PORT_PX - 16, middle), (x + width + PORT_PX + 16, middle)]))
        boxes += _glyph(one, x, width, middle, box_height)
        x += width + 2 * PORT_PX + 32
    lines.append(svg.line([(x - PORT_PX - 16, middle), (x - PORT_PX, middle)], arrow=True))
    return _Row([*parts, *lines, *boxes], x - PORT_PX + 8, height)


def _glyph_px(one: Fold) -> float:
    words = [*one.block.convs, skip_words(one.block) + "    "]
    return max(svg.words_px(line) for line in words) + 24


def _glyph(one: Fold, x: float, width: float, middle: float, height: float) -> list[Markup]:
    """One block: its convs in a box, its skip over it; a folded one with others behind it and their number."""
    block, top = one.block, middle - height / 2
    parts = []
    if block.kind != "plain":
        left, right, over = x - PORT_PX, x + width + PORT_PX, top - 20
        path = [(left, middle), (left, over), (right, over), (right, middle - 7)]
        parts += [svg.line(path, "skip", arrow=True), svg.dot(left, middle), svg.small_plus(right, middle)]
        words = skip_words(block)
        label_px = svg.words_px(words) + 14
        parts += [
            svg.box(x + (width - label_px) / 2, over - 10, label_px, 20, block.kind),
            svg.text(x + width / 2, over + 4, words, anchor="middle"),
        ]
    parts += [svg.box(x + 3 * i, top + 3 * i, width, height, "conv") for i in ((2, 1, 0) if one.count > 1 else (0,))]
    parts += [
        svg.text(x + width / 2, top + 22 + LINE_PX * i, words, anchor="middle") for i, words in enumerate(block.convs)
    ]
    if one.count > 1:
        parts.append(svg.text(x + width / 2, top + height + 19, f"× {one.count}", "heading", "middle"))
    return parts


def _labels(name: str, shape: Sequence[int], middle: float) -> list[Markup]:
    return [svg.text(14, middle - 2, name, "heading"), svg.text(14, middle + 15, shape_words(shape), "shape")]


def _inside(network: NetworkWiring) -> str:
    """Count the blocks of each kind."""
    kinds = [block.kind for stage in network.stages for block in stage]
    return ", ".join(
        f"{kinds.count(kind)} {words.partition(',')[0]}{'s' if kinds.count(kind) > 1 else ''}"
        for kind, words in KIND_WORDS.items()
        if kind in kinds
    )


def _alike(stage: Sequence[BlockWiring]) -> list[list[BlockWiring]]:
    return [list(run) for _, run in groupby(stage, key=lambda block: (block.kind, block.convs))]
