"""A run that is pushed, with all that its card is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resnetkit.classifier.description import Description
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result


@dataclass(frozen=True)
class Subject:
    """Subject of a card.

    Attributes:
        repo: ``OWNER/NAME``.
        license: as the hub calls it, e.g. ``mit``; None: the card names none.
        timm_name: of the network in timm; None where timm cannot read it, and ``why_not_timm`` says why.
    """

    repo: str
    record: Record
    result: Result
    description: Description
    license: str | None = None
    timm_name: str | None = None
    why_not_timm: str = ""

    @property
    def data_name(self) -> str:
        """The name of the data, without the folders it lies in."""
        return self.record.data.name or Path(self.record.recipe.data.source).name or "data"
