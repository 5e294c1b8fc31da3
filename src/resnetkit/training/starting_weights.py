"""The weights a run starts from: found, asked what they are, checked against the data, and put into the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resnetkit.config import frozen, override
from resnetkit.data.seen import SeenImages, contains, unpack_digests
from resnetkit.data.types import Split
from resnetkit.errors import Code, require
from resnetkit.files import io_errors, sha256_of
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.advice import StartingPoint
from resnetkit.recipes.named import FINE_TUNING
from resnetkit.recipes.recipe import FineTuning, Recipe
from resnetkit.runs.record import WeightsRecord
from resnetkit.sources.locate import locate_weights
from resnetkit.sources.weights import open_weights
from resnetkit.terminal import listed


@frozen
class _Start:
    """The part of a recipe that is read before the rest of it is chosen."""

    fine_tuning: FineTuning = FineTuning()


def find_weights(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a recipe in which the weights, where given, are the whole path of a file.

    The whole path, so that the run can be resumed from any folder. The folder of a run stands for its classifier, one
    as the Hugging Face hub keeps it for the weights in it; a name on the hub is fetched.

    Raises:
        ResnetkitError: where there is no such file.
    """
    given = {path: value for path, value in settings.items() if path.partition(".")[0] == "fine_tuning"}
    weights = override(_Start(), given).fine_tuning.weights
    if weights is None:
        return dict(settings)
    return {**settings, "fine_tuning.weights": whole_path(weights)}


def whole_path(weights: str) -> str:
    """The whole path of the weight file that a path or a name on the hub stands for.

    Raises:
        ResnetkitError: where there is no such file.
    """
    return str(locate_weights(weights).file.absolute())


def starting_point(settings: Mapping[str, Any], model: str | ResNetSpec | None) -> StartingPoint | None:
    """Description that the weights in the settings of :func:`find_weights` give of themselves; None for none.

    Raises:
        ResnetkitError: where they leave open which network they are and ``model`` does not say, or contradict it.
    """
    weights = settings.get("fine_tuning.weights")
    if weights is None:
        return None
    given = {path: value for path, value in settings.items() if path.partition(".")[0] == "fine_tuning"}
    entry = override(_Start(), given).fine_tuning.entry
    located = locate_weights(weights)
    if located.description is not None:
        require(entry is None, f"{weights} is a classifier and has one entry of its own", fix="leave --entry out")
        own = located.description
        return StartingPoint(
            weights, own.model, str(own.provenance.get("model", "resnet")), own.preprocessing, own.class_names
        )
    if isinstance(model, ResNetSpec):
        return StartingPoint(weights)
    opened = open_weights(located, entry=entry)
    candidate = opened.choose(model, source=weights)
    preprocessing, is_known = opened.preprocessing(candidate)
    return StartingPoint(
        weights,
        candidate.spec,
        candidate.name,
        preprocessing if is_known else None,
        opened.origin.class_names or (),
        opened.file.choices,
    )


def check_start(recipe: Recipe, start: StartingPoint | None, class_names: tuple[str, ...]) -> None:
    """Refuse weights for other images or classes than the data have, or none where the recipe is for weights.

    Raises:
        ResnetkitError: with the options that adapt the weights, or say which; before any image is decoded.
    """
    require(
        recipe.name not in FINE_TUNING or recipe.fine_tuning.weights is not None,
        f"the recipe {recipe.name} starts from weights, and there are none",
        why="it holds, or slows, what weights have learned; fresh ones have learned nothing",
        fix="say which: --weights FILE, or a name (resnetkit weights list --here tells what is at hand, or amiss); "
        "for photographs --download fetches some; or leave the recipe out, to train from scratch",
        code=Code.WEIGHTS,
    )
    if start is None or start.spec is None:
        return
    differences, options = [], []
    if start.spec.in_channels != recipe.model.in_channels and not recipe.fine_tuning.adapt_channels:
        differences.append(f"images with {_channels(start.spec.in_channels)}, not {recipe.model.in_channels}")
        options.append("--adapt-channels changes the first conv")
    same_number = start.spec.num_classes == recipe.model.num_classes
    same_names = not start.class_names or start.class_names == class_names
    if not (same_number and same_names) and not recipe.fine_tuning.reset_head:
        count = "no" if start.spec.num_classes is None else start.spec.num_classes
        theirs = f"{count} classes{_named(start.class_names)}"
        differences.append(f"{theirs}, not the {len(class_names)}{_named(class_names)} of the data")
        options.append("--reset-head starts with a new head")
    require(
        not differences,
        f"the weights in {start.weights} do not fit the data",
        why=f"they were made for {'; and for '.join(differences)}",
        fix="; ".join(options),
        code=Code.WEIGHTS,
    )


def _channels(number: int) -> str:
    return f"{number} channel" + ("" if number == 1 else "s")


def _named(names: tuple[str, ...]) -> str:
    return f" ({listed(names, 3)})" if names else ""


def seen_before(recipe: Recipe) -> SeenImages:
    """The images that the weights of a run have met before it starts; what they do not tell is not complete."""
    weights = recipe.fine_tuning.weights
    if weights is None:
        return SeenImages()
    own = locate_weights(weights).description
    seen = None if own is None else own.seen
    return SeenImages(is_complete=False) if seen is None else seen


def told_of_seen(recipe: Recipe, seen: SeenImages, splits: Mapping[str, Split]) -> tuple[str, ...]:
    """Sentences about images for validation and test on which the weights were trained before this run."""
    earlier, told = unpack_digests(seen.earlier_train), []
    for name in ("val", "test"):
        num_seen = int(contains(earlier, splits[name].digests).sum()) if name in splits else 0
        if num_seen:
            others = "its score is of the others" if num_seen < len(splits[name]) else "there will be no score of it"
            told.append(
                f"the weights that this run starts from were trained on {num_seen:,} of the {len(splits[name]):,} "
                f"{name} images: {others}{_say_use(recipe) if name == 'val' else ''}"
            )
    if told:
        told.append("with the data.split_seed and shares of the run that made those weights, its test stays unseen")
    return tuple(told)


def _say_use(recipe: Recipe) -> str:
    """Say what validation images decide, also those that the weights have seen; empty for nothing."""
    decide = ["choose the epoch"] if recipe.keep == "best" else []
    decide += ["say when to stop"] if recipe.early_stopping_epochs else []
    return f", but all of them {' and '.join(decide)}" if decide else ""


def record_of_weights(recipe: Recipe) -> WeightsRecord | None:
    """Path and SHA-256 of the weights the run starts from, for its record."""
    path = recipe.fine_tuning.weights
    if path is None:
        return None
    with io_errors(f"read {path}"):
        return WeightsRecord(path, sha256_of(Path(path)))


def check_same_weights(path: str | None, recorded: WeightsRecord | None) -> None:
    """Refuse to begin a run again from weights that are gone or are no longer those it began with."""
    if path is None or recorded is None:
        return
    fix = "say where it is now (--resume RUN --weights FILE), put it back as it was, or start a new run"
    require(
        Path(path).is_file(),
        f"the weights the run starts from are gone: {path}",
        why="it has no checkpoint yet, so it needs them",
        fix=fix,
        code=Code.WEIGHTS,
    )
    require(
        sha256_of(Path(path)) == recorded.sha256,
        f"the weights have changed since the run was started: {path}",
        why="their SHA-256 differs",
        fix=fix,
        code=Code.WEIGHTS,
    )
