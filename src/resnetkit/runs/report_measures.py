"""Scores of a split as a report's page tells them: figures with their meaning, and what is confused with what."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from resnetkit.evaluation.metrics import ConfusedPair, Scores, confused_pairs
from resnetkit.pages.formatting import percent
from resnetkit.pages.matrices import heat_map

# A heat map of more classes would have cells too small for their counts.
MAX_HEAT_MAP_CLASSES = 30
MAX_CONFUSED_PAIRS = 10
# Without a heat map the pairs are all there is to see.
MAX_CONFUSED_PAIRS_ALONE = 40

# Title, how a split's scores show it, what it means.
MEASURES: list[tuple[str, Callable[[Scores], str | None], str]] = [
    (
        "Top-5",
        lambda scores: percent(scores.top5.value, 2) if scores.top5 else None,
        "Share of images whose true class is among the five most probable ones.",
    ),
    (
        "Macro F1",
        lambda scores: percent(scores.macro_f1, 2),
        "Balance of precision and recall, in which rare classes count as much as frequent ones.",
    ),
    (
        "Log loss",
        lambda scores: f"{scores.log_loss:.4f}",
        "Surprise at the true class: 0 is perfect, {evenly:.2f} is guessing evenly among {num_classes} classes.",
    ),
    (
        "Calibration error",
        lambda scores: percent(scores.expected_calibration_error, 2),
        "How far the probability stated with an answer is, on average, from how often such answers are right.",
    ),
]


@dataclass(frozen=True)
class Measure:
    """One figure of the split the page is about, the same of the other splits, and what it means."""

    title: str
    value: str
    others: list[tuple[str, str | None]]
    meaning: str


@dataclass(frozen=True)
class Measured:
    """The scores of the split that the page is about, and what is shown of them."""

    scores: Scores
    measures: list[Measure]
    pairs: list[ConfusedPair]
    num_pairs: int
    heat_map: Markup | None


def measured(all_scores: Mapping[str, Scores], split: str) -> Measured:
    """The scores of a split as they are told, beside those of the others."""
    scores = all_scores[split]
    others = {name: other for name, other in all_scores.items() if name != split}
    num_classes = len(scores.classes)
    measures = [
        Measure(
            title,
            value,
            [(name, show(other)) for name, other in others.items()],
            meaning.format(evenly=math.log(num_classes), num_classes=num_classes),
        )
        for title, show, meaning in MEASURES
        if (value := show(scores)) is not None
    ]
    names = [one.name for one in scores.classes]
    is_drawn = len(names) <= MAX_HEAT_MAP_CLASSES
    pairs = confused_pairs(scores)
    return Measured(
        scores,
        measures,
        pairs[: MAX_CONFUSED_PAIRS if is_drawn else MAX_CONFUSED_PAIRS_ALONE],
        len(pairs),
        heat_map(scores.confusion_matrix.tolist(), names, names) if is_drawn else None,
    )
