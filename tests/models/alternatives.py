"""Every alternative that a network's spec leaves a choice between, found by walking the types of its fields.

A new member of a union, a new word of a ``Literal`` and every order that :class:`ActivationOrder` allows are found
without being named here; only what no default value can say has an example.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import replace
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from resnetkit.errors import ResnetkitError
from resnetkit.models import spec as specs
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import (
    BASIC,
    BOTTLENECK_PREACT,
    STEM_3X3,
    SUBSAMPLE,
    ActivationOrder,
    Block,
    GroupNorm,
    Join,
    Projection,
    ResNetSpec,
)

# Two networks in which every choice can have an effect: one block of each stage only shrinks in the second.
SMALL = ResNetSpec(BASIC, (2, 1), (8, 16), (1, 2), stem=replace(STEM_3X3, widths=(8,)), num_classes=5)
PREACTIVATED = replace(
    SMALL,
    block=replace(BOTTLENECK_PREACT, expansion=2, shrink=SUBSAMPLE),
    widths=(8, 8),
    strides=(2, 2),
    strided_block="last",
)
EXAMPLES: dict[Any, Any] = {
    GroupNorm: GroupNorm(groups=4),
    Block: replace(BASIC, project="always"),
}  # where the defaults do not fit these networks
NUMBERS: dict[str, Any] = {  # what has an effect only off its default, and is no choice between alternatives
    "block.drop_rate": 0.3,
    "block.groups": 2,
    "block.group_width": 128,
    "block.expansion": 2,
    "block.strided_conv": 1,
    "block.kernel_sizes": (3, 1, 3),
    "stochastic_depth_rate": 0.2,
    "in_channels": 1,
    "num_classes": None,
    "stem.bias": True,
    "stem.stride": 2,
    "norm.eps": 1e-3,
    "norm.momentum": 0.01,
}


def resolve(annotation: Any) -> Any:
    """An annotation without ``Annotated`` around it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; the annotation itself where it is none."""
    annotation = resolve(annotation)
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def legal_orders() -> list[ActivationOrder]:
    """Every value that :class:`ActivationOrder` does not refuse."""
    domains = [list(_values(hint)) for hint in get_type_hints(ActivationOrder, include_extras=True).values()]
    orders = []
    for values in itertools.product(*domains):
        try:
            orders.append(ActivationOrder(*values))
        except ResnetkitError:
            continue
    return orders


def _values(annotation: Any) -> Iterator[Any]:
    """All values of a small type; of tuples of any length those of up to three."""
    annotation, arguments = resolve(annotation), get_args(resolve(annotation))
    if annotation is bool:
        yield from (False, True)
    elif get_origin(annotation) is Literal:
        yield from arguments
    elif get_origin(annotation) is tuple and arguments[-1] is ...:
        items = list(_values(arguments[0]))
        yield from itertools.chain.from_iterable(itertools.product(items, repeat=length) for length in range(4))
    elif get_origin(annotation) is tuple:
        yield from itertools.product(*map(_values, arguments))
    else:
        raise NotImplementedError(f"no list of all values of {annotation}")


PROJECTIONS = tuple(value for value in vars(specs).values() if isinstance(value, Projection))


def change(value: Any, path: str, new: Any) -> Any:
    """A copy of a tree of dataclasses with one field changed."""
    name, _, rest = path.partition(".")
    return replace(value, **{name: change(getattr(value, name), rest, new) if rest else new})


def alternatives(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(path, alternative) for each choice in a tree of dataclasses, and for each choice inside an alternative."""
    hints = get_type_hints(type(value), include_extras=True)
    for field in dataclasses.fields(value):
        path, annotation = f"{prefix}{field.name}", resolve(hints[field.name])
        for option in _options(annotation):
            yield path, option
            if dataclasses.is_dataclass(option) and type(option) not in (Block, Projection, ActivationOrder):
                for inner, item in alternatives(option, ""):
                    yield path, change(option, inner, item)
        now = getattr(value, field.name)
        if dataclasses.is_dataclass(now) and len(members(annotation)) == 1 and not _options(annotation):
            yield from alternatives(now, f"{path}.")


def _options(annotation: Any) -> list[Any]:
    arguments = get_args(annotation)
    if annotation is ActivationOrder:
        return list(legal_orders())
    if annotation is Projection:
        return list(PROJECTIONS)
    if annotation is bool or get_origin(annotation) is Literal:
        return list(_values(annotation))
    if get_origin(annotation) is tuple and get_origin(arguments[0]) is Literal:
        words = get_args(arguments[0])
        return [(), *((word,) for word in words), words]
    if len(members(annotation)) > 1:
        found: list[Any] = []
        for member in members(annotation):
            if member is Projection:
                found += PROJECTIONS
            elif get_origin(member) is tuple or get_origin(member) is Literal:
                found += _options(member)
            elif member is type(None):
                found.append(None)
            elif dataclasses.is_dataclass(member):
                found.append(EXAMPLES.get(member) or member())
        return found
    return []


def find_specs(base: ResNetSpec, *, under: str = "") -> Iterator[tuple[str, ResNetSpec]]:
    """(path, network) for each alternative to a network that its spec allows; ``under`` keeps those of one part."""
    for path, option in itertools.chain(alternatives(base), NUMBERS.items()):
        if not path.startswith(under):
            continue
        # A feature map without pooling has no head.
        headless = replace(base, num_classes=None) if option == "none" and path == "pooling" else base
        try:
            changed = change(headless, path, option)
            ResNet(changed)
        except ResnetkitError:
            continue  # an alternative that does not go with the rest of this network
        yield path, changed


def joined_orders() -> Iterator[ResNetSpec]:
    """Every join in every order: the two choices that decide together how a block is wired."""
    for order, join in itertools.product(legal_orders(), members(Join)):
        yield replace(SMALL, block=replace(BASIC, order=order, join=EXAMPLES.get(join) or join()))


EVERY_SPEC: dict[ResNetSpec, str] = {
    **{spec: f"preactivated {path}" for path, spec in find_specs(PREACTIVATED, under="block")},
    **dict.fromkeys(joined_orders(), "order and join"),
    **{spec: path for path, spec in find_specs(SMALL)},
    PREACTIVATED: "preactivated",
    SMALL: "small",
}
