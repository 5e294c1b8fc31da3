"""Answers that an export gives for its proof, and how it was asked."""

from __future__ import annotations

from dataclasses import dataclass

from resnetkit.classifier.decision import Logits, Probabilities
from resnetkit.exporting.decided_alike import Statuses
from resnetkit.images.types import Indices


@dataclass(frozen=True)
class ExportedAnswers:
    """Answers of an export.

    Attributes:
        positions: of the images that it answered for.
        statuses: what it decided.
        refused: by position, why others were refused.
        told: how it was asked, in words that follow "it answered".
    """

    positions: Indices
    logits: Logits
    probabilities: Probabilities
    statuses: Statuses
    refused: dict[str, str]
    versions: dict[str, str]
    told: str
