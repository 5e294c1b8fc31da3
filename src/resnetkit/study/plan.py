"""Plan a study before its first run: its folder, its record there, and the command of every run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from resnetkit.anatomy.cost import count_cost
from resnetkit.config import from_dict, frozen, read_object, to_dict
from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import write_durably
from resnetkit.study.checks import check_study
from resnetkit.study.study import Arm, Budget, Study
from resnetkit.training.planning import command_line, plan

RECORD_NAME = "study.json"


@frozen
class StudyRecord:
    """A study as it is run, which its folder keeps; two that are alike give the same runs.

    Attributes:
        budget_name: of the budget that was asked for.
        budget: what is spent, with the data and the number of seeds that were asked for.
    """

    study: Study
    budget_name: str
    budget: Budget

    @property
    def is_on_other_data(self) -> bool:
        """Tell whether the published figures, where there are any, are of other data than these."""
        return self.study.has_figures and _plain(Path(self.budget.data).name) != _plain(self.study.published_on)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that are run."""
        return self.study.arms_of(self.budget)

    @property
    def digest(self) -> str:
        """The digest of the study with what is spent on it."""
        return replace(self.study, budgets={self.budget_name: self.budget}).digest


@dataclass(frozen=True)
class Job:
    """One run of a study.

    Attributes:
        arm: its name.
        folder: its own, in which its run folder is made.
        command: what a person would type to start it.
    """

    arm: str
    seed: int
    folder: Path
    command: tuple[str, ...]

    def __str__(self) -> str:
        """Its name for people."""
        return f"{self.arm}, seed {self.seed}"


@dataclass(frozen=True)
class ArmPlan:
    """The runs of an arm, as far as they are known before they start.

    Attributes:
        weight: how long one takes, next to others: multiply-adds of an image times epochs.
        epochs: of a run that nothing stops early.
        warnings: what to be wary of.
    """

    weight: float
    epochs: int
    warnings: tuple[str, ...]


def make_record(
    study: Study, budget_name: str, *, data: str | None = None, num_seeds: int | None = None
) -> StudyRecord:
    """The study with a budget, on other data or with more seeds where that is asked for.

    Raises:
        ResnetkitError: for an unknown budget, and a study that names what is not there.
    """
    check_study(study)
    budget = study.budget(budget_name)
    data = budget.data if data is None else data
    if data not in DATASETS:
        data = str(Path(data).expanduser().absolute())  # so that the study goes on from any folder
    num_seeds = budget.num_seeds if num_seeds is None else num_seeds
    return StudyRecord(study, budget_name, replace(budget, data=data, num_seeds=num_seeds))


def default_folder(record: StudyRecord) -> Path:
    """The folder of a study that is given none: ``studies/NAME-BUDGET``, and what differs from the budget."""
    usual = record.study.budget(record.budget_name)
    parts = [record.study.name, record.budget_name]
    parts += [Path(record.budget.data).name] if record.budget.data != usual.data else []
    parts += [f"{record.budget.num_seeds}-seeds"] if record.budget.num_seeds != usual.num_seeds else []
    return Path("studies") / "-".join(parts)


def list_jobs(record: StudyRecord, folder: Path) -> list[Job]:
    """The runs of a study in its folder, all of one seed before those of the next."""
    budget = record.budget
    jobs = []
    for seed in range(budget.num_seeds):
        for arm in record.arms:
            settings = budget.settings_of(arm) | {"seed": seed}
            line = command_line(DataSpec(budget.data), budget.network_of(arm), budget.recipe, settings)
            own = folder / f"{arm.name}-seed-{seed}"
            jobs.append(Job(arm.name, seed, own, (*shlex.split(line), "--out", str(own))))
    return jobs


def plan_arms(record: StudyRecord) -> dict[str, ArmPlan]:
    """Open the data and choose the recipe of every arm for them, by name.

    Raises:
        ResnetkitError: for unusable data, and for settings that do not fit them.
    """
    budget = record.budget
    plans = {}
    for arm in record.arms:
        model, settings = budget.network_of(arm), budget.settings_of(arm)
        try:
            _, chosen = plan(budget.data, model=model, recipe=budget.recipe, settings=settings)
        except ResnetkitError as error:
            raise ResnetkitError(error.code, f"arm '{arm.name}': {error.what}", why=error.why, fix=error.fix) from None
        recipe = chosen.recipe
        cost = count_cost(recipe.model, recipe.preprocessing.image_size_px)
        plans[arm.name] = ArmPlan(float(cost.multiply_adds * recipe.epochs), recipe.epochs, chosen.warnings)
    return plans


def open_folder(folder: Path, record: StudyRecord) -> None:
    """Make a study's folder, or go on in the one that is there.

    Raises:
        ResnetkitError: where it holds another study, or the same with other values.
    """
    if (folder / RECORD_NAME).is_file():
        before = read_record(folder)
        require(
            before.digest == record.digest,
            f"{folder} holds another study",
            why=f"it differs in {_listed(_differences(before, record))}; its runs would not be runs of the same study",
            fix="give a new folder: --out FOLDER; to see what is there: resnetkit study report " + str(folder),
        )
        return
    require(
        not folder.exists() or not any(folder.iterdir()),
        f"{folder} is no folder of a study, and not empty",
        fix="give a new folder: --out FOLDER",
    )
    content = to_dict(record) | {"digest": record.digest}
    write_durably(folder / RECORD_NAME, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def read_record(folder: Path) -> StudyRecord:
    """The study that a folder holds.

    Raises:
        ResnetkitError: where it holds none, or its record was changed.
    """
    file = folder / RECORD_NAME
    require(
        file.is_file(),
        f"{folder} is no folder of a study: it has no {RECORD_NAME}",
        fix="give the folder that study run printed, e.g. studies/degradation-smoke",
        code=Code.WEIGHTS,
    )
    try:
        content = read_object(file)
        digest = content.pop("digest", None)
        record = from_dict(StudyRecord, content)
    except (ValueError, ResnetkitError) as error:
        raise ResnetkitError(Code.WEIGHTS, f"{file} is damaged", why=str(error)) from None
    require(
        digest == record.digest,
        f"{file} was changed since its study was started",
        fix="put it back as it was, or run the study anew in another folder",
        code=Code.WEIGHTS,
    )
    return record


def _differences(before: StudyRecord, now: StudyRecord) -> list[str]:
    """The values in which two studies differ, as ``budget.epochs``."""
    mine, theirs = to_dict(now), to_dict(before)
    found = ["the budget's name"] if mine["budget_name"] != theirs["budget_name"] else []
    for part in ("budget", "study"):
        names = [name for name in mine[part] if name != "budgets" and mine[part][name] != theirs[part][name]]
        found += [f"{part}.{name}" for name in names]
    return found


def _plain(name: str) -> str:
    """A data set's name without what it is written with: ``CIFAR-10`` is ``cifar10``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
