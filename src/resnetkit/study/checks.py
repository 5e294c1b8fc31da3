"""Check a study before its first run starts: every network, recipe and setting of every budget. No torch here."""

from __future__ import annotations

from collections.abc import Mapping

from resnetkit.anatomy.cost import count_cost
from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError, did_you_mean, require
from resnetkit.models.catalog import find_entry
from resnetkit.recipes.advice import DataSummary, choose
from resnetkit.recipes.recipe import Chosen, Recipe
from resnetkit.study.study import Arm, Budget, Claim, Study

MANY = 50_000  # training images, where they are not counted yet: as many as no recipe finds few


def check_study(study: Study) -> None:
    """Refuse a study that names what is not there, in any of its budgets.

    Settings that only data can refuse, as a batch of more images than there are, are found when a run is planned.

    Raises:
        ResnetkitError: with the arm, the budget and the field.
    """
    for arm in study.arms:
        try:
            find_entry(arm.model)
        except ResnetkitError as error:
            raise _located(error, f"{study.name}, arm '{arm.name}'") from None
    bases = {arm.model.partition("[")[0] for arm in study.arms}
    for name, budget in study.budgets.items():
        for base in budget.networks:
            require(
                base in bases,
                f"{study.name}: 'budgets.{name}.networks' replaces '{base}', which no arm trains",
                fix=did_you_mean(base, bases),
            )
        parameters = {}
        for arm in study.arms_of(budget):
            try:
                parameters[arm.name] = _num_parameters(_plan_unseen(arm, budget).recipe)
            except ResnetkitError as error:
                raise _located(error, f"{study.name}, budget '{name}', arm '{arm.name}'") from None
        for claim in study.claims:
            _check_sizes(claim, parameters, f"{study.name}, budget '{name}'")


def _num_parameters(recipe: Recipe) -> int:
    return count_cost(recipe.model, recipe.preprocessing.image_size_px).parameters


def _check_sizes(claim: Claim, parameters: Mapping[str, int], where: str) -> None:
    """Refuse a claim between networks of other sizes than it says."""
    sizes = {arm: parameters[arm] for arm in claim.ascending if arm in parameters}
    if len(sizes) < 2:
        return
    smallest, largest = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    ratio = sizes[largest] / sizes[smallest]
    require(
        ratio <= claim.size_ratio,
        f"{where}: '{largest}' has {ratio:.2f} times the parameters of '{smallest}', where the claim that {claim.says} "
        f"allows {claim.size_ratio:g} times",
        fix="compare networks of one size, or say by the claim's size_ratio how far apart they are",
    )


def _plan_unseen(arm: Arm, budget: Budget) -> Chosen:
    """The recipe of an arm, as far as its data are known without being opened."""
    known = DATASETS.get(budget.data)
    colours = DataSummary(budget.data, 224, 3, MANY, 10, is_folder=True)
    summary = colours if known is None else DataSummary.of(known, MANY)
    model, settings = budget.network_of(arm), budget.settings_of(arm)
    return choose(summary, DataSpec(budget.data), model=model, recipe=budget.recipe, settings=settings)


def _located(error: ResnetkitError, where: str) -> ResnetkitError:
    return ResnetkitError(error.code, f"{where}: {error.what}", why=error.why, fix=error.fix)
