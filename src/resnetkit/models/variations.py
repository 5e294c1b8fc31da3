"""A small grammar for variations of a network, written behind its name (no torch here).

``resnet110[join=shortcut_gate,bias=-6]`` is ResNet-110 with gated shortcuts. In the brackets stand, between commas:

- a named part: ``block``, ``order``, ``shortcut``, ``join``, ``stem``, with the names of the tables below;
- a number or word under a short name (:data:`SHORT_NAMES`), such as ``classes=10``;
- ``depth=N``, the number of layers, for networks of three equal stages;
- any field of the spec by its dotted path, such as ``block.strided_conv=0`` or ``widths=[32,64,128]``.

The order of the settings does not matter: parts come first, their fields after them, and last what follows from the
block as it then is: the number of blocks for a depth, and the first unit of a pre-activated network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from resnetkit.config import override
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.models.spec import (
    ACT_AROUND_ADD,
    ACT_BEFORE_ADD,
    ACT_ONLY_PREACT,
    AVGPOOL_CONV_BN,
    AVGPOOL_CONV_OF_PREACT,
    BASIC,
    BOTTLENECK,
    BOTTLENECK_V1,
    CONV_BN,
    CONV_OF_PREACT,
    FULL_PREACT,
    NORM_AFTER_ADD,
    ORIGINAL,
    STEM_3X3,
    STEM_7X7,
    STEM_DEEP,
    STEM_TIERED,
    ZERO_PAD,
    ActivationOrder,
    Add,
    Block,
    DropoutAdd,
    GatedAdd,
    Join,
    NoSkip,
    Projection,
    ResNetSpec,
    ScaledAdd,
    Stem,
)

T = TypeVar("T")

BLOCKS: dict[str, Block] = {"basic": BASIC, "bottleneck": BOTTLENECK, "bottleneck_v1": BOTTLENECK_V1}
ORDERS: dict[str, ActivationOrder] = {  # arXiv:1603.05027, Figure 4 (a) to (e), and one of a tutorial
    "original": ORIGINAL,
    "norm_after_add": NORM_AFTER_ADD,
    "act_before_add": ACT_BEFORE_ADD,
    "act_only_preact": ACT_ONLY_PREACT,
    "full_preact": FULL_PREACT,
    "act_around_add": ACT_AROUND_ADD,
}
JOINS: dict[str, Join] = {  # arXiv:1603.05027, Table 1
    "add": Add(),
    "scaling": ScaledAdd(),
    "exclusive_gate": GatedAdd(exclusive=True),
    "shortcut_gate": GatedAdd(),
    "dropout": DropoutAdd(),
    "none": NoSkip(),
}
SHORTCUTS = ("A", "B", "C", "D")  # arXiv:1512.03385, Section 4.1; D: arXiv:1812.01187
STEMS: dict[str, Stem] = {"7x7": STEM_7X7, "3x3": STEM_3X3, "deep": STEM_DEEP, "tiered": STEM_TIERED}
SHORT_NAMES = {
    "classes": "num_classes",
    "channels": "in_channels",
    "drop": "block.drop_rate",
    "attention": "block.attention.kind",
    "downsampling": "block.downsampling",
    "groups": "block.groups",
    "group_width": "block.group_width",
    "bias": "block.join.gate_bias",
    "skip_scale": "block.join.skip_scale",
    "branch_scale": "block.join.branch_scale",
    "skip_drop": "block.join.drop_rate",
    "norm": "norm.kind",
    "pool": "stem.pool",
    "stochastic_depth": "stochastic_depth_rate",
    "zero_last": "initialization.zero_last",
}

SKIP_KEYS = ("shortcut", "block.projection", "block.project", "block.shrink", "block.identity_reads")


def split_name(text: str) -> tuple[str, dict[str, str]]:
    """A name and the settings in the brackets behind it.

    >>> split_name("resnet20[widths=[8,16,32],classes=5]")
    ('resnet20', {'widths': '[8,16,32]', 'classes': '5'})

    Raises:
        ResnetkitError: for brackets that hold no ``key=value`` list.
    """
    name, bracket, rest = text.partition("[")
    if not bracket:
        return text, {}
    require(rest.endswith("]"), f"'{text}' must end in ']'", fix="e.g. resnet110[join=shortcut_gate,bias=-6]")
    settings: dict[str, str] = {}
    for part in _split_at_commas(rest[:-1]):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        require(
            bool(key and equals and value),
            f"'{text}' must hold key=value between commas, got '{part}'",
            fix="e.g. resnet110[join=shortcut_gate,bias=-6]",
        )
        require(key not in settings, f"'{text}' sets {key} twice", fix="leave one of them out")
        settings[key] = value
    return name, settings


def _split_at_commas(text: str) -> list[str]:
    """The parts between commas that stand in no brackets of their own."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "[{(") - (sign in "]})")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def vary(spec: ResNetSpec, settings: Mapping[str, str]) -> ResNetSpec:
    """A spec with parts and fields replaced, as the grammar says.

    >>> from resnetkit.models.spec import cifar_resnet
    >>> vary(cifar_resnet(20), {"depth": "56", "block.strided_conv": "1"}).depths
    (9, 9, 9)

    Raises:
        ResnetkitError: for an unknown part, field or value, with the nearest one.
    """
    before, fields = spec.block.order, _find_fields(spec, settings)
    for key, change in _PARTS.items():
        if key in settings:
            spec = change(spec, settings[key])
    _check_join_fields(spec, settings, fields)
    if spec.first_block is not None:
        of_first = {f"first_{path}": value for path, value in fields.items() if path.startswith("block.")}
        fields = of_first | fields  # what is said of the first block itself has the last word
    spec = override(spec, fields) if fields else spec
    is_reordered = "order" in settings and spec.block.order != before
    if is_reordered and not any(path.startswith("first_block") for path in fields):
        spec = _settle_first_block(spec)
    if "depth" in settings:  # last, since it counts the block's convs
        require("depths" not in settings, "depth and depths both set the blocks", fix="leave one of them out")
        spec = _set_depth(spec, settings["depth"])
    return spec


def _find_fields(spec: ResNetSpec, settings: Mapping[str, str]) -> dict[str, str]:
    """The settings that are no parts, by the paths of their fields."""
    fields: dict[str, str] = {}
    for key, value in settings.items():
        path = SHORT_NAMES.get(key, key)
        if key in (*_PARTS, "depth"):
            continue
        if "." not in path and not hasattr(spec, path):
            raise ResnetkitError(
                Code.USAGE,
                f"no variation '{path}'",
                fix=f"{did_you_mean(path, (*_PARTS, 'depth', *SHORT_NAMES))}, or a field of the spec such as "
                "block.strided_conv",
            )
        require(path not in fields, f"{key} sets {path} a second time", fix="leave one of them out")
        fields[path] = value
    return fields


def _check_join_fields(spec: ResNetSpec, settings: Mapping[str, str], fields: Mapping[str, str]) -> None:
    """Refuse a number that belongs to another join than the network's."""
    if "block.join" in fields:
        return
    kind = fields.get("block.join.kind", spec.block.join.kind)
    for key in settings:
        owner = _OWNERS.get(SHORT_NAMES.get(key, key))
        require(
            owner is None or owner.kind == kind,
            f"{key} belongs to {owner and owner.words}, which this network does not have",
            fix=f"add {owner and owner.setting}",
        )


def _named(table: Mapping[str, T], part: str, name: str) -> T:
    if name not in table:
        raise ResnetkitError(Code.USAGE, f"no {part} '{name}'", fix=did_you_mean(name, table))
    return table[name]


def _change_blocks(spec: ResNetSpec, change: Callable[[Block], Block]) -> ResNetSpec:
    first = None if spec.first_block is None else change(spec.first_block)
    return replace(spec, block=change(spec.block), first_block=first)


def _vary_block(spec: ResNetSpec, name: str) -> ResNetSpec:
    """Other convs in the same number of blocks: ResNet-34 becomes 50, ResNet-110 becomes 164."""
    kind = _named(BLOCKS, "block", name)
    shape = {"kernel_sizes": kind.kernel_sizes, "strided_conv": kind.strided_conv, "expansion": kind.expansion}
    return _change_blocks(spec, lambda block: replace(block, **shape))  # type: ignore[arg-type]


def _set_depth(spec: ResNetSpec, text: str) -> ResNetSpec:
    """Set as many blocks as make that many layers, by the block as it is."""
    num_convs = len(spec.block.kernel_sizes)
    convs = len(spec.depths) * num_convs
    require(
        len(set(spec.depths)) == 1 and len(spec.depths) == 3,
        f"depth is for networks of three equal stages, this one has blocks {spec.depths}",
        fix="set depths, e.g. depths=[3,4,6,3]",
    )
    examples = ", ".join(str(convs * n + 2) for n in (1, 2, 3, 9, 18))
    require(text.isdecimal(), f"depth must be a whole number, got '{text}'", fix=f"e.g. depth={convs * 3 + 2}")
    blocks, rest = divmod(int(text) - 2, convs)
    require(
        blocks >= 1 and rest == 0, f"depth must be {convs}n+2 for this block, got {text}", fix=f"such as {examples}"
    )
    return replace(spec, depths=(blocks,) * 3)


def _vary_order(spec: ResNetSpec, name: str) -> ResNetSpec:
    """Another activation order, with the projections, the stem's steps and the tail that go with it."""
    order = _named(ORDERS, "order", name)
    if order == spec.block.order:
        return spec
    stem = replace(spec.stem, steps=None)
    changed = _change_blocks(spec, lambda block: _reorder(block, order))
    return replace(changed, stem=stem, tail=None)


def _reorder(block: Block, order: ActivationOrder) -> Block:
    """A block of another order; a projection with a conv has a norm of its own unless it reads a normalised input."""

    def fit(projection: Projection) -> Projection:
        if "conv" not in projection.steps:
            return projection
        conv = CONV_OF_PREACT if order == FULL_PREACT else CONV_BN
        pooled = AVGPOOL_CONV_OF_PREACT if order == FULL_PREACT else AVGPOOL_CONV_BN
        return pooled if "avgpool" in projection.steps else conv

    return replace(block, order=order, projection=fit(block.projection), identity_reads="input")


def _settle_first_block(spec: ResNetSpec) -> ResNetSpec:
    """Take the paper's first unit where the order calls for one, and none elsewhere."""
    block = spec.block
    starts_with_identity = (
        spec.stem.widths[-1] == spec.widths[0] * block.expansion
        and spec.strides[0] == 1
        and block.project == "shape_change"
    )
    if block.order.preact and starts_with_identity:
        # The stem's output is activated before the first block forks (arXiv:1603.05027, Appendix).
        return replace(spec, first_block=replace(block, identity_reads="preact"))
    return replace(spec, first_block=None)


def _vary_shortcut(spec: ResNetSpec, name: str) -> ResNetSpec:
    """Option A, B or C, or D: what skips do where the shape changes, and in C everywhere."""
    _named(dict.fromkeys(SHORTCUTS), "shortcut", name)

    def change(block: Block) -> Block:
        bare = block.order == FULL_PREACT
        conv = CONV_OF_PREACT if bare else CONV_BN
        pooled = AVGPOOL_CONV_OF_PREACT if bare else AVGPOOL_CONV_BN
        projection = {"A": ZERO_PAD, "B": conv, "C": conv, "D": pooled}[name]
        return replace(block, projection=projection, project="always" if name == "C" else "shape_change")

    return _change_blocks(spec, change)


def _vary_join(spec: ResNetSpec, name: str) -> ResNetSpec:
    join = _named(JOINS, "join", name)
    return _change_blocks(spec, lambda block: replace(block, join=join))


def _vary_stem(spec: ResNetSpec, name: str) -> ResNetSpec:
    """Another stem, as wide at its end as the one it replaces."""
    stem, width = _named(STEMS, "stem", name), spec.stem.widths[-1]
    return replace(spec, stem=replace(stem, widths=(*stem.widths[:-1], width)))


@dataclass(frozen=True)
class _Owner:
    """The join that has a field: its kind, what it is in words, and the setting that brings it."""

    kind: str
    words: str
    setting: str


_GATE = _Owner("gated_add", "a gate", "join=shortcut_gate or join=exclusive_gate")
_SCALING = _Owner("scaled_add", "constant scaling", "join=scaling")
_OWNERS = {
    "block.join.gate_bias": _GATE,
    "block.join.exclusive": _GATE,
    "block.join.skip_scale": _SCALING,
    "block.join.branch_scale": _SCALING,
    "block.join.drop_rate": _Owner("dropout_add", "dropout on the skip", "join=dropout"),
}
_PARTS: dict[str, Callable[[ResNetSpec, str], ResNetSpec]] = {  # applied in this order
    "block": _vary_block,
    "order": _vary_order,
    "shortcut": _vary_shortcut,
    "join": _vary_join,
    "stem": _vary_stem,
}
