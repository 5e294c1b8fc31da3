"""A recipe is one value that survives JSON and refuses what cannot work."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from resnetkit.cli.train import train as train_command
from resnetkit.config import from_dict, override, to_dict
from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import Augmentation, DataSpec
from resnetkit.errors import Code, ResnetkitError
from resnetkit.evaluation.metrics import score
from resnetkit.images.spec import Preprocessing
from resnetkit.models.catalog import find_entry
from resnetkit.recipes.advice import FEW_PER_CLASS, FEW_PHOTOS_PER_CLASS, DataSummary, StartingPoint, choose
from resnetkit.recipes.demands import Demands
from resnetkit.recipes.named import HEAD_DECAY, RECIPES
from resnetkit.recipes.recipe import AdamW, FineTuning, Muon, Recipe, Schedule, Sgd
from resnetkit.recipes.schedule import num_frozen_parts
from resnetkit.recipes.warnings import settings_without_validation, warnings_about_classes
from resnetkit.runs.result import warnings_about_recall

DIGITS = DataSummary.of(DATASETS["digits"], 1294)
FASHION = DataSummary.of(DATASETS["fashion_mnist"], 54_000)
CIFAR = DataSummary.of(DATASETS["cifar10"], 45_000)
PHOTOS = DataSummary("flowers", 240, 3, 550, 5, is_folder=True)
START = StartingPoint("/weights/start.safetensors")


def recipe(**changes: object) -> Recipe:
    return replace(choose(DIGITS, DataSpec("digits")).recipe, **changes)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("summary", [DIGITS, FASHION, PHOTOS], ids=lambda summary: summary.name)
def test_every_recipe_fits_all_data_and_survives_json(name: str, summary: DataSummary) -> None:
    chosen = choose(summary, DataSpec(summary.name), recipe=name).recipe
    assert chosen.name == name
    assert chosen.model.num_classes == summary.num_classes
    assert chosen.model.in_channels == chosen.preprocessing.channels == summary.channels
    assert from_dict(Recipe, to_dict(chosen)) == chosen


@pytest.mark.parametrize(
    ("changes", "chooses"),
    [
        ({}, True),
        ({"keep": "last"}, False),
        ({"keep": "last", "early_stopping_epochs": 2}, True),
        ({"epochs": 1}, False),
        ({"validate_every_epochs": 9}, False),
        ({"validate_every_epochs": 8}, True),
        ({"keep": "last", "early_stopping_epochs": 2, "validate_every_epochs": 9}, False),
    ],
)
def test_validation_chooses_where_it_could_have_led_to_another_epoch(changes: dict[str, Any], chooses: bool) -> None:
    assert replace(recipe(epochs=9), **changes).validation_chooses is chooses


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": -4}, "batch_size"),
        ({"batch_size": 10, "accumulate_steps": 3}, "multiple of accumulate_steps"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"ema_decay": 1.5}, "ema_decay"),
        ({"max_gradient_norm": 0.0}, "max_gradient_norm"),
        ({"fine_tuning": FineTuning(freeze="head")}, "nothing is left to train"),
        ({"fine_tuning": FineTuning(freeze="stage4")}, "the network has stem, stage1, stage2, stage3, head"),
    ],
)
def test_impossible_values_are_refused_by_name(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ResnetkitError, match=words) as caught:
        recipe(**changes)
    assert caught.value.code == Code.USAGE


@pytest.mark.parametrize(
    "changes",
    [
        *({"warmup_share": 1.0}, {"warmup_share": -0.1}, {"final_share": 2.0}),
        *({"milestones": (82, 123)}, {"milestones": (-0.1,)}, {"step_factor": 0.0}),
    ],
)
def test_impossible_schedules_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ResnetkitError, match=f"schedule.{next(iter(changes))}"):
        Schedule(**changes)


def test_milestones_in_epochs_are_refused_with_what_they_are() -> None:
    with pytest.raises(ResnetkitError) as caught:
        choose(CIFAR, DataSpec("cifar10"), recipe="cifar_paper", settings={"schedule.milestones": [82, 123]})
    assert caught.value.fix == "give shares of the run, e.g. [0.5, 0.75]"


@pytest.mark.parametrize("epochs", [1, 2])
def test_every_recipe_can_be_shortened(epochs: int) -> None:
    for name in RECIPES:
        assert choose(DIGITS, DataSpec("digits"), recipe=name, settings={"epochs": epochs}).recipe.epochs == epochs


def test_channels_of_network_and_images_must_agree() -> None:
    with pytest.raises(ResnetkitError, match="reads 3 channels"):
        override(recipe(), {"model.in_channels": 3})


@pytest.mark.parametrize("make", [lambda: Sgd(learning_rate=0), lambda: Sgd(momentum=0), lambda: AdamW(betas=(1, 0))])
def test_impossible_optimizers_are_refused(make: object) -> None:
    with pytest.raises(ResnetkitError):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"layer_decay": 0.0}, "layer_decay"), ({"layer_decay": 1.1}, "layer_decay"), ({"head_factor": 0}, "head_factor")],
)
def test_impossible_fine_tuning_is_refused(changes: dict[str, float], words: str) -> None:
    with pytest.raises(ResnetkitError, match=words):
        FineTuning(**changes)  # type: ignore[arg-type]
    with pytest.raises(ResnetkitError, match="thaw_every_epochs"):
        FineTuning(thaw_every_epochs=-1)


def test_freezing_everything_is_refused_with_what_trains_the_head_alone() -> None:
    with pytest.raises(ResnetkitError, match="nothing is left") as caught:
        choose(DIGITS, DataSpec("digits"), start=START, settings={"fine_tuning.freeze": "head"})
    assert "--freeze stage3" in caught.value.fix


def test_settings_reach_any_depth_and_switch_kinds() -> None:
    chosen = choose(
        DIGITS,
        DataSpec("digits"),
        settings={"optimizer.kind": "adamw", "optimizer.learning_rate": "0.01", "model.block.join.kind": "scaled_add"},
    ).recipe
    assert chosen.optimizer == AdamW(learning_rate=0.01)
    assert chosen.model.block.join.skip_scale == 0.5


def test_unknown_fields_are_refused_with_the_nearest_one() -> None:
    with pytest.raises(ResnetkitError, match="'batch_size'"):
        choose(DIGITS, DataSpec("digits"), settings={"batchsize": 3})


# --- what is chosen ---


def test_digits_are_never_mirrored() -> None:
    for name in RECIPES:
        assert choose(DIGITS, DataSpec("digits"), recipe=name).recipe.augmentation.flip_rate == 0
    assert choose(FASHION, DataSpec("fashion_mnist")).recipe.augmentation.flip_rate == 0.5


def test_small_images_get_a_stem_that_keeps_detail_and_photos_one_that_saves_work() -> None:
    small = choose(FASHION, DataSpec("fashion_mnist")).recipe.model.stem
    large = choose(PHOTOS, DataSpec("flowers")).recipe.model.stem
    assert small.pool == "none"
    assert (large.kernel_sizes, large.stride, large.pool) == ((7,), 2, "max")


def test_the_quick_recipe_brings_its_network() -> None:
    assert choose(FASHION, DataSpec("fashion_mnist"), recipe="quick").recipe.model_name == "quick_resnet8"
    colour = choose(CIFAR, DataSpec("cifar10"), recipe="quick").recipe
    assert colour.model_name == "quick_resnet8_wide"
    assert isinstance(colour.optimizer, Muon)
    assert choose(FASHION, DataSpec("fashion_mnist"), model="resnet20", recipe="quick").recipe.model_name == "resnet20"
    assert choose(PHOTOS, DataSpec("flowers"), recipe="quick").recipe.model_name == "resnet18"


def test_only_a_stem_that_is_fit_as_it_starts_is_held_by_the_quick_recipe() -> None:
    own = choose(CIFAR, DataSpec("cifar10"), recipe="quick")
    assert own.recipe.fine_tuning.freeze == "stem"
    assert not any("learned nothing" in warning for warning in own.warnings)
    other = choose(CIFAR, DataSpec("cifar10"), model="resnet20", recipe="quick")
    assert other.recipe.fine_tuning.freeze == "none"
    held = choose(CIFAR, DataSpec("cifar10"), model="resnet20", settings={"fine_tuning.freeze": "stem"})
    assert any("learned nothing" in warning for warning in held.warnings)


def test_every_choice_is_explained_and_a_given_one_is_not() -> None:
    assert len(choose(FASHION, DataSpec("fashion_mnist")).reasons) == 3
    given = choose(FASHION, DataSpec("fashion_mnist"), model="resnet20", recipe="small_images")
    assert [reason.split()[0] for reason in given.reasons] == ["images"]


def test_an_imagenet_stem_on_small_images_gets_a_warning_with_a_better_name() -> None:
    (warning,) = choose(FASHION, DataSpec("fashion_mnist"), model="resnet18").warnings
    assert "resnet18" in warning
    assert "7 × 7" in warning
    assert "--model resnet20" in warning


def test_a_small_image_network_on_photos_gets_a_warning() -> None:
    (warning,) = choose(PHOTOS, DataSpec("flowers"), model="resnet20").warnings
    assert "--model resnet18" in warning


def test_a_fitting_choice_gets_no_warning() -> None:
    for summary in (DIGITS, FASHION, PHOTOS):
        assert choose(summary, DataSpec(summary.name)).warnings == ()


@pytest.mark.parametrize(
    "settings",
    [
        {"fine_tuning.reset_head": True},
        {"fine_tuning.adapt_channels": True},
        {"fine_tuning.thaw_every_epochs": 3},
        {"fine_tuning.thaw_to": "stage1"},
        {"fine_tuning.restart_at_thaw": True},
        {"augmentation.pad_px": 0, "augmentation.flip_rate": 0, "augmentation.num_views": 4},
        {"schedule.milestones": [0.3]},
        {"schedule.step_factor": 0.5},
        {"schedule.shape": "constant", "schedule.final_share": 0.1},
        {"augmentation.crop_aspect": [1, 1]},
        {"augmentation.crop_area": [0.5, 1], "augmentation.pad_px": 2},
        {"augmentation.erase_area": [0.1, 0.2]},
        {"keep": "last", "selection": "balanced"},
        {"early_stopping_epochs": 18},
        {"decision.set_rule": "aps"},
    ],
    ids=str,
)
def test_a_setting_without_effect_is_told(settings: dict[str, object]) -> None:
    (warning,) = choose(FASHION, DataSpec("fashion_mnist"), settings=settings).warnings
    assert list(settings)[-1] in warning
    assert "no effect without" in warning


@pytest.mark.parametrize(("num_train", "batch_size"), [(10_000, 32), (100, 16), (40, 8), (14, 8), (5, 4), (2, 2)])
def test_batches_shrink_with_the_data_but_not_below_what_batch_norm_needs(num_train: int, batch_size: int) -> None:
    chosen = choose(replace(PHOTOS, num_train=num_train), DataSpec("flowers"))
    assert chosen.recipe.batch_size == batch_size
    assert any("batches of" in reason for reason in chosen.reasons) == (batch_size < 32)


def test_many_photos_get_a_deeper_network() -> None:
    many = replace(PHOTOS, num_train=200_000)
    assert choose(many, DataSpec("flowers")).recipe.model_name == "resnet50"
    assert choose(many, DataSpec("flowers")).recipe.preprocessing.image_size_px == 224


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ResnetkitError, match="did you mean 'small_images'"):
        choose(FASHION, DataSpec("fashion_mnist"), recipe="small_image")
    with pytest.raises(ResnetkitError, match="did you mean 'resnet50'"):
        choose(FASHION, DataSpec("fashion_mnist"), model="resnt50")


def test_a_folder_with_the_name_of_a_data_set_keeps_its_own_kind_of_statistics() -> None:
    chosen = choose(replace(PHOTOS, name="digits"), DataSpec("digits"))
    assert chosen.recipe.preprocessing.mean == (0.485, 0.456, 0.406)


# --- what is chosen for given weights ---


@pytest.mark.parametrize(
    "summary", [DIGITS, FASHION, replace(PHOTOS, num_train=2_000)], ids=lambda summary: summary.name
)
def test_weights_get_a_recipe_of_smaller_steps_in_fewer_epochs(summary: DataSummary) -> None:
    chosen = choose(summary, DataSpec(summary.name), start=START)
    fresh, tuned = choose(summary, DataSpec(summary.name)).recipe, chosen.recipe
    assert (tuned.name, tuned.fine_tuning.weights) == ("fine_tune", START.weights)
    assert tuned.optimizer.learning_rate < fresh.optimizer.learning_rate
    assert tuned.epochs < fresh.epochs
    assert fresh.fine_tuning == FineTuning()
    assert (tuned.fine_tuning.layer_decay < 1) == (tuned.fine_tuning.freeze == "none")
    assert any(reason.startswith("recipe fine_tune: ") for reason in chosen.reasons)
    assert chosen.warnings == ()


def test_photos_are_cropped_less_from_trained_weights() -> None:
    fresh = choose(PHOTOS, DataSpec("flowers")).recipe.augmentation
    tuned = choose(replace(PHOTOS, num_train=2_000), DataSpec("flowers"), start=START).recipe.augmentation
    assert fresh.crop_area is not None
    assert tuned.crop_area is not None
    assert tuned.crop_area[0] > fresh.crop_area[0]
    assert tuned.brightness < fresh.brightness


@pytest.mark.parametrize("num_train", [40, 400])
def test_a_head_alone_sees_images_as_in_use_and_is_held_back_by_decay(num_train: int) -> None:
    tuned = choose(replace(PHOTOS, num_train=num_train), DataSpec("flowers"), start=START).recipe
    assert (tuned.name, tuned.augmentation) == ("fine_tune_few", Augmentation())
    assert tuned.optimizer.weight_decay * num_train == pytest.approx(HEAD_DECAY)


@pytest.mark.parametrize(
    ("freeze", "name"), [("stage4", "fine_tune_few"), ("stage2", "fine_tune"), ("none", "fine_tune")]
)
def test_who_trains_more_than_the_head_gets_the_recipe_for_it(freeze: str, name: str) -> None:
    chosen = choose(PHOTOS, DataSpec("flowers"), start=START, settings={"fine_tuning.freeze": freeze})
    assert (chosen.recipe.name, chosen.recipe.fine_tuning.freeze) == (name, freeze)


@pytest.mark.parametrize(("num_missing", "name"), [(0, "fine_tune"), (1, "fine_tune_few")])
def test_few_photographs_train_the_head_alone(num_missing: int, name: str) -> None:
    few = replace(PHOTOS, num_train=FEW_PHOTOS_PER_CLASS * PHOTOS.num_classes - num_missing)
    chosen = choose(few, DataSpec("flowers"), start=START)
    tuning = chosen.recipe.fine_tuning
    assert (chosen.recipe.name, tuning.freeze) == (name, "stage4")
    last = num_frozen_parts(tuning, chosen.recipe.parts, chosen.recipe.epochs - 1)
    assert chosen.recipe.parts[last] == ("head" if num_missing else "stage4")
    assert any(reason.startswith(f"recipe {name}: ") for reason in chosen.reasons)
    for freeze in ("none", "stage2"):
        given = choose(few, DataSpec("flowers"), start=START, settings={"fine_tuning.freeze": freeze})
        assert given.recipe.fine_tuning.freeze == freeze
        assert given.recipe.fine_tuning.thaw_every_epochs == 0
        assert given.warnings == ()


@pytest.mark.parametrize(("num_missing", "freeze"), [(0, "none"), (1, "stage1")])
def test_few_small_images_leave_the_lower_half_frozen(num_missing: int, freeze: str) -> None:
    few = replace(FASHION, num_train=FEW_PER_CLASS * FASHION.num_classes - num_missing)
    chosen = choose(few, DataSpec("fashion_mnist"), start=START).recipe
    assert (chosen.fine_tuning.freeze, chosen.fine_tuning.layer_decay) == (freeze, 0.7)


def test_statistics_that_the_weights_do_not_say_are_told_of() -> None:
    def told(summary: DataSummary = PHOTOS, start: StartingPoint | None = START, **settings: object) -> list[str]:
        stated = {f"preprocessing.{name}": value for name, value in settings.items()}
        chosen = choose(summary, DataSpec(summary.name), start=start, settings=stated)
        return [reason for reason in chosen.reasons if "do not say theirs" in reason]

    assert told()[0].startswith("mean and std of photographs: ")
    assert told(DIGITS)[0].startswith("mean and std of the data: ")
    assert not told(start=None)
    assert not told(start=replace(START, preprocessing=Preprocessing(224, 256)))
    assert not told(mean=[0.5, 0.5, 0.5])


def test_a_recipe_that_is_given_stays_with_weights() -> None:
    recipe = choose(PHOTOS, DataSpec("flowers"), recipe="photos", start=START).recipe
    assert (recipe.name, recipe.fine_tuning) == ("photos", FineTuning(weights=START.weights))


def test_what_the_weights_say_about_themselves_is_followed_and_a_given_network_wins() -> None:
    preprocessing = Preprocessing(160, 180, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    start = replace(START, spec=find_entry("resnet34").spec, model_name="resnet34", preprocessing=preprocessing)
    chosen = choose(PHOTOS, DataSpec("flowers"), start=start)
    assert (chosen.recipe.model_name, chosen.recipe.preprocessing) == ("resnet34", preprocessing)
    assert chosen.recipe.model.depths == (3, 4, 6, 3)
    assert chosen.recipe.model.num_classes == PHOTOS.num_classes
    assert "images of 160 × 160 px: as the weights were trained" in chosen.reasons
    given = choose(PHOTOS, DataSpec("flowers"), model="resnet50", start=start).recipe
    assert (given.model_name, given.preprocessing) == ("resnet50", preprocessing)


def test_images_of_other_channels_are_normalised_as_the_weights_were_trained() -> None:
    preprocessing = Preprocessing(28, 28, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    chosen = choose(FASHION, DataSpec("fashion_mnist"), start=replace(START, preprocessing=preprocessing)).recipe
    assert (chosen.preprocessing.channels, chosen.preprocessing.mean) == (1, (0.5,))


@pytest.mark.parametrize(
    ("start", "settings", "words"),
    [
        (None, {"freeze": "stage1"}, "freeze=stage1 without weights"),
        (None, {"hold_statistics": True}, "statistics of nothing"),
        (None, {"layer_decay": 0.5}, "layer_decay=0.5 without weights"),
        (START, {"freeze": "stage2", "thaw_every_epochs": 15}, "stem, stage1, stage2 never thaw"),
        (START, {"freeze": "stage2", "thaw_every_epochs": 15, "thaw_to": "stage1"}, "stage1, stage2 never thaw: that"),
        (START, {"freeze": "stage2", "thaw_every_epochs": 5}, "stem never thaw: that needs more than 15 epochs"),
        (START, {"freeze": "stem", "adapt_channels": True}, "adapted to other channels but frozen"),
    ],
)
def test_fine_tuning_that_makes_no_sense_is_told(
    start: StartingPoint | None, settings: dict[str, object], words: str
) -> None:
    fields = {f"fine_tuning.{name}": value for name, value in settings.items()}
    (warning,) = choose(FASHION, DataSpec("fashion_mnist"), settings=fields, start=start).warnings
    assert words in warning


def test_a_thaw_that_is_reached_is_no_reason_to_warn() -> None:
    fields = {"fine_tuning.freeze": "stage2", "fine_tuning.thaw_every_epochs": 4}
    assert choose(FASHION, DataSpec("fashion_mnist"), settings=fields, start=START).warnings == ()
    fields |= {"fine_tuning.thaw_every_epochs": 5, "fine_tuning.thaw_to": "stage1"}
    assert choose(FASHION, DataSpec("fashion_mnist"), settings=fields, start=START).warnings == ()


def test_what_is_to_thaw_is_a_part_that_was_frozen() -> None:
    for fields, words in (
        ({"thaw_to": "stage7"}, "no part 'stage7' to thaw"),
        ({"thaw_to": "stage3"}, "is above what"),
    ):
        settings = {f"fine_tuning.{name}": value for name, value in {"freeze": "stage2", **fields}.items()}
        with pytest.raises(ResnetkitError, match=words):
            choose(FASHION, DataSpec("fashion_mnist"), settings=settings, start=START)


# --- classes that are not alike ---


@pytest.mark.parametrize(
    "settings", [{"class_weights": "balanced"}, {"class_weights.sick": "5"}, {"class_weights": '{"v1.5": 2}'}], ids=str
)
def test_weighted_classes_choose_the_epoch_alike(settings: dict[str, object]) -> None:
    chosen = choose(PHOTOS, DataSpec("flowers"), settings=settings)
    assert chosen.recipe.selection == "balanced"
    assert any("balanced accuracy" in reason for reason in chosen.reasons)
    own = choose(PHOTOS, DataSpec("flowers"), settings={**settings, "selection": "top1"})
    assert own.recipe.selection == "top1"
    assert not any("balanced accuracy" in reason for reason in own.reasons)
    assert choose(PHOTOS, DataSpec("flowers")).recipe.selection == "top1"


def test_weights_by_name_are_one_name_each_and_do_not_mix_with_other_kinds() -> None:
    given = {"class_weights.v1.5": "2", "class_weights.sick": 5}
    assert choose(PHOTOS, DataSpec("flowers"), settings=given).recipe.class_weights == {"v1.5": 2.0, "sick": 5.0}
    with pytest.raises(
        ResnetkitError, match=r"class_weights is set twice: to balanced and, by name, by class_weights.a"
    ):
        choose(PHOTOS, DataSpec("flowers"), settings={"class_weights.a": 2, "class_weights": "balanced"})
    with pytest.raises(ResnetkitError, match="'class_weights' is not valid"):
        choose(PHOTOS, DataSpec("flowers"), settings={"class_weights": "much"})


def test_a_short_run_is_told() -> None:
    short = choose(DIGITS, DataSpec("digits"), settings={"epochs": 2, "batch_size": 64})  # 20 updates each
    (warning,) = short.warnings
    assert "40 updates (2 epochs of 20)" in warning
    assert "--epochs 3)" in warning
    (once,) = choose(DIGITS, DataSpec("digits"), settings={"epochs": 1, "batch_size": 64}).warnings
    assert "20 updates (1 epoch of 20)" in once
    assert any("taken anew" in reason for reason in short.reasons)
    long = choose(DIGITS, DataSpec("digits"), settings={"epochs": 5, "batch_size": 64})
    assert long.warnings == ()
    assert not any("taken anew" in reason for reason in long.reasons)


def test_statistics_are_said_to_be_taken_anew_only_where_some_follow_the_images() -> None:
    short = {"epochs": 2, "batch_size": 64}
    for settings, start in (
        ({"fine_tuning.freeze": "stage3"}, START),
        ({"fine_tuning.hold_statistics": True}, START),
        ({"model.norm.kind": "group_norm", "model.norm.groups": 4}, None),
    ):
        chosen = choose(DIGITS, DataSpec("digits"), settings=short | settings, start=start)
        assert not any("taken anew" in reason for reason in chosen.reasons), settings
    some = choose(DIGITS, DataSpec("digits"), settings=short | {"fine_tuning.freeze": "stage2"}, start=START)
    assert any("taken anew" in reason for reason in some.reasons)


def test_unequal_classes_are_told_until_they_are_weighted() -> None:
    counts, names = [950, 50], ("well", "sick")
    (warning,) = warnings_about_classes(recipe(), names, counts)
    assert "'well' has 950 training images, 'sick' 50; class weights may help (--set class_weights=balanced)" in warning
    assert warnings_about_classes(recipe(class_weights="balanced"), names, counts) == []
    assert warnings_about_classes(recipe(), names, [60, 50]) == []
    (idle,) = warnings_about_classes(recipe(class_weights="balanced"), names, [50, 50])
    assert "no effect: every class has 50" in idle
    (alone,) = warnings_about_classes(recipe(class_weights=(2.0,)), ("one",), [50])
    assert "no effect with one class" in alone


def test_a_class_that_is_not_found_is_told_behind_a_good_score() -> None:
    labels = np.array([0] * 95 + [1] * 5)
    always_first = np.tile([0.9, 0.1], (100, 1))
    (told,) = warnings_about_recall(recipe(), "test", score(always_first, labels, ("well", "sick")))
    assert "0 % of the 5 test images of 'sick', where it finds 95 % of all" in told
    assert "--set class_weights=balanced" in told
    (weighted,) = warnings_about_recall(
        recipe(class_weights="balanced"), "test", score(always_first, labels, ("well", "sick"))
    )
    assert "class weights" not in weighted
    right = np.eye(2)[labels]
    assert warnings_about_recall(recipe(), "test", score(right, labels, ("well", "sick"))) == []
    even = np.array([0] * 51 + [1] * 49)
    (untrained,) = warnings_about_recall(recipe(), "test", score(always_first, even, ("well", "sick")))
    assert "0 % of the 49 test images of 'sick'" in untrained
    assert "class weights" not in untrained


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("data.test_fraction", 0.3), ("data.on_bad_image", "skip"), ("data.cache", "off")),
        *(("data.limits.max_pixels", 99), ("preprocessing.jpeg_scaling", "reduced")),
    ],
)
def test_what_is_for_folders_is_told_of_a_data_set_with_a_name(name: str, value: object) -> None:
    data = override(DataSpec("digits"), {name.removeprefix("data."): value} if name.startswith("data.") else {})
    settings = {} if name.startswith("data.") else {name: value}
    (warning,) = choose(DIGITS, data, settings=settings).warnings
    assert warning.startswith(name.removesuffix(".max_pixels"))
    assert "has no effect on a data set that has a name" in warning
    in_folder = choose(replace(PHOTOS, num_train=2000), override(data, {"source": "photos"}), settings=settings)
    assert in_folder.warnings == ()


@pytest.mark.parametrize(("channels", "is_told"), [(3, True), (1, False)])
def test_adapting_channels_that_are_the_same_is_told(channels: int, is_told: bool) -> None:
    spec = override(find_entry("resnet18").spec, {"in_channels": channels})
    start = replace(START, spec=spec, model_name="resnet18")
    warnings = choose(PHOTOS, DataSpec("photos"), start=start, settings={"fine_tuning.adapt_channels": True}).warnings
    assert any("adapt_channels has no effect" in warning for warning in warnings) == is_told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("early_stopping_epochs", 3),
        ("validate_every_epochs", 2),
        ("selection", "balanced"),
        ("decision", Demands(unknown_at=0.05)),
    ],
)
def test_what_needs_validation_images_is_told_without_them(name: str, value: object) -> None:
    changed = recipe(**{name: value})
    (told,) = settings_without_validation(changed, has_validation=False)
    assert told == f"{name} has no effect without validation images"
    assert settings_without_validation(changed, has_validation=True) == []


def test_demands_that_only_test_images_could_set_are_told() -> None:
    watched = {"data.validation": "test", "decision.coverage": 0.9}
    told = choose(FASHION, DataSpec("fashion_mnist"), settings=watched).warnings
    assert "decision has no effect without data.validation=held_back" in told


def test_the_help_of_train_lists_every_recipe() -> None:
    listed = re.findall(r"^ {6}(\w+) {2,}(.+)$", (train_command.__doc__ or "").partition("Recipes (")[2], re.MULTILINE)
    said = {name: (make.__doc__ or "").partition("\n")[0].partition(": ")[0] for name, make in RECIPES.items()}
    assert dict(listed) == {name: words.replace("`", "").rstrip(".") for name, words in said.items()}


def test_the_tutorials_recipes_say_what_changes_the_score() -> None:
    """Of the tutorial's script: all images, the last weights, float32, and validation on the test images."""
    adam, exact = (
        choose(FASHION, DataSpec("fashion_mnist"), recipe=name) for name in ("tutorial_adam", "tutorial_exact")
    )
    assert any("averaged weights are scored" in reason for reason in adam.reasons)
    assert any("validation on the test images" in reason for reason in exact.reasons)
    assert exact.recipe.ema_decay == 0
    assert exact.recipe.keep == "last"
    assert exact.recipe.runtime.precision == "fp32"
    same = {"name": "tutorial_adam", "ema_decay": 0.99, "runtime": adam.recipe.runtime}
    assert replace(exact.recipe, **same) == adam.recipe


def test_a_share_that_nothing_is_held_back_of_is_said_to_have_no_effect() -> None:
    spec = DataSpec("fashion_mnist", validation="test", validation_fraction=0.2)
    assert any(text.startswith("data.validation_fraction has no effect") for text in choose(FASHION, spec).warnings)
    assert choose(FASHION, DataSpec("fashion_mnist", validation="test")).warnings == ()
