"""Networks by name as parameters of tests, where deep ones take seconds to build."""

from collections.abc import Iterable

import pytest

from resnetkit.models.catalog import find_entry

MOST_BLOCKS = 16  # of a network that is built at once


def deep_ones_slow(names: Iterable[str]) -> list[object]:
    """The names, those of networks of many blocks marked as slow."""
    slow = pytest.mark.slow
    return [pytest.param(n, marks=slow) if sum(find_entry(n).spec.depths) > MOST_BLOCKS else n for n in names]
