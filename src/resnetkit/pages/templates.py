"""Pages from templates: self-contained HTML, in one style, where a missing value is an error and not a blank."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from resnetkit.pages.charts import interval_bar
from resnetkit.pages.formatting import cell, duration, flatten, percent, percent_digits
from resnetkit.terminal import shown_lines

FILTERS: Mapping[str, Callable[..., Any]] = {
    "percent": percent,
    "percent_digits": percent_digits,
    "duration": duration,
    "cell": cell,
    "flatten": flatten,
    "interval_bar": interval_bar,
}


def fill_template(name: str, filters: Mapping[str, Callable[..., Any]] | None = None, **values: Any) -> str:
    """The text of a page; the arguments are those of :func:`stream_template`."""
    return "".join(stream_template(name, filters, **values))


def stream_template(name: str, filters: Mapping[str, Callable[..., Any]] | None = None, **values: Any) -> Iterator[str]:
    """Yield the text of a page piece by piece; what it goes through in a loop may be an iterator, and is not kept.

    Args:
        name: a template's path within this package, as ``runs/report.html.jinja``; templates include one another by
            such paths, and all of them ``pages/style.css.jinja``.
        filters: those of this page, beside :data:`FILTERS`.
        values: what the template names.
    """
    environment = _new_environment(filters) if filters else _usual_environment()
    return map(shown_lines, environment.get_template(name).generate(**values))


def for_script(values: Any) -> Markup:
    """Plain values as the content of ``<script type="application/json">``, in ASCII; what is not finite is null.

    What would end the element, or would be taken for an address with a password, is written as escapes of JSON.

    >>> print(for_script(["</script>", "café", float("nan")]))
    ["\\u003c/script\\u003e","caf\\u00e9",null]
    """
    text = json.dumps(_finite(values), separators=(",", ":"))
    return Markup(text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&@"}))


def _finite(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def _new_environment(filters: Mapping[str, Callable[..., Any]]) -> Environment:
    environment = Environment(
        loader=PackageLoader("resnetkit", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {**FILTERS, **filters}
    return environment


@cache
def _usual_environment() -> Environment:
    """The environment without filters of a page's own, which keeps templates that are filled again and again."""
    return _new_environment({})
