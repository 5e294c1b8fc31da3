"""The work that a run is estimated to be, which decides whether compiling repays."""

from dataclasses import replace

import pytest

from resnetkit.anatomy.cost import count_cost
from resnetkit.data.spec import DataSpec
from resnetkit.images.spec import Preprocessing
from resnetkit.models.catalog import find_entry
from resnetkit.recipes.recipe import FineTuning, Recipe
from resnetkit.training.computing import training_flops

RECIPE = Recipe(
    name="photos",
    model_name="resnet50",
    model=find_entry("resnet50").spec,
    data=DataSpec("photos"),
    preprocessing=Preprocessing(224, 256),
    epochs=4,
)


def test_all_parts_train() -> None:
    assert training_flops(RECIPE, 100) == 6 * 100 * 4 * count_cost(RECIPE.model, 224).multiply_adds


def test_a_head_alone_is_one_matrix_product() -> None:
    head = replace(RECIPE, fine_tuning=FineTuning(freeze="stage4"))
    assert training_flops(head, 100) == 6 * 100 * 4 * 2048 * 1000


def test_what_thaws_counts_from_then_on() -> None:
    tuning = FineTuning(freeze="stage4", thaw_every_epochs=3, thaw_to="stage4")
    thawing = replace(RECIPE, fine_tuning=tuning)
    last_stage = training_flops(replace(RECIPE, epochs=1, fine_tuning=FineTuning(freeze="stage3")), 100)
    head = training_flops(replace(RECIPE, epochs=1, fine_tuning=FineTuning(freeze="stage4")), 100)
    assert training_flops(thawing, 100) == pytest.approx(3 * head + last_stage)
