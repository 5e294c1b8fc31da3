"""Lessons that two networks teach, told with their own numbers: a table, each with the case it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from resnetkit.anatomy.block_picture import place_words
from resnetkit.anatomy.memory import Memory
from resnetkit.anatomy.skip_words import is_plain, join_words, keeps_skip_whole
from resnetkit.anatomy.table import Description
from resnetkit.anatomy.wiring import BlockWiring, NetworkWiring
from resnetkit.models.spec import ResNetSpec
from resnetkit.pages.formatting import plain_percent


@dataclass(frozen=True)
class Side:
    """One of two networks and everything known about it."""

    name: str
    spec: ResNetSpec
    description: Description
    memory: Memory
    wiring: NetworkWiring

    @property
    def blocks(self) -> list[BlockWiring]:
        """All blocks in order."""
        return [block for stage in self.wiring.stages for block in stage]


@dataclass(frozen=True)
class Lesson:
    """``tell`` writes the text; None: the lesson says nothing about these two."""

    title: str
    tell: Callable[[Side, Side], str | None]


def teach(a: Side, b: Side) -> tuple[tuple[str, str], ...]:
    """The lessons these two networks give, as (title, text)."""
    told = ((lesson.title, lesson.tell(a, b)) for lesson in LESSONS)
    return tuple((title, text) for title, text in told if text)


def _tell_names(a: Side, b: Side) -> str:
    return " ".join(
        f"{side.name} has {side.description.layers_in_words} ({_number(len(side.blocks), 'block')} of "
        f"{_number(len(side.spec.block.kernel_sizes), 'conv')})."
        for side in (a, b)
    )


def _tell_blocks(a: Side, b: Side) -> str:
    definition = {
        "identity": "In an identity block the skip hands its input on untouched, so that the branch only adds a "
        "correction; that needs input and output of one shape.",
        "projection": "In a projection block (also called a conv block) the skip has a 1×1 conv of its own, as it "
        "needs where the shape changes.",
        "shape-matching": "In a shape-matching block the skip follows a change of shape without weights, by leaving "
        "out pixels or appending zeros.",
        "plain": "A plain block has no skip.",
    }
    present = {block.kind for side in (a, b) for block in side.blocks}
    definitions = [words for kind, words in definition.items() if kind in present]
    return " ".join([*definitions, *filter(None, map(_tell_addition, (a, b))), _places(a), _places(b)])


def _tell_addition(side: Side) -> str:
    """Tell what is added where that is more than the skip and the branch as they are."""
    join = side.spec.block.join
    if is_plain(side.spec) or keeps_skip_whole(join):
        return ""
    return f"In {side.name} the addition then changes what the skip hands on: {join_words(join)}."


def _places(side: Side) -> str:
    kinds: dict[str, list[tuple[int, int]]] = {}
    for block in side.blocks:
        kinds.setdefault(block.kind, []).extend(block.places)
    parts = [f"{len(places)} {kind} ({place_words(places)})" for kind, places in kinds.items()]
    return f"{side.name}: {' and '.join(parts)}."


def _tell_bottleneck(a: Side, b: Side) -> str | None:
    """Tell why 1×1 – 3×3 – 1×1 is cheaper, on an identity block of the first network that has such blocks."""
    sides = [side for side in (a, b) if side.spec.block.kernel_sizes == (1, 3, 1)]
    if not sides or a.spec.block.kernel_sizes == b.spec.block.kernel_sizes:
        return None
    side = sides[0]
    found = [block for block in side.blocks if block.input_shape == block.output_shape]
    if not found:
        return None
    block = found[-1]
    wide = block.output_shape[0]
    narrow = next(step for step in block.branch if step.kind == "conv").output_shape[0]
    squeeze, work, groups = wide * narrow, 9 * narrow * narrow // side.spec.block.groups, side.spec.block.groups
    cost, at_full, at_inner = 2 * squeeze + work, 2 * 9 * wide * wide, 2 * 9 * narrow * narrow
    grouped = f" in {groups} groups" if groups > 1 else ""
    ((stage, number),) = block.places
    return (
        f"In stage {stage}, block {number} of {side.name}, {wide} channels come in. Two 3×3 convs at that width would "
        f"have 2 · 9 · {wide} · {wide} = {at_full:,} weights. The bottleneck has {wide} · {narrow} = {squeeze:,} (1×1 "
        f"down) + {work:,} (3×3 on {narrow} channels{grouped}) + {squeeze:,} (1×1 up) = {cost:,}: "
        f"{at_full / cost:.1f} times fewer. Two 3×3 convs on {narrow} channels, a basic block of that stage, have "
        f"{at_inner:,}. So a bottleneck costs {cost / at_inner:.2f} times a basic block, and hands on "
        f"{wide // narrow} times as many features. On one map size, multiply-adds stand in the same ratio."
    )


def _tell_width(a: Side, b: Side) -> str | None:
    left, right = ([stage[-1].output_shape[0] for stage in side.wiring.stages] for side in (a, b))
    if left == right:
        return None
    pairs = (f"stage {i}: {m} and {n}" for i, (m, n) in enumerate(zip(left, right, strict=False), start=1))
    ratios = {n / m for m, n in zip(left, right, strict=False)}
    always = f", {ratios.pop():g} times in every stage" if len(ratios) == 1 else ""
    return (
        f"Channels handed on by {a.name} and {b.name}: {'; '.join(pairs)}. The head reads {left[-1]} and {right[-1]} "
        f"features{always}."
    )


def _tell_parameters(a: Side, b: Side) -> str:
    return " ".join(_shares(side) for side in (a, b))


def _shares(side: Side) -> str:
    total = side.description.parameters
    rows = [
        row for row in side.description.rows if row.parameters and (row.name.startswith("stage") or row.name == "head")
    ]
    shares = ", ".join(f"{row.name} {plain_percent(row.parameters / total, 1)}" for row in rows)
    convs = [row for row in rows if row.name.startswith("stage")]
    costly = max(convs, key=lambda row: row.multiply_adds)
    return (
        f"{side.name}: {shares} of {total:,} parameters; most multiply-adds are in {costly.name} "
        f"({plain_percent(costly.multiply_adds / side.description.multiply_adds, 1)})."
    )


def _tell_receptive_field(a: Side, b: Side) -> str:
    parts = []
    for side in (a, b):
        seen, size = side.description.receptive_field_px, side.description.input_shape[1]
        verdict = "more than" if seen > size else "of"
        parts.append(f"{side.name} {seen} px, {verdict} the image's {size}")
    has_bottlenecks = any(side.spec.block.kernel_sizes == (1, 3, 1) for side in (a, b))
    bottlenecks = "; a 1×1 conv adds nothing, so a bottleneck widens it by its one 3×3 conv" if has_bottlenecks else ""
    return (
        f"Side of the square that one pixel of the last feature map can depend on: {', '.join(parts)}. Every conv and "
        f"every pool adds (kernel − 1) × the product of the strides before it{bottlenecks}."
    )


def _megabytes(count: int) -> str:
    """A number of bytes in words.

    >>> _megabytes(22_240_000), _megabytes(12_544)
    ('22.2 MB', '0.013 MB')
    """
    return f"{count / 1e6:.1f} MB" if count >= 950_000 else f"{count / 1e6:.2g} MB"


def _tell_memory(a: Side, b: Side) -> str:
    parts = [
        f"{side.name} {_megabytes(side.memory.kept_bytes)} an image in training, "
        f"{_megabytes(side.memory.peak_bytes)} in use, {_megabytes(side.memory.parameter_bytes)} of weights"
        for side in (a, b)
    ]
    return (
        f"In float32: {'; '.join(parts)}. Training keeps every map that a gradient needs until the backward pass; use "
        "keeps only what the next layer and a skip still read, and what a stage was given until it ends."
    )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


LESSONS = (
    Lesson("What the layers are", _tell_names),
    Lesson("Which blocks are which", _tell_blocks),
    Lesson("Why 1×1 – 3×3 – 1×1", _tell_bottleneck),
    Lesson("How wide the features are", _tell_width),
    Lesson("Where the parameters sit", _tell_parameters),
    Lesson("What a pixel sees", _tell_receptive_field),
    Lesson("What memory it takes", _tell_memory),
)
