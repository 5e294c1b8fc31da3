"""Fields in which two networks compute differently (no torch here)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from resnetkit.config import to_dict
from resnetkit.models.effects import simplify
from resnetkit.models.spec import ResNetSpec

# Of a spec, what decides how a network starts or trains, not what it computes in use.
OF_TRAINING = ("initialization", "stochastic_depth_rate", "block.drop_rate", "first_block.drop_rate", "norm.momentum")


def differing_fields(a: ResNetSpec, b: ResNetSpec) -> dict[str, tuple[Any, Any]]:
    """Fields in which two networks compute differently, with both values; head and input channels aside.

    >>> from resnetkit.models.spec import BOTTLENECK, BOTTLENECK_V1
    >>> one, other = (ResNetSpec(block, (2,), (64,), (2,)) for block in (BOTTLENECK, BOTTLENECK_V1))
    >>> differing_fields(one, other)
    {'block.strided_conv': (1, 0)}
    """
    b = replace(b, num_classes=a.num_classes, in_channels=a.in_channels)
    one, other = (dict(_leaves(to_dict(simplify(spec)))) for spec in (a, b))
    values = {path: (one.get(path), other.get(path)) for path in {**one, **other}}
    return {path: pair for path, pair in values.items() if pair[0] != pair[1] and not path.startswith(OF_TRAINING)}


def _leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(tree, dict):
        yield path, tree
        return
    for name, value in tree.items():
        yield from _leaves(value, f"{path}.{name}" if path else name)
