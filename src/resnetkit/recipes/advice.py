"""Choose the network and the recipe that suit some data and weights, and say why (no torch here)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from resnetkit.config import override
from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.images.spec import SMALL_PX, Fit, Preprocessing, with_margin
from resnetkit.models.catalog import find_entry
from resnetkit.models.spec import ResNetSpec
from resnetkit.models.variations import SHORT_NAMES, split_name
from resnetkit.pages.formatting import plain_percent
from resnetkit.recipes.grey_ranges import nearly_black, say_ranges
from resnetkit.recipes.named import RECIPES, REMARKS, Traits
from resnetkit.recipes.recipe import Chosen, FineTuning, Recipe
from resnetkit.recipes.schedule import is_short, num_frozen_parts
from resnetkit.recipes.warnings import (
    settings_of_named_data_without_effect,
    settings_without_effect,
    warnings_about_fine_tuning,
    warnings_about_length,
    warnings_about_network,
    warnings_about_size,
)

if TYPE_CHECKING:
    from resnetkit.data.datasets import NamedData
    from resnetkit.images.types import FloatValues, Shapes, SixteenBit


@dataclass(frozen=True)
class DataSummary:
    """Summary of data: all that the choice depends on.

    Attributes:
        image_size_px: of the images as they are; in a folder of photos, typical for the shorter side.
        statistics: mean and std of each channel; None: taken for those of photographs.
        shapes: of images that need not be squares.
        sixteen_bit, floats: the range of 16-bit images and of float ones; None: there are none.
        remarks: sentences on what follows from how the images are.
        may_be_mirrored: whether a mirrored image is of the same class.
        splits: that a data set with a name comes in.
    """

    name: str
    image_size_px: int
    channels: int
    num_train: int
    num_classes: int
    is_folder: bool
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    may_be_mirrored: bool = True
    splits: tuple[str, ...] = ()
    shapes: Shapes | None = None
    sixteen_bit: SixteenBit | None = None
    floats: FloatValues | None = None
    remarks: tuple[str, ...] = ()

    @property
    def traits(self) -> Traits:
        """Their traits that recipes ask for."""
        return Traits(self.num_train, 0.5 if self.may_be_mirrored else 0.0)

    @classmethod
    def of(cls, data: NamedData, num_train: int) -> DataSummary:
        """Summarize a data set that has a name; all but the number of images stand in its entry."""
        return cls(
            data.name,
            data.image_size_px,
            data.channels,
            num_train,
            len(data.class_names),
            is_folder=False,
            statistics=(data.mean, data.std),
            may_be_mirrored=data.may_be_mirrored,
            splits=tuple(data.files),
        )


@dataclass(frozen=True)
class StartingPoint:
    """The weights a run starts from, and what they say about themselves; None or empty where they do not say.

    Attributes:
        weights: the file.
        spec, model_name: the network they were made for.
        preprocessing: how its images were prepared.
        class_names: what its head answers.
        choices: what was chosen of the file's content, or left aside.
    """

    weights: str
    spec: ResNetSpec | None = None
    model_name: str = "resnet"
    preprocessing: Preprocessing | None = None
    class_names: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


PHOTO_STATISTICS = {  # ImageNet's, which published weights expect too
    1: ((0.449,), (0.226,)),
    3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}

LONG_SHARE = 0.5  # images with less in their middle square are no usual photographs: those have 0.56 (16 : 9) or more
TINY_PX = 16
FEW_PHOTOS = 5_000
MANY_PHOTOS = 50_000
# For fine-tuning more than the upper parts. Of photographs, which get larger networks: with 110 of each class the last
# stage learned them by heart, and was no better for it (benchmarks/fine_tuning.md).
FEW_PER_CLASS, FEW_PHOTOS_PER_CLASS = 30, 200
THAWING = ("thaw_every_epochs", "thaw_to", "restart_at_thaw")
MIN_STEPS_PER_EPOCH = 4
SMALLEST_BATCH = 8  # batch norm needs some images to take its statistics from


def choose(
    summary: DataSummary,
    data: DataSpec,
    *,
    model: str | ResNetSpec | None = None,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    start: StartingPoint | None = None,
) -> Chosen:
    """The recipe for some data: what the caller leaves open is chosen, and the choice explained.

    Args:
        start: the weights to start from, which decide where they say what they were made for.

    Raises:
        ResnetkitError: for unknown names, fields or values.
    """
    reasons = []
    settings = settings or {}
    fit, why_fit = (
        _choose_fit(summary, start) if "preprocessing.fit" not in settings else (settings["preprocessing.fit"], "")
    )
    summary = replace(summary, image_size_px=_typical_side(summary, fit))
    model_name = model if isinstance(model, str) else "resnet"
    if isinstance(model, str):
        _check_brackets(model, summary)
    if model is None and start is not None and start.spec is not None:
        model, model_name = start.spec, start.model_name
        reasons.append(f"network {model_name}: the weights were made for it")
    elif model is None:
        model, why = _choose_model(summary, recipe)
        model_name = model
        reasons.append(f"network {model}: {why}")
    spec, about_name = (model, ()) if isinstance(model, ResNetSpec) else _find_network(model)
    if recipe is None:
        last_stage = f"stage{len(spec.depths)}"
        is_head_alone = settings.get("fine_tuning.freeze", last_stage) == last_stage
        recipe, why = _choose_recipe(summary, start, is_head_alone=is_head_alone)
        reasons.append(f"recipe {recipe}: {why}")
    if recipe not in RECIPES:
        raise ResnetkitError(Code.USAGE, f"unknown recipe '{recipe}'", fix=did_you_mean(recipe, RECIPES))
    reasons += [f"recipe {recipe}: {REMARKS[recipe]}"] if recipe in REMARKS else []
    preprocessing, why = _choose_preprocessing(summary, start, fit)
    size = preprocessing.image_size_px
    base = Recipe(
        name=recipe,
        model_name=model_name,
        model=override(spec, {"num_classes": summary.num_classes, "in_channels": summary.channels}),
        data=data,
        preprocessing=preprocessing,
    )
    chosen = RECIPES[recipe](base, summary.traits)
    if fit != "crop" and chosen.augmentation.crop_area is None:
        chosen = override(chosen, {"preprocessing.resize_px": size})  # a margin would have no use
    most = max(SMALLEST_BATCH, summary.num_train // MIN_STEPS_PER_EPOCH)
    most = max(2, min(most, summary.num_train))
    few = 2 ** (most.bit_length() - 1) if chosen.batch_size > most else None
    if few is not None:
        chosen = replace(chosen, batch_size=few)
    if start is not None:
        chosen = override(chosen, {"fine_tuning.weights": start.weights})
    if "fine_tuning.freeze" in settings:  # it is held to the end, unless the settings say how it thaws
        chosen = override(chosen, {f"fine_tuning.{name}": getattr(FineTuning(), name) for name in THAWING})
    chosen = override(chosen, settings)
    if chosen.class_weights != "none" and "selection" not in settings and chosen.keep == "best":
        chosen = replace(chosen, selection="balanced")
        reasons.append("best epoch by balanced accuracy: the classes are weighted")
    if chosen.preprocessing.image_size_px == size:
        reasons.append(f"images of {size} × {size} px: {why}")
    if start is not None and start.preprocessing is None and not _has_statistics(settings):
        whose = "photographs" if summary.statistics is None else "the data"
        reasons.append(f"mean and std of {whose}: the weights do not say theirs (--set preprocessing.mean=… and std)")
    if why_fit:
        reasons.append(f"fit {fit}: {why_fit}")
    if chosen.preprocessing.channels == summary.channels:
        reasons += summary.remarks
    reasons += say_ranges(chosen.preprocessing, summary.sixteen_bit, summary.floats)
    if chosen.batch_size == few:
        reasons.append(f"batches of {few}: {summary.num_train:,} training images are few")
    if _takes_statistics(chosen) and is_short(chosen.epochs * (summary.num_train // chosen.batch_size)):
        reasons.append("statistics of batch norms taken anew at the end of every epoch: the run is short")
    better, _ = _choose_model(replace(summary, image_size_px=chosen.preprocessing.image_size_px))
    warnings = [
        *dict.fromkeys((*about_name, *warnings_about_network(base.model, chosen.model, settings))),
        *(() if start is None else (f"weights: {text}" for text in start.choices)),
        *warnings_about_size(chosen, better),
        *warnings_about_length(chosen, summary.num_train),
        *warnings_about_fine_tuning(chosen),
        *settings_without_effect(chosen),
        *(() if summary.is_folder else settings_of_named_data_without_effect(chosen, summary.splits)),
        *_idle_adaptation(chosen, start),
        *nearly_black(chosen.preprocessing, summary.sixteen_bit, summary.floats),
    ]
    return Chosen(chosen, tuple(reasons), tuple(warnings))


def _has_statistics(settings: Mapping[str, Any]) -> bool:
    """Tell whether mean or std are set."""
    return any(path in settings for path in ("preprocessing", "preprocessing.mean", "preprocessing.std"))


def _takes_statistics(recipe: Recipe) -> bool:
    """Tell whether any batch norm follows the training images to the end."""
    tuning, parts = recipe.fine_tuning, recipe.parts
    are_all_held = num_frozen_parts(tuning, parts, recipe.epochs - 1) >= len(parts) - 1  # the head has none
    return recipe.model.norm.kind == "batch_norm" and not tuning.hold_statistics and not are_all_held


def _idle_adaptation(recipe: Recipe, start: StartingPoint | None) -> tuple[str, ...]:
    """A sentence where the first conv is to be adapted to the channels it has."""
    fits = start is not None and start.spec is not None and start.spec.in_channels == recipe.model.in_channels
    idle = recipe.fine_tuning.adapt_channels and fits
    return ("fine_tuning.adapt_channels has no effect: weights and images have the same channels",) if idle else ()


def _find_network(name: str) -> tuple[ResNetSpec, tuple[str, ...]]:
    entry = find_entry(name)
    return entry.spec, entry.warnings


def _check_brackets(name: str, summary: DataSummary) -> None:
    """Refuse a name that says other classes or channels than the data have, which decide both."""
    keys = {SHORT_NAMES.get(key, key): key for key in split_name(name)[1]}
    spec = find_entry(name).spec
    for path, number in (("num_classes", summary.num_classes), ("in_channels", summary.channels)):
        require(
            path not in keys or getattr(spec, path) == number,
            f"{name} says {keys.get(path)}={getattr(spec, path)}, but {summary.name} has {number}",
            why="the data decide the classes and channels of what is trained on them",
            fix=f"leave {keys.get(path)} out of the brackets",
        )


def _choose_model(summary: DataSummary, recipe: str | None = None) -> tuple[str, str]:
    if summary.image_size_px <= SMALL_PX and recipe == "quick":
        return "quick_resnet8" if summary.channels == 1 else "quick_resnet8_wide", "the recipe quick was made for it"
    if summary.image_size_px <= SMALL_PX:
        return "resnet20", f"{summary.image_size_px} px images need a stem that keeps their size"
    if summary.num_train < MANY_PHOTOS:
        return "resnet18", f"{summary.num_train:,} photos are too few to fill a deeper network"
    return "resnet50", f"{summary.num_train:,} photos are enough for a deep network"


def _choose_recipe(summary: DataSummary, start: StartingPoint | None, *, is_head_alone: bool) -> tuple[str, str]:
    is_photo = summary.image_size_px > SMALL_PX
    few = FEW_PHOTOS_PER_CLASS if is_photo else FEW_PER_CLASS
    is_few = summary.num_train < few * summary.num_classes
    # Of photographs, the recipe for few has values for a head alone, and none for what somebody trains beside it.
    if start is not None and is_few and (is_head_alone or not is_photo):
        return "fine_tune_few", (
            f"{summary.num_train:,} images of {summary.num_classes} classes are too few to teach the lower parts more "
            "than the weights know; they stay frozen"
        )
    if start is not None:
        return "fine_tune", "trained weights need low rates, few epochs and mild augmentation"
    if summary.image_size_px <= TINY_PX:
        return "tiny_images", "shifts by one pixel, many short epochs"
    if summary.image_size_px <= SMALL_PX:
        return "small_images", "shifts and flips, averaged weights, answers averaged with the mirror image"
    return "photos", "random-resized crops and flips, averaged weights"


def _choose_fit(summary: DataSummary, start: StartingPoint | None) -> tuple[Fit, str]:
    """Choose how images become squares, with a reason; it is empty where nothing had to be chosen."""
    theirs = start.preprocessing.fit if start is not None and start.preprocessing is not None else "crop"
    shapes = summary.shapes
    if theirs != "crop" or shapes is None or shapes.middle_share >= LONG_SHARE:
        return theirs, ""
    share = plain_percent(shapes.middle_share, 0)
    why = f"the middle square is only {share} of the pixels of these images, so they are not cropped"
    if shapes.are_alike:
        return "squeeze", f"{why}; they are alike in shape, so all are squeezed alike"
    return "pad", f"{why}; their shapes differ, and are kept"


def _typical_side(summary: DataSummary, fit: Fit) -> int:
    """The side of squares with about the detail that the images have."""
    shapes = summary.shapes
    if shapes is None or fit == "crop":
        return summary.image_size_px
    return shapes.longer_px if fit == "pad" else round((shapes.shorter_px * shapes.longer_px) ** 0.5)


def _choose_preprocessing(summary: DataSummary, start: StartingPoint | None, fit: Fit) -> tuple[Preprocessing, str]:
    white = None if summary.sixteen_bit is None else summary.sixteen_bit.white
    if start is not None and start.preprocessing is not None:
        theirs, why = start.preprocessing, "as the weights were trained"
        if theirs.channels == summary.channels:
            return replace(theirs, fit=fit, white_16bit=white or theirs.white_16bit), why
        mean, std = ((fmean(values),) * summary.channels for values in (theirs.mean, theirs.std))
        adapted = replace(theirs, channels=summary.channels, channel_order="rgb", mean=mean, std=std)
        adapted = replace(adapted, fit=fit, white_16bit=white or theirs.white_16bit)
        return adapted, f"{why}, with the average of their mean and std in each channel"
    size, why = _choose_image_size(summary, start)
    mean, std = summary.statistics or PHOTO_STATISTICS[summary.channels]
    chosen = Preprocessing(size, with_margin(size), summary.channels, mean, std, fit=fit)
    return replace(chosen, white_16bit=white or chosen.white_16bit), why


def _choose_image_size(summary: DataSummary, start: StartingPoint | None) -> tuple[int, str]:
    if not summary.is_folder:
        return summary.image_size_px, "as they are"
    if summary.image_size_px <= SMALL_PX:
        return max(8, summary.image_size_px), "their typical size"
    if summary.num_train < FEW_PHOTOS and start is None:
        why = f"{summary.num_train:,} photos teach little more detail, and this is quick"
        return min(96, summary.image_size_px), why
    return min(224, summary.image_size_px), "what these networks were made for"
