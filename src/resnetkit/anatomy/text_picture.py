"""Blocks and networks drawn with box characters, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from resnetkit.anatomy.block_picture import Panel, shape_words
from resnetkit.anatomy.network_picture import Fold, fold, order_words, skip_words, steps_words
from resnetkit.anatomy.wiring import BlockWiring, DrawnStep, NetworkWiring


def panel_text(panel: Panel) -> str:
    """One block with the words around it."""
    below = "\n".join(f"  {line}".rstrip() for line in panel.below)
    return f"{panel.heading} · {panel.note}\n{block_text(panel.block)}\n\n{below}"


def block_text(block: BlockWiring) -> str:
    """One block, from the top down: the branch on the left, the gate and the skip on the right.

    >>> from resnetkit.models.catalog import CATALOG
    >>> from resnetkit.anatomy.wiring import wire
    >>> print(block_text(wire(CATALOG["resnet18"].spec, 224).stages[0][0]))
      64 × 56 × 56
      ●─────────────────────┐
      │ conv1  3×3 conv, 64 │ identity
      │ bn1    batch norm   │
      │ act1   ReLU         │
      │ conv2  3×3 conv, 64 │
      │ bn2    batch norm   │
      ⊕ ←───────────────────┘
      │ act2   ReLU
      ▼
      64 × 56 × 56
    """
    trunk = _lane([*block.preact, *block.branch, *block.after_add])
    preact = trunk[: len(block.preact)]
    branch = trunk[len(preact) : len(preact) + len(block.branch)]
    after = trunk[len(preact) + len(branch) :]
    lines = ["  " + shape_words(block.input_shape)]
    if block.kind == "plain":
        lines += [f"  │ {line}".rstrip() for line in trunk]
        return "\n".join([*lines, "  ▼", "  " + shape_words(block.output_shape)])
    sides = [_lane(block.gate)] if block.gate else []
    sides.append(_lane(block.skip) or ["identity"])
    width = max(len(line) for line in [*preact, *branch])
    rows = max(len(branch), *(len(lane) for lane in sides))
    above = [""] * (rows - len(branch))
    lanes = [_pad([*branch, *above], width)] + [
        _pad([*[""] * (rows - len(lane)), *lane] if block.skip else [*lane, *[""] * (rows - len(lane))], 0)
        for lane in sides
    ]
    before = _pad(preact, width)
    if block.skip_reads == "input" and before:
        skips = [" " * len(lane[0]) for lane in lanes[1:]]
        body = [_row([line, *skips]) for line in before]
        fork = [_fork(lanes)]
    else:
        body = []
        lines += [f"  │ {line}".rstrip() for line in before]
        fork = [_fork(lanes)]
    lines += fork + body + [_row(list(cells)) for cells in zip(*lanes, strict=True)]
    lines.append("  ⊕ ←" + _rule(lanes)[2:] + "┘")
    lines += [f"  │ {line}".rstrip() for line in after]
    return "\n".join([*lines, "  ▼", "  " + shape_words(block.output_shape)])


def network_text(network: NetworkWiring) -> str:
    """A whole network, one line per part; runs of equal blocks are folded."""
    rows = [("input", "", shape_words(network.input_shape)), ("stem", steps_words(network.stem, " · "), "")]
    for number, stage in enumerate(network.stages, start=1):
        rows += [
            (f"stage {number}" if i == 0 else "", _fold_words(one), "") for i, one in enumerate(_runs(fold(stage)))
        ]
        rows[-1] = (*rows[-1][:2], shape_words(stage[-1].output_shape))
    rows[1] = (*rows[1][:2], shape_words(network.stem[-1].output_shape))
    if network.tail:
        rows.append(("tail", steps_words(network.tail, " · "), shape_words(network.tail[-1].output_shape)))
    names, words = (max(len(row[i]) for row in rows) for i in (0, 1))
    lines = []
    for i, (name, what, shape) in enumerate(rows):
        sign = "▼" if i == len(rows) - 1 else ("●" if name else "│")
        lines.append(f"  {sign} {name:<{names}}  {what:<{words}}  {shape}".rstrip())
    return "\n".join([*lines, "", f"in each block, in order: {order_words(network.stages[0][-1])}"])


def _lane(steps: Sequence[DrawnStep]) -> list[str]:
    """Names and words of steps, in two columns."""
    names = max((len(step.name) for step in steps), default=0)
    return [f"{step.name:<{names}}  {step.words}" if names else step.words for step in steps]


def _pad(lane: Sequence[str], width: int) -> list[str]:
    width = max([width, *(len(line) for line in lane)])
    return [f"{line:<{width}}" for line in lane]


def _row(cells: Sequence[str]) -> str:
    return ("  │ " + " │ ".join(cells)).rstrip()


def _rule(lanes: Sequence[Sequence[str]]) -> str:
    """The horizontal line from the trunk to the skip, over or under all lanes between."""
    return "─" * (sum(len(lane[0]) + 3 for lane in lanes[:-1]) - 1)


def _fork(lanes: Sequence[Sequence[str]]) -> str:
    corners = ["─" * (len(lane[0]) + 2) for lane in lanes[:-1]]
    return "  ●" + "┬".join(corners) + "┐"


def _runs(folds: Sequence[Fold]) -> list[Fold]:
    """Neighbours that read alike, as one."""
    runs: list[Fold] = []
    for one in folds:
        if runs and _words(runs[-1].block) == _words(one.block):
            runs[-1] = Fold(one.block, runs[-1].count + one.count)
        else:
            runs.append(one)
    return runs


def _words(block: BlockWiring) -> str:
    convs = " · ".join(block.convs)
    return f"[{convs}]  skip: {skip_words(block)}" if block.kind != "plain" else f"[{convs}]  no skip"


def _fold_words(one: Fold) -> str:
    return f"{one.count} × {_words(one.block)}"
