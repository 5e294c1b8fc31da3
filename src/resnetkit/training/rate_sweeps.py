"""Sweeps of the learning rate: a run's first updates, each at a higher rate than the one before (arXiv:1506.01186)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from resnetkit.data.spec import DataSpec
from resnetkit.errors import require
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.recipe import Chosen, Muon
from resnetkit.runs.events import Listener
from resnetkit.runs.notebook_progress import usual_listener
from resnetkit.training.automatic_weights import AUTO, WeightsChoice
from resnetkit.training.computing import start_computing
from resnetkit.training.distributed import process_group, require_single_process
from resnetkit.training.planning import plan
from resnetkit.training.preparing import RunStart, first_network, prepare
from resnetkit.training.rate_range import RateRange, Sweep, read_sweeps
from resnetkit.training.state import new_state
from resnetkit.training.steps import Steps

# From the recipe's own rate: what is far too little, to what is far too much.
BELOW, ABOVE = 1e-4, 1e2
# Of a sweep's mean loss over its last updates, in those of its start: there it has run away.
RUN_AWAY, LAST = 2.0, 5


@dataclass(frozen=True)
class FoundRate:
    """A recipe, and what sweeps say of its learning rate.

    Attributes:
        seconds: of all sweeps.
        num_epochs: passes over the training images in a whole sweep.
    """

    chosen: Chosen
    range: RateRange
    seconds: float
    num_epochs: float

    @property
    def settings(self) -> dict[str, float]:
        """Fields of the recipe that the suggested rate is; a second rate keeps its share, as it did in the sweeps."""
        if self.range.suggested is None:
            return {}
        optimizer, rate = self.chosen.recipe.optimizer, _rounded(self.range.suggested)
        found = {"optimizer.learning_rate": rate}
        if isinstance(optimizer, Muon):
            found["optimizer.sgd_learning_rate"] = _rounded(
                optimizer.sgd_learning_rate * rate / optimizer.learning_rate
            )
        return found

    def sentences(self) -> list[str]:
        """All that is to be said of it, but for what :attr:`RateRange.warnings` say."""
        read = self.range
        said = [
            f"{len(read.sweeps)} sweeps of {len(read.rates)} updates ({self.num_epochs:.1f} epochs), rates from "
            f"{read.rates[0]:.2g} to {read.rates[-1]:.2g}"
        ]
        if read.suggested is not None and read.spread is not None:
            words = " ".join(f"--set {path}={value:g}" for path, value in self.settings.items())
            low, high = read.spread
            said.append(
                f"range {read.low:.2g} to {read.high:.2g}; suggested {read.suggested:.2g}, where the loss was lowest "
                f"({low:.2g} to {high:.2g} over sweeps): {words}"
            )
        if read.diverged_at:
            ends = dict.fromkeys(f"{rate:.2g}" for rate in (read.diverged_at[0], read.diverged_at[-1]))
            said.append(f"{len(read.diverged_at)} of {len(read.sweeps)} sweeps ran away, at {' to '.join(ends)}")
        said.append(read.verdict)
        said.append(
            "A sweep shows each rate for one update of a network that has hardly trained: what is best over a whole "
            "run, with its schedule, only runs tell (train --seeds)"
        )
        return said


def find_rate(
    data: str | DataSpec,
    *,
    model: str | ResNetSpec | None = None,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    weights: str | Path | WeightsChoice = AUTO,
    rates: tuple[float | None, float | None] = (None, None),
    num_steps: int = 100,
    num_sweeps: int = 5,
    listener: Listener | None = None,
) -> FoundRate:
    """Sweep the learning rate of the run that :func:`~resnetkit.training.run.train` would do; nothing is written.

    Each sweep begins with what the run would begin with, of a seed of its own, and ends where the loss runs away. All
    is as in the run, but for the schedule: optimizer, batches, augmentation, mixing, frozen parts.

    Args:
        rates: the lowest and the highest; None: a ten-thousandth of the recipe's own, and a hundred times it.

    Raises:
        ResnetkitError: as training would before its first step; and for too few steps, or no rates.
    """
    require_single_process("sweeps of the learning rate are done by a single process", fix="leave out torchrun")
    require(num_steps >= 20, f"a sweep needs 20 steps or more, got {num_steps}", fix="--steps 100")
    require(num_sweeps >= 2, f"sweeps tell how sure they are from 2 on, got {num_sweeps}", fix="--sweeps 5")
    listener = listener or usual_listener()
    choice = weights if isinstance(weights, WeightsChoice) else WeightsChoice(str(weights))
    source, chosen = plan(data, model=model, recipe=recipe, settings=settings, weights=choice)
    own = chosen.recipe.optimizer.learning_rate
    low, high = own * BELOW if rates[0] is None else rates[0], own * ABOVE if rates[1] is None else rates[1]
    require(
        0 < low < high, f"rates go from a low one to a high one, got {low:g} and {high:g}", fix="--from 1e-5 --to 1"
    )
    swept = np.geomspace(low, high, num_steps).tolist()
    computing = start_computing(chosen.recipe, source.split_sizes["train"])
    with process_group(computing.device) as shard:
        start = RunStart(Path(), None)
        prepared, sweeps, started = prepare(source, chosen, start, computing, shard, listener), [], time.monotonic()
        for number in range(num_sweeps):
            one = replace(chosen.recipe, seed=chosen.recipe.seed + number)
            state = new_state(one, first_network(one, start), computing.device)
            steps = Steps(one, state, prepared.loaded, computing, shard)
            sweeps.append(sweep(steps, swept))
            listener.message(f"sweep {number + 1} of {num_sweeps}: {sweeps[-1].told(swept)}")
    num_epochs = num_steps / steps.steps_per_epoch
    return FoundRate(chosen, read_sweeps(swept, sweeps, own), time.monotonic() - started, num_epochs)


def _rounded(rate: float) -> float:
    return float(f"{rate:.2g}")


def sweep(steps: Steps, rates: Sequence[float]) -> Sweep:
    """Do an update at each rate, until the loss runs away; a state that has not trained becomes one that has."""
    losses: list[float] = []
    for rate, loss in zip(rates, _losses(steps, lambda step: rates[step]), strict=False):
        if loss is None:
            return Sweep(steps.recipe.seed, tuple(losses), rate)
        losses.append(loss)
        recent = losses[-LAST:]
        if len(losses) > 2 * LAST and sum(recent) / LAST > RUN_AWAY * sum(losses[:LAST]) / LAST:
            return Sweep(steps.recipe.seed, tuple(losses), rate)
    return Sweep(steps.recipe.seed, tuple(losses), None)


def _losses(steps: Steps, rate_of: Callable[[int], float]) -> Iterator[float | None]:
    """The loss of each update's batch before it, epoch after epoch; None for one that is beyond reason."""
    progress = steps.state.progress
    for _ in count():
        steps.make_ready()
        for batch in steps.batches():
            steps.update(batch, rate_of(progress.step))
            sums = steps.read()
            yield None if sums.divergence is not None else sums.loss
        progress.start_next_epoch()
