"""Values in which two trees of plain values differ, as tables have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from resnetkit.pages.formatting import flatten


@dataclass(frozen=True)
class ValueDifference:
    """A field that differs, its values as ``--set`` reads them; None where one side lacks it."""

    field: str
    a: str | None
    b: str | None


def differing_values(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[ValueDifference, ...]:
    """Every value in which two trees of plain values differ.

    >>> differing_values({"epochs": 5, "seed": 0}, {"epochs": 9, "seed": 0})
    (ValueDifference(field='epochs', a='5', b='9'),)
    """
    left, right = dict(flatten(a)), dict(flatten(b))
    return tuple(
        ValueDifference(path, left.get(path), right.get(path))
        for path in dict.fromkeys([*left, *right])
        if left.get(path) != right.get(path)
    )
