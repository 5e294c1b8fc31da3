"""Measure how long the parts of a run take, on its own images, before it begins; and have it end within a time."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from resnetkit.classifier.views import view_logits
from resnetkit.config import override
from resnetkit.data.batches import Shard, read_batches, training_order
from resnetkit.data.mixing import one_hot
from resnetkit.data.reading import evaluation_order
from resnetkit.data.types import LoadedData
from resnetkit.images.types import Indices
from resnetkit.machine.runtime import Runtime, repays_compiling
from resnetkit.recipes.recipe import Chosen, Recipe
from resnetkit.recipes.schedule import num_frozen_parts
from resnetkit.training.batches import TrainingBatch
from resnetkit.training.computing import training_flops
from resnetkit.training.distributed import from_first_rank
from resnetkit.training.frozen_features import cuts_to_keep, group_size
from resnetkit.training.state import TrainingState, new_state
from resnetkit.training.steps import Steps
from resnetkit.training.time_budget import (
    Choice,
    Forecast,
    Pace,
    TimeBudget,
    Work,
    choose_rung,
    forecast,
    ladder,
)

# Each part is measured for so long, of the time there is and at most; and on so many batches.
MEASURED_SHARE, MOST_SECONDS, MOST_BATCHES = 0.01, 3.0, 64
ANSWERED_TOGETHER = 32
COMPILE = "runtime.compile"


def keep_within(
    budget: TimeBudget, chosen: Chosen, state: TrainingState, data: LoadedData, computing: Runtime, shard: Shard
) -> Chosen:
    """A choice that goes as far as a budget of time allows, measured here and now.

    The values found are among the settings, so that the run is repeated without a clock. Of several processes, the
    first one decides.

    Args:
        state: that the run begins with; a copy of it is trained for some updates.

    Raises:
        ResnetkitError: where the settings leave nothing to choose.
    """
    recipe, num_train = chosen.recipe, len(data.splits["train"])
    rungs = ladder(recipe, num_train, chosen.settings)
    least = override(recipe, dict(rungs[0]))
    trial = Steps(least, _copied(least, state, computing), data, computing, shard)
    pace = measure_pace(trial, numbers_frozen(recipe), min(MOST_SECONDS, MEASURED_SHARE * budget.seconds))
    choice: Choice = from_first_rank(choose_rung(recipe, rungs, budget, forecasts_by(pace, trial)), shard)
    found = override(recipe, dict(choice.rung))
    settings = {**chosen.settings, **choice.rung}
    if recipe.runtime.compile == "auto" and computing.compile and not _would_compile(found, computing, num_train):
        # It was measured so, and shall be so when the run is repeated, shorter as it is now.
        found, settings = override(found, {COMPILE: "on"}), {**settings, COMPILE: "on"}
    warnings = (*chosen.warnings, choice.warning) if choice.warning else chosen.warnings
    return replace(chosen, recipe=found, reasons=(*chosen.reasons, choice.reason), warnings=warnings, settings=settings)


def numbers_frozen(recipe: Recipe) -> set[int]:
    """The numbers of frozen parts that the epochs of a run come to."""
    return {num_frozen_parts(recipe.fine_tuning, recipe.parts, epoch) for epoch in range(recipe.epochs)}


def forecasts_by(pace: Pace, trial: Steps) -> Callable[[Recipe], Forecast]:
    """Function that gives the time which a run of a recipe will take on the data of a trial, by what was measured."""
    splits, known = trial.data.splits, dict[tuple[int, int], tuple[int, ...]]()
    num_train, num_val, num_test = (len(splits.get(name, ())) for name in ("train", "val", "test"))
    work = Work(num_train, num_val, num_test, trial.shard.num_ranks)

    def kept(recipe: Recipe, num_frozen: int) -> tuple[int, ...]:
        key = (recipe.augmentation.num_views, num_frozen)
        if key not in known:
            known[key] = cuts_to_keep(recipe, num_frozen, trial.data, trial.run_frozen, trial.runtime.device)
        return known[key]

    return lambda recipe: forecast(recipe, work, pace, kept)


def measure_pace(trial: Steps, counts: set[int], limit: float, most: int = MOST_BATCHES) -> Pace:
    """Seconds that the parts of a run take here; warmed up, and with as many processes as train.

    Args:
        trial: steps of a copy of the run, whose weights are changed.
        counts: numbers of frozen parts that the run comes to.
        limit: seconds for each part; batches that have begun are ended.
        most: batches to measure each part on.
    """
    begin, inputs, updates = 0.0, dict[int, float](), dict[int, float]()
    for count in sorted(counts, reverse=True):
        trial.hold(count)
        inputs[count] = _time_inputs(trial, limit, most)
        first, updates[count] = _time_updates(trial, limit, most)
        begin += max(0.0, first - updates[count])
    answer = _time_answers(trial, limit, most) if trial.shard.rank == 0 else 0.0
    return Pace(begin, inputs, updates, from_first_rank(answer, trial.shard))


def _copied(recipe: Recipe, state: TrainingState, computing: Runtime) -> TrainingState:
    return new_state(recipe, copy.deepcopy(state.network), computing.device)


def _would_compile(recipe: Recipe, computing: Runtime, num_train: int) -> bool:
    return repays_compiling(computing.device, training_flops(recipe, num_train))


def _time_inputs(trial: Steps, limit: float, most: int) -> float:
    """Seconds for one image until it is what an update reads."""
    recipe, below = trial.recipe, trial.upper.num_below
    size = group_size(trial.runtime.device) if below else max(1, recipe.batch_size // trial.shard.num_ranks)
    size = min(size, len(trial.data.splits["train"]))
    groups = list(islice(_any_batches(trial, size), most))
    read = trial.views(groups, 0)
    with torch.no_grad():
        return _time_each(lambda: _finish(trial.run_frozen(next(read), 0, below)), limit, most, size)


def _any_batches(trial: Steps, size: int) -> Iterator[Indices]:
    epoch, num_images = 0, len(trial.data.splits["train"])
    while True:
        yield from training_order(trial.recipe.seed, epoch, num_images, size)
        epoch += 1


def _time_updates(trial: Steps, limit: float, most: int) -> tuple[float, float]:
    """Seconds of the first update and of one after it, from what frozen parts have made of a batch."""
    recipe, split, shard = trial.recipe, trial.data.splits["train"], trial.shard
    asked = shard.of(training_order(recipe.seed, 0, len(split), recipe.batch_size)[0])
    images = next(trial.views([asked], 0))
    labels = torch.from_numpy(split.labels[split.readable(asked)]).to(images.device)
    with torch.no_grad():
        inputs = trial.run_frozen(images, 0, trial.upper.num_below)
    batch = TrainingBatch(inputs, one_hot(labels, len(trial.data.class_names)), ends_group=True)

    def update() -> None:
        trial.update(batch, trial.scheduled_rate(0))
        trial.read()

    before = time.monotonic()
    update()
    first, took = time.monotonic() - before, list[float]()
    while from_first_rank(not took or (sum(took) < limit and len(took) < most), shard):  # all do as many
        before = time.monotonic()
        update()
        took.append(time.monotonic() - before)
    return first, sum(took) / len(took)


def _time_answers(trial: Steps, limit: float, most: int) -> float:
    """Seconds for an answer for one image of validation or test; 0 where there are none."""
    splits, network = trial.data.splits, trial.state.average.network
    split = next((splits[name] for name in ("val", "test") if name in splits), None)
    if split is None:
        return 0.0
    network.eval()
    device = next(network.parameters()).device
    groups = evaluation_order(len(split), ANSWERED_TOGETHER)[:most]
    read = read_batches(split, groups)
    with torch.inference_mode():
        return _time_each(
            lambda: _finish(view_logits(network, next(read).images.to(device), trial.recipe.preprocessing)),
            limit,
            len(groups),
            len(groups[0]),
        )


def _finish(result: Tensor) -> None:
    """Wait until a result is there."""
    if result.device.type == "cuda":
        torch.cuda.synchronize(result.device)


def _time_each(work: Callable[[], None], limit: float, most: int, num_images: int) -> float:
    """Seconds of ``work``, for each of so many images: done once to warm up, then till the limit; at most so often."""
    before = time.monotonic()
    work()
    took, count = time.monotonic() - before, 1
    if most > 1:
        before, count = time.monotonic(), 0
        while count == 0 or (took < limit and count < most - 1):
            work()
            count += 1
            took = time.monotonic() - before
    return took / count / num_images
