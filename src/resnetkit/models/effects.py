"""Fields of a network's spec that have no effect on it, and networks that cannot learn (no torch here)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from resnetkit.errors import ResnetkitError
from resnetkit.models.places import Place, iter_places
from resnetkit.models.spec import Block, FanInUniform, NoAttention, NoSkip, Projection, ResNetSpec, ScaledAdd

T = TypeVar("T")
DEFAULT = Block()


def simplify(spec: ResNetSpec) -> ResNetSpec:
    """The same network, with every field that has no effect on it at its default.

    Two specs that build the same network, start it alike and train it alike come to one value.

    >>> from resnetkit.models.spec import BASIC, ZERO_PAD
    >>> plain = ResNetSpec(replace(BASIC, join=NoSkip()), (1,), (64,), (1,))
    >>> simplify(replace(plain, block=replace(plain.block, projection=ZERO_PAD))) == simplify(plain)
    True
    """
    spec = _simplify_orders(spec)
    places = list(iter_places(spec))
    first, others = spec.first_block, places if spec.first_block is None else places[1:]
    if first is not None and _simplify_block(first, places[:1]) == _simplify_block(spec.block, places[:1]):
        first, others = None, [replace(place, block=spec.block) for place in places]
    order = spec.block.order
    stem = replace(spec.stem, steps=None) if spec.stem.steps == order.stem else spec.stem
    initialization = spec.initialization
    if spec.num_classes is None:
        initialization = replace(initialization, head=FanInUniform())
    has_choice = any(depth > 1 and stride > 1 for depth, stride in zip(spec.depths, spec.strides, strict=True))
    return replace(
        spec,
        block=_simplify_block(spec.block, others),
        first_block=first and _simplify_block(first, places[:1]),
        stem=stem,
        tail=None if spec.tail == order.preact else spec.tail,
        strided_block=spec.strided_block if has_choice else "first",
        padding=spec.padding if _pads(spec, places) else "symmetric",
        initialization=initialization,
    )


def _simplify_orders(spec: ResNetSpec) -> ResNetSpec:
    """Clear ``after_add`` where it changes nothing: without skips, and without anything done at a branch's end."""

    def move(block: Block) -> Block:
        ends = isinstance(block.attention, NoAttention) and not spec.stochastic_depth_rate
        if not isinstance(block.join, NoSkip) or not ends or spec.initialization.zero_last:
            return block
        return replace(block, order=replace(block.order, after_add=()))

    return replace(spec, block=move(spec.block), first_block=spec.first_block and move(spec.first_block))


def _pads(spec: ResNetSpec, places: Sequence[Place]) -> bool:
    """Tell whether a layer with a stride pads at all: others pad alike in either manner."""
    stem = spec.stem
    in_stem = (stem.stride > 1 and stem.kernel_sizes[0] > 1) or stem.pool in ("max", "zero_padded_max", "conv")
    return in_stem or any(
        place.stride > 1
        and place.block.downsampling == "stride"
        and place.block.kernel_sizes[place.block.strided_conv] > 1
        for place in places
    )


def _simplify_block(block: Block, places: Sequence[Place]) -> Block:
    """A block that stands at these places, with defaults for what has no effect at any of them."""
    places = [replace(place, block=block) for place in places]
    if not places:
        return replace(DEFAULT, order=block.order)
    is_strided, is_one_conv = any(place.stride > 1 for place in places), len(block.kernel_sizes) == 1
    is_grouped = not is_one_conv or max(block.kernel_sizes) > 1
    skips = [place.projection for place in places]
    used = [projection for projection in skips if projection is not None]
    plain = isinstance(block.join, NoSkip)
    forks = bool(block.order.preact)  # without pre-activation both forks are the block's input
    roles = {
        "inner": not is_one_conv,
        "last": True,
        "projection": any("conv" in projection.steps for projection in used),
    }
    simple = replace(
        block,
        strided_conv=block.strided_conv if is_strided else 0,
        groups=block.groups if is_grouped else 1,
        group_width=DEFAULT.group_width if is_one_conv else block.group_width,
        downsampling=block.downsampling if is_strided else "stride",
        identity_reads=block.identity_reads if forks and not plain and None in skips else "input",
        conv_bias=tuple(role for role, has_effect in roles.items() if has_effect and role in block.conv_bias),
    )
    return _simplify_skips(simple, [replace(place, block=simple) for place in places], forks=forks)


def _simplify_skips(block: Block, places: Sequence[Place], *, forks: bool) -> Block:
    skips = [place.projection for place in places]

    def same(**changes: object) -> bool:
        changed = replace(block, **changes)  # type: ignore[arg-type]
        return [replace(place, block=changed).projection for place in places] == skips

    if same(shrink=None):
        block = replace(block, shrink=None)
    for project in ("shape_change", "stage_start"):
        if same(project=project):
            block = replace(block, project=project)
            break
    if same(projection=DEFAULT.projection):
        block = replace(block, projection=DEFAULT.projection)
    if forks:
        return block

    def without_fork(projection: Projection) -> Projection:
        return replace(projection, reads="preact")

    return replace(
        block,
        projection=without_fork(block.projection),
        shrink=None if block.shrink is None else without_fork(block.shrink),
    )


def find_idle(settings: Mapping[str, T], build: Callable[[Mapping[str, T]], ResNetSpec]) -> Iterator[str]:
    """Settings without which the same network is built.

    Left out are those that only spell out what another one brings, as ``bias=-6`` beside ``join=shortcut_gate``.
    """
    whole = simplify(build(settings))
    for key, own in settings.items():
        try:
            build({key: own})
            without = build({other: value for other, value in settings.items() if other != key})
        except ResnetkitError:
            continue  # it needs others, or others need it
        if simplify(without) == whole:
            yield key


def cannot_learn(spec: ResNetSpec) -> list[str]:
    """Sentences about a start that no step of training can leave."""
    join, order = spec.block.join, spec.block.order
    has_skips = not isinstance(join, NoSkip) and not (isinstance(join, ScaledAdd) and join.skip_scale == 0)
    if isinstance(join, ScaledAdd) and join.branch_scale == 0:
        return ["branch_scale=0 leaves the branches out: nothing that they compute or learn has an effect"]
    if not spec.initialization.zero_last:
        return []
    if not has_skips:
        return [
            "zero_last starts every branch at 0, and without skips nothing gets past it: this network cannot learn "
            "(zero_last=false)"
        ]
    _, branch, _ = order.layer_names(len(spec.block.kernel_sizes))
    if branch[-1].startswith("act"):
        return [
            "zero_last starts every branch at 0, where the ReLU at its end passes no gradient: the branches cannot "
            "learn (zero_last=false)"
        ]
    return []
