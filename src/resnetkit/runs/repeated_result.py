"""The scores of repeats together: their mean, how far they lie apart, and a page about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from resnetkit.evaluation.metrics import Accuracy, Scores
from resnetkit.evaluation.spread import Spread, spread_of
from resnetkit.files import write_durably
from resnetkit.pages.charts import WIDE, Series, line_chart
from resnetkit.pages.formatting import percent
from resnetkit.pages.templates import fill_template
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.repeats import Repeats, read_repeats
from resnetkit.runs.result import Result, finished_result

PAGE = "repeats.html"
ABOUT_SEEDS = (
    "The interval is that of the mean over seeds, by Student's t: it says what chance in training does, on the same "
    "images. How well these stand for others is in the interval of each run."
)
ABOUT_FOLDS = (
    "Every image is answered by a network that was not trained on it. Folds share most of their training images, so "
    "their scores depend on one another, and no interval drawn from these scores is sure to hold what it promises "
    "(Bengio & Grandvalet 2004, JMLR 5): take that of the mean as too narrow. The pooled score's takes the images as "
    "drawn by chance, and says nothing of other training images."
)


@dataclass(frozen=True)
class RepeatedResult:
    """Repeats that have ended.

    Attributes:
        results: in the order of seeds or folds.
        pooled: of folds, the share of right answers for all images of all folds; None for seeds, and where a fold has
            no score.
    """

    parent: Path
    repeats: Repeats
    results: tuple[Result, ...]
    pooled: Accuracy | None

    @property
    def judged_split(self) -> str | None:
        """The split whose scores say most, of those that all runs have; None without any."""
        names = ("test", "val")
        return next((name for name in names if all(name in result.scores for result in self.results)), None)

    @property
    def top1(self) -> Spread | None:
        """The share of right answers in :attr:`judged_split`, and an interval of shares; None without one."""
        spread = self._spread(lambda scores: scores.top1.value)
        if spread is None or spread.low is None or spread.high is None:
            return spread
        return replace(spread, low=max(0.0, spread.low), high=min(1.0, spread.high))

    @property
    def log_loss(self) -> Spread | None:
        """The same of the log loss, in nats."""
        return self._spread(lambda scores: scores.log_loss)

    @property
    def caveat(self) -> str:
        """Sentences on what the intervals say, and what not."""
        return ABOUT_SEEDS if self.repeats.by == "seeds" else ABOUT_FOLDS

    @property
    def page(self) -> Path:
        """The page about them."""
        return self.parent / PAGE

    def _spread(self, value: Callable[[Scores], float]) -> Spread | None:
        split = self.judged_split
        return None if split is None else spread_of([value(result.scores[split]) for result in self.results])


def read_repeated_result(parent: Path) -> RepeatedResult:
    """The result of all the repeats in a folder that have ended.

    Raises:
        ResnetkitError: where it holds none.
    """
    repeats = read_repeats(parent)
    folders = repeats.folders(parent)
    results = tuple(result for folder in folders if (result := finished_result(folder)) is not None)
    pooled = _pool(folders) if repeats.by == "folds" and len(results) == len(folders) else None
    return RepeatedResult(parent, repeats, results, pooled)


def _pool(folders: tuple[RunFolder, ...]) -> Accuracy | None:
    """The accuracy on the images of all folds; None where a fold has none that its network was not trained on."""
    answers = [folder.read_answers().get("test") for folder in folders]
    correct = num_images = 0
    for one in answers:
        if one is None or one.trained_on.all():
            return None
        unseen = ~one.trained_on
        correct, num_images = correct + int(np.sum(one.is_right[unseen])), num_images + int(unseen.sum())
    return Accuracy.of(correct, num_images)


def write_page(result: RepeatedResult) -> None:
    """Write the page, whole or not at all."""
    write_durably(result.page, render_page(result).encode())


def render_page(result: RepeatedResult) -> str:
    """The page as HTML text."""
    repeats, split = result.repeats, result.judged_split
    recipe = result.results[0].folder.read_record().recipe
    rows = [
        (repeats.label(number), each.run.name, each.scores.get(split or ""), each.seconds)
        for number, each in enumerate(result.results)
    ]
    return fill_template(
        "runs/repeats.html.jinja",
        result=result,
        rows=rows,
        split=split,
        recipe=recipe,
        curves=_curves(result),
        command=f"{repeats.command} --{repeats.by} {len(repeats.runs)}",
        points=lambda share: percent(share, 2),
    )


def _curves(result: RepeatedResult) -> str:
    """Validation by epoch, a line for each run; empty where none validates."""
    lines = []
    for number, each in enumerate(result.results):
        known = [row for row in each.folder.events("epoch") if row.get("val_top1") is not None]
        xs, ys = [row["epoch"] for row in known], [100 * row["val_top1"] for row in known]
        lines.append(Series(result.repeats.label(number), xs, ys, colour=number))
    drawn = any(line.points() for line in lines)
    return line_chart(lines, "epoch", "validation top-1, %", "{:.1f}".format, width=WIDE) if drawn else ""
