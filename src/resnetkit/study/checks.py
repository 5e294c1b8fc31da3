"""Check a study before its first run starts: every network, recipe and setting of every budget. No torch here."""

from __future__ import annotations

from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError, did_you_mean, require
from resnetkit.models.catalog import find_entry
from resnetkit.recipes.advice import DataSummary, choose
from resnetkit.study.study import Arm, Budget, Study

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
        for arm in study.arms_of(budget):
            try:
                _plan_unseen(arm, budget)
            except ResnetkitError as error:
                raise _located(error, f"{study.name}, budget '{name}', arm '{arm.name}'") from None


def _plan_unseen(arm: Arm, budget: Budget) -> None:
    """Choose the recipe of an arm, as far as its data are known without being opened."""
    known = DATASETS.get(budget.data)
    colours = DataSummary(budget.data, 224, 3, MANY, 10, is_folder=True)
    summary = colours if known is None else DataSummary.of(known, MANY)
    model, settings = budget.network_of(arm), budget.settings_of(arm)
    choose(summary, DataSpec(budget.data), model=model, recipe=budget.recipe, settings=settings)


def _located(error: ResnetkitError, where: str) -> ResnetkitError:
    return ResnetkitError(error.code, f"{where}: {error.what}", why=error.why, fix=error.fix)
