"""Write values as a report's page has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import ROUND_CEILING, Context
from typing import Any

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
_ONE_DIGIT_UP = Context(prec=1, rounding=ROUND_CEILING)


def counted(number: int, noun: str) -> str:
    """A number of things in words.

    >>> counted(1, "image"), counted(2000, "image"), counted(0, "image")
    ('1 image', '2,000 images', '0 images')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float, decimals: int | None = None) -> str:
    """A share as a percentage that no line break tears apart; the arguments are those of :func:`percent_digits`.

    >>> [text.replace(NO_BREAK_SPACE, " ") for text in (percent(0.5), percent(0.98333), percent(0.98333, 1))]
    ['50 %', '98.33 %', '98.3 %']
    """
    return plain_percent(share, decimals).replace(" ", NO_BREAK_SPACE)


def plain_percent(share: float, decimals: int | None = None) -> str:
    """The same with ordinary spaces, for text that is not on a page.

    >>> plain_percent(0.98333, 1), plain_percent(0.99996, 1), plain_percent(0.00004, 1), plain_percent(0.99996)
    ('98.3 %', '> 99.9 %', '< 0.1 %', '99.996 %')
    """
    return f"{percent_digits(share, decimals)} %"


def percent_digits(share: float, decimals: int | None = None) -> str:
    """A share in percent, never rounded to certainty or to nothing; without the sign, as in intervals.

    Args:
        decimals: left out, there are as few as it needs.

    >>> percent_digits(1, 2), percent_digits(0.99996, 2), percent_digits(0.004, 0), percent_digits(0, 0)
    ('100.00', '> 99.99', '< 1', '0')
    """
    if decimals is None:
        return next(text for digits in range(4, 18) if not _is_certain(text := f"{100 * share:.{digits}g}", share))
    text, least = f"{100 * share:.{decimals}f}", 10**-decimals
    if share > 0 and float(text) == 0:
        return f"< {least:.{decimals}f}"
    return f"> {100 - least:.{decimals}f}" if _is_certain(text, share) else text


def _is_certain(text: str, share: float) -> bool:
    """True where a text says 100 % of a share that is less."""
    return share < 1 and float(text) >= 100


def set_percent(share: float) -> str:
    """A share that somebody set as a percentage, with all the digits that it was set with.

    >>> set_percent(0.05), set_percent(0.9995)
    ('5 %', '99.95 %')
    """
    return f"{100 * share:.12g} %"


def upper_bound(value: float) -> str:
    """The least number of one digit that a value is not above.

    >>> upper_bound(3.1e-06), upper_bound(0.34), upper_bound(7), upper_bound(0)
    ('4e-06', '0.4', '7', '0')
    """
    return f"{float(_ONE_DIGIT_UP.create_decimal_from_float(value)):.1g}"


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
