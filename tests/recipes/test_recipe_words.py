"""What recipes are told to be is what their docstrings say and what they set."""

import inspect

import pytest

from resnetkit.config import override
from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.recipes.advice import DataSummary, choose
from resnetkit.recipes.named import RECIPES
from resnetkit.recipes.recipe_words import example_base, find_settings, tell_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_word_of_the_docstring_is_told_once(name: str) -> None:
    told = tell_recipe(name)
    texts = [told.purpose, told.way, *told.remarks, *(text for use in told.uses for text in use), told.measured_in]
    said = inspect.getdoc(RECIPES[name]) or ""
    for label in ("Command:", "Cost:", "Result:", "Measured in", ":func:", ":data:", "`"):
        said = said.replace(label, "")

    def words(text: str) -> list[str]:
        return [word.strip(".,:").lower() for word in text.split() if word.strip(".,:")]

    assert sorted(words(" ".join(texts))) == sorted(words(said))
    assert all(use.command.startswith("resnetkit train ") and use.cost and use.result for use in told.uses)


def test_a_command_can_be_copied_and_its_data_stand_apart() -> None:
    (use,) = tell_recipe("photos").uses
    assert use.command == "resnetkit train FOLDER"
    assert use.data.startswith("of 550 photographs")


def test_items_of_a_list_keep_their_lines() -> None:
    items = tell_recipe("tutorial_adam").remarks[1].splitlines()
    assert [item.partition(".")[0] for item in items] == [str(i + 1) for i in range(7)]


def test_an_unknown_recipe_is_an_error_with_the_nearest() -> None:
    with pytest.raises(ResnetkitError, match="did you mean 'photos'"):
        tell_recipe("photo")


@pytest.mark.parametrize("name", ["tiny_images", "small_images", "quick", "tutorial_exact"])
def test_what_a_recipe_sets_makes_the_run_of_its_command(name: str) -> None:
    base, _ = example_base(name)
    made = override(base, {one.field: one.b for one in find_settings(name) if one.b is not None})
    data = base.data.source
    spec = DataSpec(data, validation=made.data.validation)
    planned = choose(DataSummary.of(DATASETS[data], 50_000), spec, model=base.model_name, recipe=name).recipe
    assert made == override(planned, {"model.num_classes": made.model.num_classes})


def test_what_is_usual_is_told_beside_it() -> None:
    (epochs,) = (one for one in find_settings("cifar_paper") if one.field == "epochs")
    assert (epochs.a, epochs.b) == ("10", "164")
    assert find_settings("quick")[3].field == "optimizer.kind"  # before the values that go with it


def test_what_is_asked_of_the_data_is_among_it() -> None:
    assert ("data.validation", "held_back", "test") in [
        (one.field, one.a, one.b) for one in find_settings("tutorial_exact")
    ]
