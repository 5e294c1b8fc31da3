"""Choose how far a run goes within a time: a ladder of values, from the least to the most, and what each would take."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from resnetkit.config import override
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.pages.formatting import duration
from resnetkit.recipes.recipe import Recipe
from resnetkit.recipes.schedule import FEW_STEPS, is_short, num_frozen_parts
from resnetkit.training.norm_statistics import MOST_IMAGES

EPOCHS, VIEWS = "epochs", "augmentation.num_views"
LEAST_SHARE = 0.25  # of a recipe's epochs; with fewer, little of what it was made for is left
NUM_VIEWS = (1, 2, 3, 4, 6, 8, 10, 12)
VIEWS_BEFORE_THAWING = 4  # so many are worth more time than parts that thaw
# Of the time left, what may be planned with: the first seconds do not tell all of the others.
PLANNED_SHARE = 0.9
# Seconds, and answers for images, that the end of a run takes beside its scores: the classifier, its file, the report
# with the heat maps of at most 24 mistakes, each for two classes, forward and backward.
END_SECONDS, END_ANSWERS = 3.0, 24 * 2 * 3

UNITS = {"s": 1 / 60, "m": 1.0, "h": 60.0}

Rung = Mapping[str, int]
# Numbers of parts, from below, whose features a recipe keeps while so many of its parts are frozen.
KeptCuts = Callable[[Recipe, int], Collection[int]]


def read_minutes(text: str) -> float:
    """Minutes that a text means.

    >>> read_minutes("5m"), read_minutes("90s"), read_minutes("1h30m"), read_minutes("2.5m")
    (5.0, 1.5, 90.0, 2.5)

    Raises:
        ResnetkitError: for another form, and for no time at all.
    """
    number = r"(\d+(?:\.\d+)?|\.\d+)\s*"
    is_time = re.fullmatch(rf"(?:{number}[smh]\s*)+", text.strip())
    minutes = sum(float(count) * UNITS[unit] for count, unit in re.findall(rf"{number}([smh])", text)) if is_time else 0
    require(
        minutes > 0 and math.isfinite(minutes),
        f"'{text}' is no time to train in",
        why="it has a number and a unit: s, m or h",
        fix="--time 5m, --time 90s or --time 1h",
    )
    return minutes


@dataclass(frozen=True)
class TimeBudget:
    """Minutes that a whole run may take, from its data to its report.

    Attributes:
        started: when they began, by :func:`time.monotonic`.
    """

    minutes: float
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        require(
            self.minutes > 0 and math.isfinite(self.minutes), f"minutes to train in must be above 0, got {self.minutes}"
        )

    @property
    def seconds(self) -> float:
        """All of it."""
        return 60 * self.minutes

    def seconds_left(self) -> float:
        """The rest of it; below 0 where it is over."""
        return self.started + self.seconds - time.monotonic()

    def told(self) -> str:
        """A sentence on the time that has been taken."""
        return f"took {duration(self.seconds - self.seconds_left())} of {duration(self.seconds)}"


@dataclass(frozen=True)
class Pace:
    """Measured seconds.

    Attributes:
        begin: that the first update takes beyond the others, to compile the network.
        inputs: by number of frozen parts, for one image: to read and change it and run it through them.
        updates: by number of frozen parts, for one update with what they gave.
        answer: of the whole network for one image of validation, in float32.
    """

    begin: float
    inputs: Mapping[int, float]
    updates: Mapping[int, float]
    answer: float


@dataclass(frozen=True)
class Work:
    """Numbers of images by split, and of processes that train."""

    num_train: int
    num_val: int = 0
    num_test: int = 0
    num_ranks: int = 1


@dataclass(frozen=True)
class Forecast:
    """Seconds that the parts of a run will take.

    Attributes:
        inputs: training images, read, changed, and run through frozen parts.
        updates: of the parts that train.
        validation: after epochs, with the statistics that short runs take anew for it.
        end: final scores and the report.
    """

    inputs: float
    updates: float
    validation: float
    end: float

    @property
    def total(self) -> float:
        """All together."""
        return self.inputs + self.updates + self.validation + self.end

    def __str__(self) -> str:
        words = ("to prepare images", "for updates", "for validation", "for final scores and the report")
        parts = (self.inputs, self.updates, self.validation, self.end)
        return ", ".join(f"{duration(seconds)} {what}" for seconds, what in zip(parts, words, strict=True))


def forecast(recipe: Recipe, work: Work, pace: Pace, kept: KeptCuts) -> Forecast:
    """The time that a run of a recipe will take from its first update on, epoch by epoch as the training loop goes.

    What frozen parts make of a view is computed when it is first needed and, where it is kept, never again.
    """
    steps = work.num_train // recipe.batch_size
    known: set[tuple[int, int | None]] = set()  # cuts and views whose features are there; None: those of validation
    inputs, updates, validation = 0.0, pace.begin, 0.0
    takes_anew = is_short(recipe.epochs * steps) and not recipe.fine_tuning.hold_statistics
    for epoch in range(recipe.epochs):
        num_frozen = num_frozen_parts(recipe.fine_tuning, recipe.parts, epoch)
        cuts = kept(recipe, num_frozen)
        cut, view = max(cuts, default=0), recipe.augmentation.view(epoch)
        known = {one for one in known if one[0] in cuts}
        updates += steps * pace.updates[num_frozen]
        if not cuts:
            inputs += steps * recipe.batch_size / work.num_ranks * pace.inputs[num_frozen]
        elif (cut, view) not in known:
            inputs += work.num_train * pace.inputs[num_frozen]
        is_head_alone = num_frozen == len(recipe.parts) - 1
        if takes_anew and not is_head_alone:
            validation += min(work.num_train, MOST_IMAGES) * pace.answer
        if (epoch + 1) % recipe.validate_every_epochs == 0 or epoch + 1 == recipe.epochs:
            if (cut, None) not in known or not is_head_alone:  # of more than a head, as much as all of it
                validation += work.num_val * pace.answer
            known |= {(each, None) for each in cuts}
        known |= {(each, view) for each in cuts}
    end = END_SECONDS + (work.num_val + work.num_test + END_ANSWERS) * pace.answer
    return Forecast(inputs, updates, validation, end)


def ladder(recipe: Recipe, num_train: int, settings: Iterable[str]) -> tuple[Rung, ...]:
    """Settings from the least that is worth a run to the most that is of use; what is set already is left as it is.

    Epochs, from a quarter of the recipe's to all of them. Where frozen parts make something of each view of an image
    once, which is what such a run takes its time for, then the number of views; parts that thaw join in between.

    Args:
        settings: paths of the fields that the user has set.

    Raises:
        ResnetkitError: where nothing is left to choose.
    """
    steps, own = max(1, num_train // recipe.batch_size), recipe.epochs
    least = min(own, max(math.ceil(LEAST_SHARE * own), math.ceil(FEW_STEPS / steps)))
    rungs = [{EPOCHS: epochs} for epochs in range(least, own + 1)]
    if _keeps_views(recipe):
        first_part = recipe.fine_tuning.thaw_every_epochs or own
        held = range(min(least, first_part), min(own, first_part) + 1)  # epochs before anything thaws
        views = [number for number in NUM_VIEWS if number <= own]
        rungs = [{VIEWS: 1, EPOCHS: epochs} for epochs in held]
        rungs += [{VIEWS: number, EPOCHS: held[-1]} for number in views if number < VIEWS_BEFORE_THAWING]
        rungs += [{VIEWS: number, EPOCHS: own} for number in views if number >= VIEWS_BEFORE_THAWING]
        rungs += [{VIEWS: views[-1], EPOCHS: own}]
    taken = {name for name in (EPOCHS, VIEWS) if any(name == path or name.startswith(f"{path}.") for path in settings)}
    free = [{name: value for name, value in rung.items() if name not in taken} for rung in rungs]
    distinct = tuple(rung for i, rung in enumerate(free) if rung and rung not in free[:i])
    if not distinct:
        chosen = " and ".join(sorted({name for rung in rungs for name in rung}))
        raise ResnetkitError(
            Code.USAGE,
            f"a time to train in has no effect: it would choose {chosen}, which the settings say",
            fix="leave the time or these settings out",
        )
    return distinct


def _keeps_views(recipe: Recipe) -> bool:
    """Tell whether each image is shown in a number of views, of which frozen parts make something once."""
    augmentation = recipe.augmentation
    changes = replace(augmentation, num_views=2).num_distinct_views == 2
    is_frozen = recipe.fine_tuning.freeze != "none" and recipe.data.check == "first"
    return augmentation.num_views > 0 and changes and is_frozen and not augmentation.mixes


@dataclass(frozen=True)
class Choice:
    """The rung that was chosen.

    Attributes:
        reason: a sentence on why.
        warning: a sentence where even the least takes too long; else empty.
    """

    rung: Rung
    reason: str
    warning: str = ""


def choose_rung(
    recipe: Recipe, rungs: tuple[Rung, ...], budget: TimeBudget, cost: Callable[[Recipe], Forecast]
) -> Choice:
    """The highest rung that the time left allows; the lowest where it allows none.

    The run goes on then, late, with a warning: its data are read, and less than that would hardly be a score.

    Args:
        rungs: of :func:`ladder`.
    """
    left, costs = budget.seconds_left(), [cost(override(recipe, dict(rung))) for rung in rungs]
    planned = PLANNED_SHARE * left
    fitting = [i for i, one in enumerate(costs) if one.total <= planned]
    best = fitting[-1] if fitting else 0
    chosen, took = override(recipe, dict(rungs[best])), costs[best]
    parts = f"an estimated {duration(took.total)} ({took})"
    if not fitting:
        late = duration(took.total - max(left, 0))
        over = f"{duration(left)} of it are left" if left > 0 else "it is over before training starts"
        why = f"the least that is worth a run, {parts}"
        needs = f"{over}, and the least takes an estimated {duration(took.total)}"
        is_over = took.total > left
        warning = f"{duration(budget.seconds)} {'are' if is_over else 'may be'} too short: {needs}"
        warning += f", {late} more" if is_over else ""
        return Choice(rungs[best], f"{_words(chosen, rungs[best])} in {duration(budget.seconds)}: {why}", warning)
    above = rungs[best + 1] if best + 1 < len(rungs) else None
    more = (
        "the most that is of use"
        if above is None
        else f"{_words(override(recipe, dict(above)), above)} would take {duration(costs[best + 1].total)}"
    )
    why = f"{parts} of the {duration(left)} that are left; {more}"
    return Choice(rungs[best], f"{_words(chosen, rungs[best])} in {duration(budget.seconds)}: {why}")


def _words(recipe: Recipe, rung: Rung) -> str:
    counts = {VIEWS: (recipe.augmentation.num_views, "view", " of each image"), EPOCHS: (recipe.epochs, "epoch", "")}
    said = [counts[name] for name in (VIEWS, EPOCHS) if name in rung]
    return ", ".join(f"{number:,} {unit}{'s' if number > 1 else ''}{rest}" for number, unit, rest in said)
