"""Pages from templates: self-contained HTML, in one style, where a missing value is an error and not a blank."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from resnetkit.pages.charts import interval_bar
from resnetkit.pages.formatting import cell, duration, flatten, percent
from resnetkit.terminal import shown_lines

FILTERS: Mapping[str, Callable[..., Any]] = {
    "percent": percent,
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
