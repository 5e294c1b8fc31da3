"""Which network and which recipe suit which data, and why (no torch here)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from resnetkit.config import override
from resnetkit.data.spec import Augmentation, DataSpec, Preprocessing
from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.models.catalog import find_entry
from resnetkit.models.spec import ResNetSpec
from resnetkit.training.recipe import AdamW, Chosen, Recipe, Schedule, Sgd


@dataclass(frozen=True)
class DataFacts:
    """What the choice depends on.

    Attributes:
        image_size_px: of the images as they are; in a folder of photos, typical for the shorter side.
    """

    name: str
    image_size_px: int
    channels: int
    num_train: int
    num_classes: int
    is_folder: bool


# Channel means and standard deviations of the training images, in [0, 1].
STATISTICS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "digits": ((0.3055,), (0.3763,)),
    "mnist": ((0.1307,), (0.3081,)),
    "fashion_mnist": ((0.2860,), (0.3530,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}
PHOTO_STATISTICS = {  # ImageNet's, which published weights expect too
    1: ((0.449,), (0.226,)),
    3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
NOT_FLIPPED = ("digits", "mnist")  # a mirrored digit is another sign

TINY_PX, SMALL_PX = 16, 64
FEW_PHOTOS = 5_000
MANY_PHOTOS = 50_000
MIN_STEPS_PER_EPOCH = 4
SMALLEST_BATCH = 8  # batch norm needs some images to take its statistics from


def tiny_images(base: Recipe, flip_rate: float) -> Recipe:
    """For images up to 16 px: many short epochs, small shifts, averaged weights."""
    return replace(
        base,
        augmentation=Augmentation(pad_px=1, flip_rate=flip_rate),
        optimizer=Sgd(learning_rate=0.1, weight_decay=5e-4),
        schedule=Schedule("cosine", warmup_share=0.1),
        epochs=20,
        batch_size=64,
        label_smoothing=0.05,
        ema_decay=0.99,
    )


def small_images(base: Recipe, flip_rate: float) -> Recipe:
    """For images up to 64 px: shift and flip, one cosine, averaged weights, answers averaged with the mirror image."""
    # Photographed things lie anywhere, scanned and catalogued ones in the middle.
    pad_px = 4 if base.preprocessing.channels == 3 else 1
    return replace(
        base,
        preprocessing=replace(base.preprocessing, average_mirrored=flip_rate > 0),
        augmentation=Augmentation(pad_px=pad_px, flip_rate=flip_rate),
        optimizer=Sgd(learning_rate=0.1, weight_decay=3e-4),
        schedule=Schedule("cosine", warmup_share=2 / 18),
        epochs=18,
        batch_size=128,
        ema_decay=0.998,
    )


def photos(base: Recipe, flip_rate: float) -> Recipe:
    """For photographs: random-resized crops and flips, label smoothing, averaged weights."""
    return replace(
        base,
        augmentation=Augmentation(crop_area=(0.35, 1.0), flip_rate=flip_rate, brightness=0.3, contrast=0.3),
        optimizer=Sgd(learning_rate=0.05, weight_decay=5e-4),
        schedule=Schedule("cosine", warmup_share=0.05),
        epochs=40,
        batch_size=32,
        label_smoothing=0.1,
        ema_decay=0.995,
    )


def cifar_paper(base: Recipe, flip_rate: float) -> Recipe:
    """As arXiv:1512.03385, Section 4.2: lr 0.1, divided by 10 at 32k and 48k of 64k steps, batch 128, decay 1e-4."""
    return replace(
        base,
        augmentation=Augmentation(pad_px=4, flip_rate=flip_rate),
        optimizer=Sgd(learning_rate=0.1, nesterov=False, weight_decay=1e-4),
        schedule=Schedule("step", milestones=(0.5, 0.75)),
        epochs=164,
        batch_size=128,
        keep="last",
    )


def tutorial_adam(base: Recipe, flip_rate: float) -> Recipe:
    """As the Keras tutorial trains: Adam at 1e-3, batch 32, one epoch, values scaled to [0, 1].

    One deviation: the weights are averaged, because those after the last step of a constant learning rate are a
    matter of luck; ``ema_decay=0`` gives the tutorial's own.
    """
    channels = base.preprocessing.channels
    return replace(
        base,
        preprocessing=replace(base.preprocessing, mean=(0.0,) * channels, std=(1.0,) * channels),
        optimizer=AdamW(learning_rate=1e-3, eps=1e-7, weight_decay=0.0),
        schedule=Schedule("constant"),
        epochs=1,
        batch_size=32,
        ema_decay=0.99,
        keep="last",
    )


RECIPES: dict[str, Callable[[Recipe, float], Recipe]] = {
    function.__name__: function for function in (tiny_images, small_images, photos, cifar_paper, tutorial_adam)
}


def choose(
    facts: DataFacts,
    data: DataSpec,
    *,
    model: str | ResNetSpec | None = None,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Chosen:
    """The recipe for some data: what the caller leaves open is chosen, and the choice explained.

    Raises:
        ResnetkitError: for unknown names, fields or values.
    """
    reasons = []
    if model is None:
        model, why = _choose_model(facts)
        reasons.append(f"network {model}: {why}")
    if recipe is None:
        recipe, why = _choose_recipe(facts)
        reasons.append(f"recipe {recipe}: {why}")
    if recipe not in RECIPES:
        raise ResnetkitError(Code.USAGE, f"unknown recipe '{recipe}'", fix=did_you_mean(recipe, RECIPES))
    size, why = _choose_image_size(facts)
    reasons.append(f"images of {size} × {size} px: {why}")
    spec = find_entry(model).spec if isinstance(model, str) else model
    # A folder may have the name of a data set, but it has its own images.
    statistics = PHOTO_STATISTICS[facts.channels] if facts.is_folder else STATISTICS[facts.name]
    mean, std = statistics
    is_photo = size > SMALL_PX
    base = Recipe(
        name=recipe,
        model_name=model if isinstance(model, str) else "resnet",
        model=override(spec, {"num_classes": facts.num_classes, "in_channels": facts.channels}),
        data=data,
        preprocessing=Preprocessing(
            image_size_px=size,
            # A margin around the crop: 8/7, the 256 for 224 that everyone uses.
            resize_px=round(size * 8 / 7) if is_photo else size,
            channels=facts.channels,
            mean=mean,
            std=std,
        ),
    )
    flip_rate = 0.0 if facts.name in NOT_FLIPPED else 0.5
    chosen = RECIPES[recipe](base, flip_rate)
    most = max(SMALLEST_BATCH, facts.num_train // MIN_STEPS_PER_EPOCH)
    most = max(2, min(most, facts.num_train))
    if chosen.batch_size > most:
        chosen = replace(chosen, batch_size=2 ** (most.bit_length() - 1))
        reasons.append(f"batches of {chosen.batch_size}: {facts.num_train:,} training images are few")
    chosen = override(chosen, settings or {})
    warnings = [*warnings_about(chosen, facts), *settings_without_effect(chosen)]
    return Chosen(chosen, tuple(reasons), tuple(warnings))


def _choose_model(facts: DataFacts) -> tuple[str, str]:
    if facts.image_size_px <= SMALL_PX:
        return "resnet20", f"{facts.image_size_px} px images need a stem that keeps their size"
    if facts.num_train < MANY_PHOTOS:
        return "resnet18", f"{facts.num_train:,} photos are too few to fill a deeper network"
    return "resnet50", f"{facts.num_train:,} photos are enough for a deep network"


def _choose_recipe(facts: DataFacts) -> tuple[str, str]:
    if facts.image_size_px <= TINY_PX:
        return "tiny_images", "shifts by one pixel, many short epochs"
    if facts.image_size_px <= SMALL_PX:
        return "small_images", "shifts and flips, averaged weights, answers averaged with the mirror image"
    return "photos", "random-resized crops and flips, averaged weights"


def _choose_image_size(facts: DataFacts) -> tuple[int, str]:
    if not facts.is_folder:
        return facts.image_size_px, "as they are"
    if facts.image_size_px <= SMALL_PX:
        return max(8, facts.image_size_px), "their typical size"
    if facts.num_train < FEW_PHOTOS:
        return min(96, facts.image_size_px), f"{facts.num_train:,} photos teach little more detail, and this is quick"
    return min(224, facts.image_size_px), "what these networks were made for"


def warnings_about(recipe: Recipe, facts: DataFacts) -> list[str]:
    """Sentences about a network that does not suit the image size."""
    found = []
    size, stem = recipe.preprocessing.image_size_px, recipe.model.stem
    shrink = stem.stride * (1 if stem.pool == "none" else 2)
    better = _choose_model(replace(facts, image_size_px=size))[0]
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


def settings_without_effect(recipe: Recipe) -> list[str]:
    """Sentences about values that were changed but do nothing, because what they belong to is off."""
    schedule, augmentation = recipe.schedule, recipe.augmentation
    usual_schedule, usual_augmentation = Schedule(), Augmentation()
    idle = [
        ("reset_head", "weights", recipe.reset_head and recipe.weights is None),
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
