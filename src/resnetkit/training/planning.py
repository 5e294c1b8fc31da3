"""Plan a run before it is one: its data opened, its recipe chosen, and the command that repeats it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from resnetkit.config import override, to_dict
from resnetkit.data.datasets import DATASETS
from resnetkit.data.given import GivenData
from resnetkit.data.loading import open_data
from resnetkit.data.source import DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.data.survey import measure_floats, measure_sixteen_bit
from resnetkit.errors import Code, require
from resnetkit.folders.table_file import is_folder_or_list
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.advice import DataSummary, choose
from resnetkit.recipes.named import DATA_OF
from resnetkit.recipes.recipe import Chosen
from resnetkit.training.automatic_weights import (
    WeightsChoice,
    find_automatically,
    named_weights,
    warnings_about_download,
    why_not_sought,
)
from resnetkit.training.starting_weights import check_start, find_weights, starting_point
from resnetkit.training.time_budget import TimeBudget, ladder


def summarize_data(source: DataSource, spec: DataSpec) -> DataSummary:
    """Summarize what the choice of network and recipe depends on."""
    if spec.source in DATASETS:
        return DataSummary.of(DATASETS[spec.source], source.split_sizes["train"])
    return DataSummary(
        name=source.name,
        image_size_px=source.shapes.shorter_px,
        channels=source.channels,
        num_train=source.split_sizes["train"],
        num_classes=len(source.class_names),
        is_folder=True,
        shapes=source.shapes,
        sixteen_bit=measure_sixteen_bit(source.sixteen_bit, spec.limits, num_workers=spec.num_workers),
        floats=measure_floats(source.floats, spec.limits, num_workers=spec.num_workers),
        remarks=source.remarks,
    )


def plan(
    data: str | DataSpec | GivenData,
    *,
    model: str | ResNetSpec | None = None,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    weights: WeightsChoice | None = None,
) -> tuple[DataSource, Chosen]:
    """The data, and the recipe that :func:`train` would run on them.

    Args:
        weights: what to start from; None: what the settings say, and no weights are looked for.
    """
    settings = dict(settings or {}) if weights is None else named_weights(weights, settings or {})
    given = data if isinstance(data, GivenData) else None
    spec = DataSpec(data) if isinstance(data, str) else data.spec if isinstance(data, GivenData) else data
    # The data are opened before the recipe is chosen, so what is set about them must be set here.
    of_data = dict(DATA_OF.get(recipe or "", {}))
    of_data |= {path.removeprefix("data."): v for path, v in settings.items() if path.startswith("data.")}
    spec = override(spec, of_data) if of_data else spec
    if given is None and spec.source not in DATASETS and is_folder_or_list(Path(spec.source).expanduser()):
        # The whole path, so that the run can be resumed and evaluated from any folder.
        spec = replace(spec, source=str(Path(spec.source).expanduser().absolute()))
    if spec.data_dir is not None:
        spec = replace(spec, data_dir=str(Path(spec.data_dir).expanduser().absolute()))
    settings = find_weights(settings)
    source = open_data(spec, given=given)
    require(
        "train" in source.split_sizes,
        f"{source.name} has no training images",
        fix="put them into a folder train/CLASS/; in a list, write train into their column split",
        code=Code.DATA,
    )
    summary, found, warnings = summarize_data(source, spec), None, list[str]()
    if weights is not None:
        why_not = why_not_sought(spec, summary, (model, recipe), settings) if given is None else "the images are given"
        warnings += warnings_about_download(weights, why_not)
        if not why_not:
            assert not isinstance(model, ResNetSpec)
            found = find_automatically(weights, summary, source.class_names, model=model, settings=settings)
            settings = {**found.settings, **settings}
    start = starting_point(settings, model) if found is None else found.start
    chosen = choose(summary, spec, model=model, recipe=recipe, settings=settings, start=start)
    check_start(chosen.recipe, start, source.class_names)
    reasons = () if found is None else found.reasons
    warnings += chosen.warnings
    return source, replace(chosen, reasons=(*reasons, *chosen.reasons), warnings=tuple(warnings), settings=settings)


def plan_within(
    minutes: float | TimeBudget | None,
    data: str | DataSpec | GivenData,
    weights: str | Path | WeightsChoice,
    **choices: Any,
) -> tuple[DataSource, Chosen, TimeBudget | None]:
    """The data, the recipe and the budget of a run that may take so many minutes; None: as the recipe has it.

    Args:
        choices: of :func:`plan`.

    Raises:
        ResnetkitError: as :func:`plan`, and where nothing is left that a time could choose.
    """
    choice = weights if isinstance(weights, WeightsChoice) else WeightsChoice(str(weights))
    budget = TimeBudget(minutes) if isinstance(minutes, int | float) else minutes
    if budget is not None and choice.minutes is None:
        choice = replace(choice, minutes=budget.minutes)
    source, chosen = plan(data, weights=choice, **choices)
    if budget is not None:
        ladder(chosen.recipe, source.split_sizes["train"], chosen.settings)  # an error now costs no time
    return source, chosen, budget


def command_line(
    data: DataSpec, model: str | ResNetSpec | None, recipe: str | None, settings: Mapping[str, Any]
) -> str:
    """The shell command that does what :func:`train` does with these arguments.

    >>> command_line(DataSpec("digits", split_seed=7), "resnet20", None, {"epochs": 3})
    'resnetkit train digits --model resnet20 --set data.split_seed=7 --set epochs=3'
    """
    words = ["resnetkit", "train", data.source]
    given, usual = to_dict(data), to_dict(DataSpec(data.source))
    changed = {f"data.{name}": value for name, value in given.items() if value != usual[name]}
    settings = {**changed, **settings, **changed}  # first, and with the whole paths of what ran
    words += ["--model", model] if isinstance(model, str) else []
    words += ["--recipe", recipe] if recipe else []
    if isinstance(model, ResNetSpec):
        settings = {"model": to_dict(model), **settings}
    for path, value in settings.items():
        words += ["--set", f"{path}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)
