"""Training that has run away: what is no longer a loss, and what to do about it (no torch here)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from resnetkit.errors import Code, ResnetkitError
from resnetkit.recipes.named import RECIPES, Traits
from resnetkit.recipes.recipe import Recipe

Quantity = Literal["loss", "gradient", "validation loss", "largest weight"]

# An answer that is no better than a guess has a loss of ln K; a million times that is no longer a matter of patience.
BEYOND_REASON = 1e6


def largest_loss(num_classes: int) -> float:
    """Largest mean loss that a batch may have, in nats."""
    return BEYOND_REASON * math.log(max(2, num_classes))


@dataclass(frozen=True)
class Divergence:
    """Something that came out as no number, or as one beyond reason.

    Attributes:
        quantity, value: what it was, and what it became.
        epoch, step: where, from 1; ``step`` counts within the epoch, None: at its end.
        update: the same, from 0, over the whole run.
        learning_rate: of the update that it belongs to.
        mean_loss: of the epoch before it.
    """

    quantity: Quantity
    value: float
    epoch: int
    step: int | None
    update: int
    learning_rate: float
    mean_loss: float

    def as_error(self, recipe: Recipe) -> ResnetkitError:
        """Error to tell the user."""
        where = f"epoch {self.epoch}" if self.step is None else f"epoch {self.epoch}, step {self.step}"
        held = "the weights of this epoch are not kept" if self.step is None else "the weights were not updated with it"
        return ResnetkitError(
            Code.DIVERGED,
            f"the {self.quantity} became {self.value:.4g} in {where}; {held}",
            why=f"learning rate {self.learning_rate:.3g}, mean loss of this epoch before it {self.mean_loss:.4g}",
            fix="start again with a lower learning rate (--set optimizer.learning_rate="
            f"{lower_learning_rate(recipe):g}), a longer warm-up (schedule.warmup_share) or clipping "
            "(max_gradient_norm=1)",
        )


def lower_learning_rate(recipe: Recipe) -> float:
    """A quarter of the recipe's learning rate, but no more than is usual for the recipe of that name."""
    usual = RECIPES[recipe.name](recipe, Traits(num_train=1)).optimizer if recipe.name in RECIPES else recipe.optimizer
    if type(usual) is not type(recipe.optimizer):
        usual = type(recipe.optimizer)()
    return min(recipe.optimizer.learning_rate / 4, usual.learning_rate)
