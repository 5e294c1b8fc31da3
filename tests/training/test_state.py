"""The state of a run, as the checkpoints of earlier versions give it back."""

from dataclasses import replace
from typing import Literal

import pytest
import torch

from resnetkit.config import to_dict
from resnetkit.data.spec import DataSpec
from resnetkit.images.spec import Preprocessing
from resnetkit.models.catalog import find_entry
from resnetkit.recipes.recipe import Recipe
from resnetkit.training.state import Progress, TrainingState, new_network, new_state

SINCE_THEN = ("best_score", "kept_epoch")
GREY = Preprocessing(8, 8, 1, (0.5,), (0.5,))


def state_of(recipe: Recipe) -> TrainingState:
    return new_state(recipe, new_network(recipe), torch.device("cpu"))


@pytest.mark.parametrize(
    ("keep", "best_epoch", "kept_epoch"),
    [("best", 2, 2), ("last", 2, 4), ("best", 0, 4)],
    ids=["best", "last", "blind"],
)
def test_a_checkpoint_from_before_scores_were_chosen_keeps_its_best(
    keep: Literal["best", "last"], best_epoch: int, kept_epoch: int
) -> None:
    spec = replace(find_entry("resnet20").spec, depths=(1, 1, 1), in_channels=1)
    recipe = Recipe("small_images", "resnet20", spec, DataSpec("digits"), GREY, keep=keep)
    state = state_of(recipe)
    state.progress = Progress(epoch=4, step=40, best_epoch=best_epoch, best_top1=0.9, best_loss=0.3, best_score=0.9)
    state.keep_as_best(state.network)
    progress = {name: value for name, value in vars(state.progress).items() if name not in SINCE_THEN}
    conditions = {"recipe": {name: value for name, value in to_dict(recipe).items() if name != "selection"}}
    written = replace(state.to_checkpoint({}), state={"progress": progress, "facts": conditions})
    restored = state_of(recipe)
    assert restored.misfit(written) == ""
    restored.restore(written)
    assert restored.progress.kept_epoch == kept_epoch
    assert restored.progress.is_better(0.8, 0.1) == (best_epoch == 0), (
        "a worse epoch must not take the place of the best"
    )
    assert restored.progress.is_better(0.95, 0.4)
