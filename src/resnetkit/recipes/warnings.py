"""Warnings about recipes that run, but probably not as intended (no torch here)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from resnetkit.config import override
from resnetkit.data.spec import Augmentation, DataSpec
from resnetkit.images.spec import SMALL_PX
from resnetkit.models.effects import cannot_learn, find_idle
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.demands import NO_DEMANDS
from resnetkit.recipes.recipe import Recipe, Schedule
from resnetkit.recipes.schedule import FEW_STEPS, num_frozen_parts

STRONG_IMBALANCE = 10


def warnings_about_network(base: ResNetSpec, model: ResNetSpec, settings: Mapping[str, Any]) -> list[str]:
    """Sentences about settings that change nothing in a network, and about one that cannot learn.

    Args:
        base: the network before the recipe's ``settings``, of which those of the ``model`` are looked at.
    """
    prefix = "model."
    of_model = {path.removeprefix(prefix): value for path, value in settings.items() if path.startswith(prefix)}
    idle = find_idle(of_model, lambda chosen: override(base, chosen)) if of_model else ()
    return [*(f"{prefix}{path} has no effect on this network" for path in idle), *cannot_learn(model)]


def warnings_about_size(recipe: Recipe, better: str) -> list[str]:
    """Sentences about a network that does not suit the image size; ``better`` names one that does."""
    found = []
    size, stem = recipe.preprocessing.image_size_px, recipe.model.stem
    shrink = stem.stride * (1 if stem.pool == "none" else 2)
    if size <= SMALL_PX and shrink >= 4 and recipe.model_name != better:
        found.append(
            f"{recipe.model_name} shrinks {size} px images to {-(-size // shrink)} × {-(-size // shrink)} before its "
            f"first block and loses their detail; {better} is made for them (--model {better})"
        )
    if size > SMALL_PX and shrink == 1:
        found.append(
            f"{recipe.model_name} keeps {size} px images at full size through its first stage, which is slow; "
            f"{better} is made for such images (--model {better})"
        )
    return found


def warnings_about_length(recipe: Recipe, num_train: int) -> list[str]:
    """Sentences about a run of few updates."""
    steps_per_epoch = num_train // recipe.batch_size
    num_steps = recipe.epochs * steps_per_epoch
    if not 0 < num_steps < FEW_STEPS:
        return []
    epochs = "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs} epochs"
    return [
        f"a run of {num_steps} updates ({epochs} of {steps_per_epoch}) is short: a network hardly leaves "
        f"its start in fewer than {FEW_STEPS} (--epochs {-(-FEW_STEPS // steps_per_epoch)})"
    ]


def warnings_about_classes(recipe: Recipe, class_names: Sequence[str], counts: Sequence[int]) -> list[str]:
    """Sentences about weights of classes, or none, for so many training images of each."""
    order = sorted(range(len(counts)), key=counts.__getitem__)
    smallest, largest = order[0], order[-1]
    if recipe.class_weights == "none":
        if counts[largest] <= STRONG_IMBALANCE * counts[smallest]:
            return []
        return [
            f"classes are very unequal: '{class_names[largest]}' has {counts[largest]:,} training images, "
            f"'{class_names[smallest]}' {counts[smallest]:,}; class weights may help (--set class_weights=balanced)"
        ]
    if len(class_names) == 1:
        return ["class_weights has no effect with one class"]
    if recipe.class_weights == "balanced" and counts[smallest] == counts[largest]:
        return [f"class_weights=balanced has no effect: every class has {counts[smallest]:,} training images"]
    return []


def warnings_about_fine_tuning(recipe: Recipe) -> list[str]:
    """Sentences about parts that are frozen or slow without a good reason."""
    fine_tuning, parts = recipe.fine_tuning, recipe.parts
    found = []
    is_fit_as_it_starts = fine_tuning.freeze == "stem" and recipe.model.initialization.stem == "cosine_pairs"
    if fine_tuning.weights is None and fine_tuning.freeze != "none" and not is_fit_as_it_starts:
        found.append(
            f"fine_tuning.freeze={fine_tuning.freeze} without weights holds parts that have learned nothing (--weights)"
        )
    if fine_tuning.weights is None and fine_tuning.hold_statistics:
        found.append(
            "fine_tuning.hold_statistics without weights normalises by statistics of nothing (--weights), and the run "
            "may diverge"
        )
    if fine_tuning.weights is None and fine_tuning.layer_decay < 1:
        found.append(
            f"fine_tuning.layer_decay={fine_tuning.layer_decay:g} without weights slows the parts that have most to "
            "learn (--weights)"
        )
    left, lowest = num_frozen_parts(fine_tuning, parts, recipe.epochs - 1), parts.index(fine_tuning.thaw_to)
    if left > lowest and fine_tuning.thaw_every_epochs:
        needed = (num_frozen_parts(fine_tuning, parts, 0) - lowest) * fine_tuning.thaw_every_epochs
        found.append(
            f"{', '.join(parts[lowest:left])} never thaw: that needs more than {needed:,} epochs at "
            f"fine_tuning.thaw_every_epochs={fine_tuning.thaw_every_epochs}, the run has {recipe.epochs:,}"
        )
    if left and fine_tuning.adapt_channels:
        found.append("the first conv is adapted to other channels but frozen: it cannot learn to use them")
    return found


def settings_without_validation(recipe: Recipe, *, has_validation: bool) -> list[str]:
    """Sentences about values that were changed but ask for images which were not held back."""
    if has_validation:
        return []
    changed = {
        "early_stopping_epochs": recipe.early_stopping_epochs > 0,
        "validate_every_epochs": recipe.validate_every_epochs > 1,
        "selection": recipe.selection != "top1",
        "decision": recipe.decision != NO_DEMANDS,
    }
    return [f"{name} has no effect without validation images" for name, is_changed in changed.items() if is_changed]


def settings_without_effect(recipe: Recipe) -> list[str]:
    """Sentences about values that were changed but do nothing, because what they belong to is off."""
    schedule, augmentation, images = recipe.schedule, recipe.augmentation, recipe.preprocessing
    usual_schedule, usual_augmentation = Schedule(), Augmentation()
    idle = [
        *(
            (f"fine_tuning.{name}", "fine_tuning.weights (--weights)", getattr(recipe.fine_tuning, name))
            for name in ("entry", "reset_head", "adapt_channels")
            if recipe.fine_tuning.weights is None
        ),
        (
            "fine_tuning.thaw_every_epochs",
            "fine_tuning.freeze (--freeze)",
            recipe.fine_tuning.thaw_every_epochs > 0 and recipe.fine_tuning.freeze == "none",
        ),
        *(
            (f"fine_tuning.{name}", "fine_tuning.thaw_every_epochs", getattr(recipe.fine_tuning, name) != usual)
            for name, usual in (("thaw_to", "stem"), ("restart_at_thaw", False))
            if recipe.fine_tuning.thaw_every_epochs == 0
        ),
        (
            "augmentation.num_views",
            "a random change of the images",
            augmentation.num_views > 1 and augmentation.num_distinct_views == 1,
        ),
        (
            f"early_stopping_epochs={recipe.early_stopping_epochs}",
            "a run of more epochs than that",
            0 < recipe.epochs <= recipe.early_stopping_epochs,
        ),
        (
            "selection",
            "keep=best, or early_stopping_epochs",
            recipe.selection != "top1" and recipe.keep == "last" and not recipe.early_stopping_epochs,
        ),
        ("decision", "data.validation=held_back", recipe.decision != NO_DEMANDS and recipe.data.validation == "test"),
        (
            "decision.set_rule",
            "decision.coverage",
            recipe.decision.set_rule != NO_DEMANDS.set_rule and not recipe.decision.coverage,
        ),
        (
            "data.validation_fraction",
            "data.validation=held_back",
            recipe.data.validation == "test"
            and recipe.data.validation_fraction != DataSpec(recipe.data.source).validation_fraction,
        ),
        *(
            (f"schedule.{name}", "schedule.shape=step", getattr(schedule, name) != getattr(usual_schedule, name))
            for name in ("milestones", "step_factor")
            if schedule.shape != "step"
        ),
        (
            "schedule.final_share",
            "schedule.shape=cosine or linear",
            schedule.shape in ("step", "constant") and schedule.final_share > 0,
        ),
        (
            "preprocessing.resize_px above image_size_px",
            "preprocessing.fit=crop or augmentation.crop_area",
            images.fit != "crop" and augmentation.crop_area is None and images.resize_px > images.image_size_px,
        ),
        (
            "augmentation.crop_aspect",
            "augmentation.crop_area",
            augmentation.crop_area is None and augmentation.crop_aspect != usual_augmentation.crop_aspect,
        ),
        (
            "augmentation.pad_px",
            "augmentation.crop_area=null: random-resized crops replace it",
            augmentation.crop_area is not None and augmentation.pad_px > 0,
        ),
        (
            "augmentation.erase_area",
            "augmentation.erase_rate above 0",
            augmentation.erase_rate == 0 and augmentation.erase_area != usual_augmentation.erase_area,
        ),
    ]
    return [f"{name} has no effect without {needs}" for name, needs, is_idle in idle if is_idle]


def settings_of_named_data_without_effect(recipe: Recipe, splits: Collection[str]) -> list[str]:
    """Sentences about values that were changed but are for folders; ``splits`` are those the data come in."""
    data, preprocessing, usual = recipe.data, recipe.preprocessing, DataSpec(recipe.data.source)
    idle = {
        "data.layout": data.layout != usual.layout,
        "data.on_bad_image": data.on_bad_image != usual.on_bad_image,
        "data.cache": data.cache != usual.cache,
        "data.limits": data.limits != usual.limits,
        "data.test_fraction": "test" in splits and data.test_fraction != usual.test_fraction,
        "data.validation_fraction": "val" in splits and data.validation_fraction != usual.validation_fraction,
        "preprocessing.jpeg_scaling": preprocessing.jpeg_scaling != "full",
    }
    return [
        f"{name} has no effect on a data set that has a name and its own {'split' if 'fraction' in name else 'pixels'}"
        for name, is_idle in idle.items()
        if is_idle
    ]
