"""The weights that a run on photographs starts from where nobody names any: at hand, or fetched where allowed."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from resnetkit.anatomy.cost import count_cost
from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.images.spec import SMALL_PX
from resnetkit.machine.threads import find_num_threads, may_have_gpu
from resnetkit.models.catalog import CATALOG, find_entry
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.advice import FEW_PHOTOS_PER_CLASS, DataSummary, StartingPoint
from resnetkit.recipes.named import FINE_TUNING
from resnetkit.sources.fetching import fetch_published
from resnetkit.sources.hub import SCHEME
from resnetkit.sources.network_choice import (
    A_GPU,
    MINUTES,
    PASSES,
    PASSES_OF_FEW,
    Effort,
    Startable,
    choose_start,
    cores,
)
from resnetkit.sources.published import TO_START_FROM, Published, published_names
from resnetkit.sources.weight_store import AtHand, find_at_hand
from resnetkit.training.starting_weights import starting_point

AUTO, NONE = "auto", "none"
MANY_LEFT_ASIDE = 3  # weights that are told of one by one
Allow = bool | Callable[[Published], bool]


@dataclass(frozen=True)
class WeightsChoice:
    """Weights that a run is to start from, and how far it may go for them.

    Attributes:
        weights: ``auto``: for photographs, the best at hand; ``none``: fresh ones; or a file, a run's folder,
            ``hf://OWNER/NAME``, or the name of published weights.
        download: whether published weights may be fetched, or who is asked.
        minutes: that fine-tuning may take, for the choice among networks; None: ten.
    """

    weights: str = AUTO
    download: Allow = False
    minutes: float | None = None


class Found(NamedTuple):
    """Weights that were found, as settings, with the reasons; the settings have None for fresh ones."""

    settings: dict[str, Any]
    start: StartingPoint | None
    reasons: tuple[str, ...]


def named_weights(choice: WeightsChoice, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the weights that a choice names, if it names any; published ones at hand by their files.

    Raises:
        ResnetkitError: for published weights that are not at hand and may not be fetched.
    """
    if choice.weights == AUTO:
        return dict(settings)
    if "fine_tuning.weights" in settings:
        raise ResnetkitError(
            Code.USAGE, "the weights are named twice", fix="leave weights or the setting fine_tuning.weights out"
        )
    text = None if choice.weights == NONE else _file_of(choice)
    return {**settings, "fine_tuning.weights": text}


def _file_of(choice: WeightsChoice) -> str:
    text = choice.weights
    if text.startswith(SCHEME) or os.path.exists(os.path.expanduser(text)):
        return text
    files, found = published_names().get(text), find_at_hand()
    named = (weights for weights in found if weights.name == text)
    at_hand = next((weights for weights in named if files is None or not weights.problem), None)
    if at_hand is not None:
        return str(at_hand.path)
    if files is None:
        _refuse_mistyped(text, found)
        return text  # no file and no name: who opens it says so
    if _is_allowed(choice.download, files[0]):
        return str(fetch_published(text)[0].path)
    raise ResnetkitError(
        Code.WEIGHTS,
        f"the weights {text} are not on this machine",
        fix=f"resnetkit weights get {text}, or the same command with --download",
    )


def _refuse_mistyped(text: str, found: Iterable[AtHand]) -> None:
    """Refuse what is nearly the name of weights; a network's name, or a path, is something else."""
    names = [*(weights.name for weights in found), *published_names()]
    near = difflib.get_close_matches(text, names, n=1, cutoff=0.8)
    require(
        not near or text in CATALOG or text != os.path.basename(text),
        f"no weights and no file are called '{text}'",
        fix=f"did you mean '{''.join(near)}'? (resnetkit weights list)",
        code=Code.WEIGHTS,
    )


def _is_allowed(download: Allow, file: Published) -> bool:
    return download(file) if callable(download) else download


def why_not_sought(
    spec: DataSpec, summary: DataSummary, choice: tuple[Any, str | None], settings: Mapping[str, Any]
) -> str:
    """Say why no weights are looked for; empty where they are: for photographs where nothing chosen contradicts.

    Args:
        choice: the network and the recipe that were named, None where they are left open.
    """
    model, recipe = choice
    stated = next((path for path in settings if path in ("fine_tuning", "fine_tuning.weights")), None)
    changed = next((path for path in settings if path.split(".")[0] == "model"), None)
    if stated is not None:
        return f"{stated} says what to start from"
    if isinstance(model, ResNetSpec) or changed is not None:
        return f"published weights are not for a network that is changed ({changed or 'model'})"
    if recipe is not None and recipe not in FINE_TUNING:
        return f"the recipe {recipe} starts from scratch"
    if spec.source in DATASETS or not summary.is_folder or summary.image_size_px <= SMALL_PX:
        return "weights are looked for only where a folder of photographs is trained on"
    return ""


def warnings_about_download(choice: WeightsChoice, why_not: str) -> tuple[str, ...]:
    """A sentence where a download was allowed that nothing here could be for.

    Args:
        why_not: what :func:`why_not_sought` says.
    """
    if choice.download is not True:
        return ()
    if choice.weights == NONE:
        why_not = "weights=none asks for none"
    elif choice.weights != AUTO:
        why_not = "" if choice.weights in published_names() else f"{choice.weights} names no published weights"
    return (f"--download has no effect: {why_not}",) if why_not else ()


def find_automatically(
    choice: WeightsChoice,
    summary: DataSummary,
    class_names: tuple[str, ...],
    *,
    model: str | None,
    settings: Mapping[str, Any],
) -> Found:
    """Find the weights to start from, and adapt them: a new head for other classes, a first conv for other channels.

    Raises:
        ResnetkitError: where a download was allowed, and fails.
    """
    effort = _effort(summary, settings, choice.minutes)
    found = find_at_hand()
    reasons, weights = _left_aside(found), [one for one in found if is_photo_network(one, model)]
    while weights:
        best, why = choose_at_hand(weights, effort)
        try:
            start = _open(best)
        except ResnetkitError as error:
            reasons.append(f"weights {best.path} are left aside: {error.why or error.what}")
            weights.remove(best)
            continue
        return _adapted(best, start, summary, class_names, (*reasons, f"weights {best.name}: {why}"))
    files = _suggested(model, effort)
    if files is None:
        line = f"weights: none of {model} are at hand, and none are published, so training starts from scratch"
        return Found({"fine_tuning.weights": None}, None, (*reasons, line))
    if _is_allowed(choice.download, files[0]):
        fetched, _ = fetch_published(files[0].name)
        return _adapted(fetched, _open(fetched), summary, class_names, (f"weights {fetched.name}: fetched",))
    size = "" if files[0].num_bytes is None else f", {files[0].num_bytes / 1e6:.0f} MB"
    line = (
        "weights: none at hand, so training starts from scratch, which takes more images; "
        f"resnetkit weights get {files[0].name} (or --download{size}), or resnetkit weights import FILE, gives some"
    )
    return Found({"fine_tuning.weights": None}, None, (*reasons, line))


def _effort(summary: DataSummary, settings: Mapping[str, Any], minutes: float | None) -> Effort:
    on_gpu = may_have_gpu() and settings.get("runtime.device") != "cpu"
    passes = PASSES_OF_FEW if summary.num_train < FEW_PHOTOS_PER_CLASS * summary.num_classes else PASSES
    return Effort(summary.num_train, A_GPU if on_gpu else cores(find_num_threads()), minutes or MINUTES, passes)


def _left_aside(found: Iterable[AtHand]) -> list[str]:
    """Sentences on what is at hand, but nothing to start from unasked."""
    problems = [weights for weights in found if weights.problem]
    told = [f"weights {one.path} are left aside: {one.problem}" for one in problems[:MANY_LEFT_ASIDE]]
    more = len(problems) - MANY_LEFT_ASIDE
    return told if more <= 0 else [*told, f"weights: {more:,} more are left aside (resnetkit weights list --here)"]


def is_photo_network(weights: AtHand, model: str | None) -> bool:
    """Tell whether weights at hand may be started from unasked, for photographs and with the named network, if any."""
    return not weights.problem and weights.image_size_px > SMALL_PX and model in (None, weights.model)


def choose_at_hand(weights: list[AtHand], effort: Effort) -> tuple[AtHand, str]:
    """The weights that suit the effort, of one or more with a network, and why."""
    by_name = {one.name: one for one in weights}
    startable = [
        Startable(one.name, one.model or "", _cost(one.spec, one.image_size_px), one.top1, one.name in TO_START_FROM)
        for one in weights
        if one.spec is not None
    ]
    best, why = choose_start(startable, effort)
    return by_name[best.name], why


def _cost(spec: ResNetSpec, image_size_px: int) -> int:
    return count_cost(spec, image_size_px).multiply_adds


def _open(weights: AtHand) -> StartingPoint:
    start = starting_point({"fine_tuning.weights": str(weights.path)}, None)  # as where they are named
    assert start is not None
    return start


def _adapted(
    weights: AtHand,
    start: StartingPoint,
    summary: DataSummary,
    class_names: tuple[str, ...],
    reasons: tuple[str, ...],
) -> Found:
    settings: dict[str, Any] = {"fine_tuning.weights": str(weights.path)}
    assert start.spec is not None
    if start.class_names != class_names:
        settings["fine_tuning.reset_head"] = True
        reasons += (f"a new head for the {len(class_names)} classes here: the weights know others",)
    if start.spec.in_channels != summary.channels:
        settings["fine_tuning.adapt_channels"] = True
        reasons += (f"the first conv is adapted from {start.spec.in_channels} to {summary.channels} channels",)
    return Found(settings, start, reasons)


def _suggested(model: str | None, effort: Effort) -> tuple[Published, ...] | None:
    """The published weights that suit, of the named network where one is; None where there are none."""
    names = published_names()
    rows = [
        files[0]
        for name, files in names.items()
        if files[0].has_head and (files[0].model == model if model is not None else name in TO_START_FROM)
    ]
    if not rows:
        return None
    costs = {row.name: _cost(find_entry(row.model).spec, row.preprocessing.image_size_px) for row in rows}
    best, _ = choose_start(
        [Startable(row.name, row.model, costs[row.name], row.top1, row.name in TO_START_FROM) for row in rows], effort
    )
    return names[best.name]
