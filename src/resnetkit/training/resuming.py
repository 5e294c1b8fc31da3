"""Going on from a checkpoint: from which one, and what is no longer as it was."""

from __future__ import annotations

from typing import Any

from resnetkit.config import from_dict, to_dict
from resnetkit.data.batches import Shard
from resnetkit.errors import Code, require
from resnetkit.machine import runtime
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.training.checkpoint import Checkpoint, newest_checkpoint
from resnetkit.training.state import TrainingState, conditions_of


def resume_conditions(recipe: Recipe, computing: runtime.Runtime, shard: Shard) -> dict[str, Any]:
    """Conditions that must be the same for a resume to be bit-exact."""
    machine = {**runtime.environment(), **computing.as_dict()}
    keys = ("torch", "processor", "cpu_capability", "threads", "gpu", "precision", "compile")
    return {"recipe": to_dict(recipe), "processes": shard.num_ranks, **{key: machine[key] for key in keys}}


def find_checkpoint(
    folder: RunFolder, recipe: Recipe, state: TrainingState, listener: Listener
) -> tuple[Checkpoint | None, bool]:
    """The newest checkpoint that a run can go on from, and whether damaged ones were passed over, which is told.

    One of another recipe fits too: that the recipe has changed is told before it is gone on with.
    """

    def misfit(checkpoint: Checkpoint) -> str:
        return "" if _changed_fields(checkpoint, recipe) else state.misfit(checkpoint)

    checkpoint, damaged = newest_checkpoint(folder.checkpoints, misfit)
    for text in damaged:
        listener.warning(f"passed over a damaged checkpoint, {text}")
    return checkpoint, bool(damaged)


def tell_resumed(checkpoint: Checkpoint, recipe: Recipe, conditions: dict[str, Any], listener: Listener) -> None:
    """Say that a run goes on, and what is no longer as it was.

    Raises:
        ResnetkitError: where the recipe has changed.
    """
    changed = _changed_fields(checkpoint, recipe)
    require(
        not changed,
        f"the recipe has changed since the run was started: {', '.join(changed)}",
        fix="put recipe.json back as it was, or start a new run",
        code=Code.WEIGHTS,
    )
    for key, value in conditions_of(checkpoint).items():
        now = conditions.get(key)
        if key != "recipe" and now != value:
            listener.warning(
                f"{key} was {value!r} and is {now!r} now: the run goes on, but no longer bit for bit as before"
            )
    listener.message(f"resuming after step {checkpoint.step:,}")


def _changed_fields(checkpoint: Checkpoint, recipe: Recipe) -> list[str]:
    """The fields in which a recipe is no longer the one that the checkpoint was written under."""
    # Through the recipe, so that a field which the checkpoint's version did not have yet has its usual value.
    before = to_dict(from_dict(Recipe, conditions_of(checkpoint)["recipe"], where="the checkpoint's recipe"))
    return [name for name, value in to_dict(recipe).items() if value != before[name]]
