"""Demands on the answers of a classifier, as data: what its thresholds are to be set for."""

from __future__ import annotations

from typing import Literal

from resnetkit.config import frozen
from resnetkit.errors import require

SetRule = Literal["lac", "aps"]


@frozen
class Demands:
    """Demands on answers, each of which sets a threshold; 0 demands nothing, None leaves it as it is.

    Attributes:
        unknown_at: share of images of known classes that may be called unknown.
        coverage: share of images whose set of classes is to hold the true one.
        set_rule: the rule that sets are made by.
        precision_at: share of answers called sure that are to be right.
    """

    unknown_at: float | None = None
    coverage: float | None = None
    set_rule: SetRule = "lac"
    precision_at: float | None = None

    def __post_init__(self) -> None:
        for name in ("unknown_at", "coverage", "precision_at"):
            value = getattr(self, name)
            require(
                value is None or 0 <= value < 1,
                f"{name} must be from 0 to below 1, got {value}",
                fix=f"{name} 0.05 is 5 %; 0 sets no such threshold",
            )

    def __bool__(self) -> bool:
        return any(value is not None for value in (self.unknown_at, self.coverage, self.precision_at))


NO_DEMANDS = Demands()
