"""Values in which two runs differ, of all that was known when they began."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from resnetkit.config import to_dict
from resnetkit.pages.differences import ValueDifference, differing_values
from resnetkit.runs.record import Record


@dataclass(frozen=True)
class RecordDifferences:
    """Values that differ, and no others.

    Attributes:
        recipe: how they were trained; those of the network, and where the data are, among them.
        data: the images themselves: their fingerprint, classes and numbers.
        weights: the file that they start from, by its content.
        environment: machine and versions.
    """

    recipe: tuple[ValueDifference, ...]
    data: tuple[ValueDifference, ...]
    weights: tuple[ValueDifference, ...]
    environment: tuple[ValueDifference, ...]

    @property
    def is_empty(self) -> bool:
        """Tell whether the two began alike in everything."""
        return not (self.recipe or self.data or self.weights or self.environment)

    def as_values(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def differing_records(a: Record, b: Record) -> RecordDifferences:
    """Compare all that two records say, but for the command and what was warned of."""
    left, right = to_dict(a), to_dict(b)
    unread = {"command", "reasons", "warnings"}
    parts = {name: differing_values(left[name] or {}, right[name] or {}) for name in left.keys() - unread}
    return RecordDifferences(**parts)
