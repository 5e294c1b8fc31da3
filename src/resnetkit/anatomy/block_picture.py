"""Pictures of blocks and networks as SVG, drawn from their wiring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from resnetkit.anatomy.formula import write_formula
from resnetkit.anatomy.wiring import BlockKind, BlockWiring, DrawnStep
from resnetkit.pages import svg

BOX_PX = 30
ROW_PX = 46  # a box and the arrow to the next
MARGIN_PX = 28
LINE_PX = 17  # of words

KIND_WORDS = {
    "identity": "identity block",
    "projection": "projection block",
    "shape-matching": "shape-matching block",
    "plain": "plain block, without a skip",
}


def shape_words(shape: Sequence[int]) -> str:
    """``(64, 56, 56)`` as people write it: ``64 × 56 × 56``."""
    return " × ".join(map(str, shape))


def place_words(places: Sequence[tuple[int, int]]) -> str:
    """List where blocks stand, stage by stage.

    >>> place_words([(1, 2), (1, 3), (1, 4), (2, 1), (2, 3)])
    'stage 1: blocks 2 to 4; stage 2: blocks 1, 3'
    """
    parts = []
    for stage, group in groupby(places, key=lambda place: place[0]):
        blocks = [block for _, block in group]
        runs = [list(run) for _, run in groupby(enumerate(blocks), key=lambda pair: pair[1] - pair[0])]
        words = ", ".join(
            f"{run[0][1]} to {run[-1][1]}" if len(run) > 2 else ", ".join(str(block) for _, block in run)
            for run in runs
        )
        parts.append(f"stage {stage}: block{'s' if len(blocks) > 1 else ''} {words}")
    return "; ".join(parts)


@dataclass(frozen=True)
class Panel:
    """A block's picture with the words around it.

    Attributes:
        heading: what it is.
        note: under the heading, such as where such blocks stand.
        below: lines under the picture.
    """

    heading: str
    note: str
    block: BlockWiring
    below: tuple[str, ...]


def kind_panels(kinds: Sequence[BlockKind]) -> list[Panel]:
    """Panels of a network's kinds of blocks: each with its formula, and all shapes where it comes in several."""
    panels = []
    for kind in kinds:
        below = [*write_formula(kind.drawn)]
        if len(kind.shapes) > 1:
            first, *others = map(_shape_line, kind.shapes)
            below += ["", f"{first} (drawn)", *others]
        panels.append(Panel(KIND_WORDS[kind.drawn.kind], place_words(kind.places), kind.drawn, tuple(below)))
    return panels


def _shape_line(block: BlockWiring) -> str:
    """Blocks of one shape: where they are, from what to what, and what the convs between put out."""
    ends = list(dict.fromkeys((shape_words(block.input_shape), shape_words(block.output_shape))))
    inner = ", ".join(str(step.output_shape[0]) for step in block.branch if step.kind == "conv")
    return f"{place_words(block.places)} · {' → '.join(ends)} · convs to {inner} channels"


def tell_block(block: BlockWiring) -> str:
    """A block's picture in a sentence."""
    start = [step.words for step in block.preact]
    sentence = f"From {shape_words(block.input_shape)}"
    if start:
        sentence += f" through {', '.join(start)}"
    sentence += f"; branch: {', '.join(step.words for step in block.branch)}; "
    if block.kind == "plain":
        sentence += "no skip"
    else:
        reads = "the block's input" if block.skip_reads == "input" else "the pre-activated input"
        steps = ", ".join(step.words for step in block.skip) or "nothing on it"
        sentence += f"skip from {reads}: {steps}"
        sentence += f"; gate: {', '.join(step.words for step in block.gate)}" if block.gate else ""
        sentence += "; then the addition"
    after = ", ".join(step.words for step in block.after_add)
    return sentence + (f", then {after}" if after else "") + f"; to {shape_words(block.output_shape)}."


def draw_blocks(title: str, kinds: Sequence[BlockKind]) -> str:
    """An SVG picture of a network's kinds of blocks, two in a row: more are too small to read on a page."""
    return draw_panels(title, (), kind_panels(kinds), columns=2)


def draw_panels(title: str, notes: Sequence[str], panels: Sequence[Panel], *, columns: int) -> str:
    """An SVG picture of several blocks, ``columns`` of them side by side, under a title and notes."""
    parts = [svg.text(MARGIN_PX, 32, title, "title")]
    parts += [svg.text(MARGIN_PX, 54 + LINE_PX * i, note, "note") for i, note in enumerate(notes)]
    width = 2 * MARGIN_PX + max([svg.words_px(title) * 1.5, *map(svg.words_px, notes)])
    top = 32.0 + LINE_PX * len(notes)
    for start in range(0, len(panels), columns):
        left, height = 0.0, 0.0
        for panel in panels[start : start + columns]:
            drawn, panel_width, panel_height = _panel_parts(panel)
            parts.append(_moved(drawn, left, top))
            left, height = left + panel_width, max(height, panel_height)
        top, width = top + height, max(width, left)
    told = (
        f"{_capital(panel.heading)}, {panel.note}. {tell_block(panel.block)} {'; '.join(filter(None, panel.below))}."
        for panel in panels
    )
    return svg.picture(width, top, title, " ".join([*notes, *told]), parts)


def _panel_parts(panel: Panel) -> tuple[list[Markup], float, float]:
    """The pieces of a panel, its width and height."""
    drawn, width, height = _block_parts(panel.block)
    words = [
        svg.text(MARGIN_PX, 28, _capital(panel.heading), "heading"),
        svg.text(MARGIN_PX, 46, panel.note, "note"),
        *(svg.text(MARGIN_PX, height + LINE_PX * (i + 1), line, "note") for i, line in enumerate(panel.below)),
    ]
    wide = 2 * MARGIN_PX + max(map(svg.words_px, (panel.heading, panel.note, *panel.below)))
    return [*words, _moved(drawn, 0, -6)], max(width, wide), height + LINE_PX * (len(panel.below) + 1)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _moved(parts: Sequence[Markup], right: float, down: float) -> Markup:
    return Markup('<g transform="translate({:g} {:g})">{}</g>').format(right, down, Markup("").join(parts))


class _Column:
    """A vertical lane of boxes around ``x``, as wide as its longest words."""

    def __init__(self, steps: Sequence[DrawnStep], left: float, smallest_px: float = 0) -> None:
        self.steps = steps
        self.width = max([smallest_px, *(svg.words_px(step.words) + 26 for step in steps)])
        self.names_px = max([0.0, *(svg.words_px(step.name) + 10 for step in steps if step.name)])
        self.left = left + self.names_px
        self.x = self.left + self.width / 2
        self.right = self.left + self.width

    def draw(self, steps: Sequence[DrawnStep], top: float) -> list[Markup]:
        """Boxes of some of the steps, one per row from ``top`` on, each with its name and words."""
        parts = []
        for row, step in enumerate(steps):
            y = top + row * ROW_PX
            kind = "shape-step" if step.kind == "shape" else step.kind
            parts += [
                svg.box(self.left, y, self.width, BOX_PX, kind),
                svg.text(self.x, y + 19, step.words, anchor="middle"),
                svg.text(self.left - 8, y + 19, step.name, "name", "end"),
            ]
        return parts


def _shape_changes(block: BlockWiring, x: float, top: float) -> list[Markup]:
    """The shapes inside the branch, each in the gap behind the step that makes it."""
    parts, shape = [], block.input_shape
    for row, step in enumerate(block.branch[:-1]):
        if step.output_shape != shape:
            shape = step.output_shape
            parts.append(svg.text(x, top + row * ROW_PX + BOX_PX + 12, shape_words(shape), "shape"))
    return parts


def _block_parts(block: BlockWiring) -> tuple[list[Markup], float, float]:
    """The pieces of a block's picture, its width and height."""
    trunk = _Column([*block.preact, *block.branch, *block.after_add], MARGIN_PX, smallest_px=150)
    gate = _Column(block.gate, trunk.right + 36)
    skip_left = (gate.right if block.gate else trunk.right) + 36
    skip = _Column(block.skip, skip_left, smallest_px=0 if block.skip else 2 * svg.words_px("identity"))
    num_rows = max(len(block.branch), len(block.skip), len(block.gate))

    top = 84.0  # of the first row of boxes
    parts = [svg.text(trunk.x + 10, top - 8, shape_words(block.input_shape), "shape")]
    fork_above = block.skip_reads == "input"
    has_skip = block.kind != "plain"
    start = top - 18  # of the line that leads in
    first = top + (14 if has_skip else 0)  # room for the fork
    preact_top = first if fork_above else top
    branch_top = preact_top + len(block.preact) * ROW_PX + (0 if fork_above or not has_skip else 14)
    fork_y = (preact_top if fork_above else branch_top) - 14
    branch_end = branch_top + num_rows * ROW_PX
    sum_y = branch_end + 8
    after_top = sum_y + 27 if has_skip else branch_end
    end = after_top + len(block.after_add) * ROW_PX + (10 if has_skip and not block.after_add else 4)

    # Lines first, boxes over them: a line through a lane needs no gaps.
    parts.append(svg.line([(trunk.x, start), (trunk.x, end)], arrow=True))
    if has_skip:
        skip_y = [(trunk.x, fork_y), (skip.x, fork_y), (skip.x, sum_y), (trunk.x + 13, sum_y)]
        parts.append(svg.line(skip_y, "skip", arrow=True))
        if block.gate:
            gate_end = branch_end - ROW_PX + BOX_PX / 2
            parts.append(svg.line([(gate.x, fork_y), (gate.x, gate_end)], "skip"))
            parts.append(svg.dot(gate.x, fork_y, "skip-tip"))
            parts.append(svg.line([(gate.right, gate_end), (skip.left - 1, gate_end)], arrow=True))
            if block.branch[-1].words == "× g":
                parts.append(svg.line([(gate.left, gate_end), (trunk.right + 1, gate_end)], arrow=True))
        parts.append(svg.dot(trunk.x, fork_y))
    parts += trunk.draw(block.preact, preact_top)
    branch_first = branch_end - len(block.branch) * ROW_PX
    parts += trunk.draw(block.branch, branch_first)
    parts += trunk.draw(block.after_add, after_top)
    parts += _shape_changes(block, trunk.x + 10, branch_first)
    parts += gate.draw(block.gate, branch_end - len(block.gate) * ROW_PX)
    parts += skip.draw(block.skip, branch_end - len(block.skip) * ROW_PX)
    if has_skip:
        parts.append(svg.plus(trunk.x, sum_y))
        if not block.skip:
            parts.append(svg.text(skip.x + 9, (fork_y + sum_y) / 2 + 4, "identity", "note"))
    parts.append(svg.text(trunk.x + 10, end + 2, shape_words(block.output_shape), "shape"))
    right = skip.right if has_skip else trunk.right
    return parts, right + MARGIN_PX, end + 28
