"""Target of a benchmark: a network by its name, a classifier, third-party weights or a run, and how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from resnetkit.classifier.classifier import Classifier
from resnetkit.config import override
from resnetkit.data.spec import DataSpec
from resnetkit.errors import require
from resnetkit.images.spec import with_margin
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.advice import MANY_PHOTOS, DataSummary, choose
from resnetkit.recipes.recipe import Recipe
from resnetkit.sources.locate import Source, locate
from resnetkit.sources.weights import open_classifier

SOURCE = "made-up"  # the recipe's data have a name, but are never opened
USUAL_CLASSES = 1000  # for a network without a head


@dataclass(frozen=True)
class Subject:
    """A classifier, and the recipe that trains its network."""

    name: str
    classifier: Classifier
    recipe: Recipe


def find_subject(
    source: Source,
    *,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    model: str | None = None,
    entry: str | None = None,
) -> Subject:
    """Find what a source names, and a recipe for it.

    The recipe of a run is the run's own; for anything else, it is the one of that name, or the one that ``train`` would
    choose for many images of the network's size.

    Args:
        settings: fields of the recipe to replace.
        model, entry: for a weight file: its network, and which of several it holds, where the file leaves a choice.

    Raises:
        ResnetkitError: for an unknown name, a file that cannot be used, or settings that fit nothing.
    """
    located, settings = locate(source), settings or {}
    text = located.text
    require(
        located.kind == "weights" or (model is None and entry is None),
        f"--model and --entry read weight files, and {text} is none",
    )
    if located.entry is not None:
        chosen = _choose(located.entry.spec, text, located.entry.image_size_px, recipe, settings)
        return Subject(text, _fresh(chosen), chosen)
    if located.run is not None:
        require(recipe is None, f"{text} is a run and has a recipe", fix="leave --recipe out; --set changes its fields")
        own = located.run.read_record().recipe
        own = override(replace(own, fine_tuning=replace(own.fine_tuning, weights=None)), settings)
        return _checked(text, _fresh(own) if located.description is None else open_classifier(located), own)
    classifier = open_classifier(located, model=model, entry=entry)
    name = str(classifier.provenance.get("model", "resnet"))
    spec, size = classifier.network.spec, classifier.preprocessing.image_size_px
    return _checked(text, classifier, _choose(spec, name, size, recipe, settings))


def _choose(spec: ResNetSpec, name: str, image_size_px: int, recipe: str | None, settings: Mapping[str, Any]) -> Recipe:
    """The recipe for many images, from scratch."""
    channels, num_classes = spec.in_channels, spec.num_classes or USUAL_CLASSES
    require(channels in (1, 3), f"images have 1 or 3 channels, {name} reads {channels}")
    summary = DataSummary(SOURCE, image_size_px, channels, MANY_PHOTOS, num_classes, is_folder=True)
    size = {"preprocessing.image_size_px": image_size_px, "preprocessing.resize_px": with_margin(image_size_px)}
    chosen = choose(summary, DataSpec(SOURCE), model=spec, recipe=recipe, settings={**size, **settings}).recipe
    return replace(chosen, model_name=name)


def _checked(text: str, classifier: Classifier, recipe: Recipe) -> Subject:
    require(
        recipe.model == classifier.network.spec,
        f"{text} has its network, which settings of the recipe cannot change",
        fix="leave --set model.… out, or give the network's name",
    )
    return Subject(text, classifier, recipe)


def _fresh(recipe: Recipe) -> Classifier:
    """A classifier with the network of a recipe as it is before training."""
    torch.manual_seed(0)  # the same each time, so that an engine chosen for it is known the next time
    network = ResNet(recipe.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    names = tuple(str(number) for number in range(recipe.model.num_classes or 0))
    return Classifier(network, recipe.preprocessing, names)
