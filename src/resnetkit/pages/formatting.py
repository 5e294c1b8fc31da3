"""Write values as a report's page has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def percent(share: float, decimals: int | None = None) -> str:
    """A share as a percentage that no line break tears apart, by default with as few decimals as it needs.

    >>> [text.replace(NO_BREAK_SPACE, " ") for text in (percent(0.5), percent(0.98333), percent(0.98333, 1))]
    ['50 %', '98.33 %', '98.3 %']
    """
    digits = f"{100 * share:.4g}" if decimals is None else f"{100 * share:.{decimals}f}"
    return f"{digits}{NO_BREAK_SPACE}%"


def duration(seconds: float) -> str:
    """A time in the two largest units that matter.

    >>> duration(8.25), duration(75), duration(7380)
    ('8.2 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def cell(value: object) -> str:
    """A table cell: numbers with thousands separators, shapes with crosses.

    >>> cell(1234567), cell((64, 8, 8)), cell("stem")
    ('1,234,567', '64 × 8 × 8', 'stem')
    """
    if isinstance(value, int):
        return f"{value:,}"
    return " × ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested JSON values as (dotted path, value) pairs, written as ``--set`` reads them.

    >>> flatten({"epochs": 15, "optimizer": {"kind": "sgd", "clip": None}})
    [('epochs', '15'), ('optimizer.kind', 'sgd'), ('optimizer.clip', 'null')]
    """
    rows = []
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            rows += flatten(value, f"{prefix}{key}.")
        else:
            is_text = isinstance(value, str)
            rows.append((f"{prefix}{key}", value if is_text else json.dumps(value, ensure_ascii=False, default=str)))
    return rows
