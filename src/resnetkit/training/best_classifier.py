"""The classifier that a run has made so far, from the best weights of its state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.reference_check import make_reference
from resnetkit.data.types import LoadedData
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Recipe
from resnetkit.training.met_images import MetImages
from resnetkit.training.state import TrainingState


@dataclass(frozen=True)
class ClassifierOrigin:
    """Origin that the classifier of a run tells of.

    Attributes:
        data_name: of its data, as they were called when the run began.
        met: the images that its weights meet.
    """

    recipe: Recipe
    data_name: str
    data: LoadedData
    met: MetImages


def best_classifier(state: TrainingState, origin: ClassifierOrigin, *, is_finished: bool = True) -> Classifier:
    """The best weights so far as a classifier; of a run that goes on, it says that it is not the last word."""
    recipe, progress = origin.recipe, state.progress
    network = ResNet(recipe.model)
    network.load_state_dict(state.best_weights)
    provenance: dict[str, Any] = {
        "data": origin.data_name,
        "data_fingerprint": origin.data.fingerprint,
        "recipe": recipe.name,
        "model": recipe.model_name,
        "weights": recipe.fine_tuning.weights and Path(recipe.fine_tuning.weights).name,
        "seed": recipe.seed,
        "epochs": progress.epoch,
        "kept_epoch": progress.kept_epoch,
        "val_top1": progress.best_top1 if progress.kept_epoch == progress.best_epoch else None,
    }
    if not is_finished:
        kept = progress.kept(recipe.keep)
        told = f"the run had not finished: this is the {kept} so far, epoch {progress.kept_epoch} of {recipe.epochs}"
        provenance["warnings"] = [told]
    device = next(state.network.parameters()).device
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    class_names, limits, seen = origin.data.class_names, recipe.data.limits, origin.met.now()
    reference = make_reference(network, recipe.preprocessing) if is_finished else None
    return Classifier(network, recipe.preprocessing, class_names, provenance, limits, seen, reference=reference)
