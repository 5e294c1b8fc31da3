"""What is chosen, and what is said about it."""

import json
from dataclasses import replace

import pytest

from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import FloatValues, Shapes, SixteenBit
from resnetkit.recipes.advice import DataSummary, StartingPoint, choose

GREY = DataSummary.of(DATASETS["fashion_mnist"], 60_000)
COLOUR = DataSummary.of(DATASETS["cifar10"], 50_000)
OF_COLOUR = ((0.25, 0.5, 0.75), (0.5, 0.25, 0.75))


@pytest.mark.parametrize(
    ("summary", "trained"),
    [
        (GREY, Preprocessing(28, 32, 3, *OF_COLOUR)),
        (GREY, Preprocessing(28, 32, 3, *OF_COLOUR, channel_order="bgr")),
        (COLOUR, Preprocessing(28, 32, 1, (0.5,), (0.5,))),
    ],
)
def test_weights_for_other_channels_keep_their_statistics_on_average(
    summary: DataSummary, trained: Preprocessing
) -> None:
    start = StartingPoint("start.safetensors", preprocessing=trained)
    chosen = choose(summary, DataSpec(summary.name), start=start)
    ours = chosen.recipe.preprocessing
    assert (ours.image_size_px, ours.resize_px, ours.channels, ours.channel_order) == (28, 32, summary.channels, "rgb")
    assert ours.mean == ours.std == (0.5,) * summary.channels
    why = "as the weights were trained, with the average of their mean and std in each channel"
    assert f"images of 28 × 28 px: {why}" in chosen.reasons


LONG = Shapes(100, 300, middle_share=1 / 3)
MIXED = replace(LONG, are_alike=False)
PHOTOS = DataSummary("photos", 100, 3, 400, 2, is_folder=True)


@pytest.mark.parametrize(
    ("shapes", "fit", "size"),
    [
        (None, "crop", 96),
        (Shapes(100, 150, 2 / 3), "crop", 96),
        (Shapes(100, 178, 9 / 16), "crop", 96),
        (LONG, "squeeze", 96),
        (MIXED, "pad", 96),
        (Shapes(20, 60, 1 / 3), "squeeze", 35),
        (Shapes(20, 60, 1 / 3, are_alike=False), "pad", 60),
    ],
)
def test_images_far_from_square_are_not_cropped(shapes: Shapes | None, fit: str, size: int) -> None:
    summary = replace(PHOTOS, shapes=shapes, image_size_px=shapes.shorter_px if shapes else 100)
    chosen = choose(summary, DataSpec("photos"))
    assert (chosen.recipe.preprocessing.fit, chosen.recipe.preprocessing.image_size_px) == (fit, size)
    told = [reason for reason in chosen.reasons if reason.startswith("fit ")]
    assert bool(told) == (fit != "crop")
    assert all("the middle square is only 33 % of the pixels" in reason for reason in told)
    assert not chosen.warnings


def test_a_fit_that_was_set_decides_the_size_too() -> None:
    summary = replace(PHOTOS, shapes=Shapes(20, 60, 1 / 3), image_size_px=20)
    chosen = choose(summary, DataSpec("photos"), settings={"preprocessing.fit": "crop"})
    assert (chosen.recipe.preprocessing.fit, chosen.recipe.preprocessing.image_size_px) == ("crop", 20)
    assert not [reason for reason in chosen.reasons if reason.startswith("fit ")]


def test_weights_do_not_make_long_images_be_cropped() -> None:
    start = StartingPoint("start.safetensors", preprocessing=Preprocessing(64, 72))
    assert choose(replace(PHOTOS, shapes=LONG), DataSpec("photos"), start=start).recipe.preprocessing.fit == "squeeze"
    padding = StartingPoint("start.safetensors", preprocessing=Preprocessing(64, 72, fit="pad"))
    assert choose(replace(PHOTOS, shapes=LONG), DataSpec("photos"), start=padding).recipe.preprocessing.fit == "pad"


def test_a_margin_without_use_is_told_and_never_chosen() -> None:
    summary, data = replace(PHOTOS, shapes=LONG), DataSpec("photos")
    shifted = choose(summary, data, recipe="cifar_paper")
    assert shifted.recipe.preprocessing.resize_px == 96
    assert not shifted.warnings
    told = "preprocessing.resize_px above image_size_px has no effect without"
    (warning,) = choose(summary, data, recipe="cifar_paper", settings={"preprocessing.resize_px": 200}).warnings
    assert warning.startswith(told)
    cropped = choose(summary, data, recipe="photos")
    assert cropped.recipe.preprocessing.resize_px == 110
    assert not cropped.warnings


def test_the_range_of_sixteen_bit_images_is_kept_and_told() -> None:
    summary = replace(PHOTOS, sixteen_bit=SixteenBit(white=1023, typical=900))
    chosen = choose(summary, DataSpec("photos"))
    assert chosen.recipe.preprocessing.white_16bit == 1023
    assert "16-bit images use values up to 1,023: scaled by that" in chosen.reasons
    assert not chosen.warnings
    fine = choose(summary, DataSpec("photos"), start=StartingPoint("a", preprocessing=Preprocessing(64, 72)))
    assert fine.recipe.preprocessing.white_16bit == 1023
    set_otherwise = choose(summary, DataSpec("photos"), settings={"preprocessing.white_16bit": 4095})
    assert not [reason for reason in set_otherwise.reasons if reason.startswith("16-bit")]
    grown = StartingPoint("a", preprocessing=Preprocessing(64, 72, white_16bit=4095))
    assert choose(PHOTOS, DataSpec("photos"), start=grown).recipe.preprocessing.white_16bit == 4095


def test_images_that_one_bright_pixel_darkens_are_told() -> None:
    summary = replace(PHOTOS, sixteen_bit=SixteenBit(white=65_535, typical=1000))
    (warning,) = choose(summary, DataSpec("photos")).warnings
    assert warning.startswith("half of the 16-bit images stay below 1,001 of 65,535, so they are nearly black")


def test_the_range_of_float_images_is_told_and_refused_where_it_is_not_theirs() -> None:
    summary = replace(PHOTOS, floats=FloatValues(0, 1, 0.9))
    chosen = choose(summary, DataSpec("photos"))
    assert "float images: 0 is black, 1 is white (preprocessing.float_range)" in chosen.reasons
    assert not chosen.warnings
    for floats, fix in (
        (FloatValues(0, 200, 90), "[0,255]"),
        (FloatValues(-1031.5, 2990, 90), "[-1100,3000]"),
        (FloatValues(-0.031, 0.5, 0.2), "[-0.04,0.5]"),
        (FloatValues(-7, -3, -4), "[-7,-3]"),
    ):
        with pytest.raises(ResnetkitError, match=r"float images have values from .*, which are 0 and 1") as caught:
            choose(replace(PHOTOS, floats=floats), DataSpec("photos"))
        assert caught.value.fix.endswith(f"--set 'preprocessing.float_range={fix}'")
        low, high = json.loads(fix)
        given = choose(
            replace(PHOTOS, floats=floats), DataSpec("photos"), settings={"preprocessing.float_range": [low, high]}
        )
        assert given.recipe.preprocessing.float_range == (low, high)
    (warning,) = choose(replace(PHOTOS, floats=FloatValues(0, 1, 0.03)), DataSpec("photos")).warnings
    assert warning.startswith("half of the float images stay below 0.03, where 1 is white, so they are nearly black")


def test_remarks_on_channels_are_told_unless_they_were_set() -> None:
    summary = replace(PHOTOS, remarks=("3 channels: 2 of 9 images have colour",))
    assert summary.remarks[0] in choose(summary, DataSpec("photos")).reasons
    grey = {
        "preprocessing.channels": 1,
        "preprocessing.mean": [0.5],
        "preprocessing.std": [0.5],
        "model.in_channels": 1,
    }
    assert summary.remarks[0] not in choose(summary, DataSpec("photos"), settings=grey).reasons


def test_what_was_set_is_not_told_as_chosen() -> None:
    summary = DataSummary("photos", 300, 3, 40, 2, is_folder=True)
    told = choose(summary, DataSpec("photos")).reasons
    assert [reason.split()[0] for reason in told] == ["network", "recipe", "images", "batches"]
    settings = {"preprocessing.image_size_px": 48, "batch_size": 2}
    assert choose(summary, DataSpec("photos"), settings=settings).reasons == told[:2]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("resnet18[classes=3]", "resnet18[classes=3] says classes=3, but photos has 2"),
        ("resnet18[num_classes=3]", "resnet18[num_classes=3] says num_classes=3, but photos has 2"),
        ("resnet18[classes=2,channels=1]", "resnet18[classes=2,channels=1] says channels=1, but photos has 3"),
    ],
)
def test_a_name_says_no_other_classes_or_channels_than_the_data_have(name: str, says: str) -> None:
    with pytest.raises(ResnetkitError) as raised:
        choose(PHOTOS, DataSpec("photos"), model=name)
    assert raised.value.what == says
    assert "out of the brackets" in raised.value.fix
    assert choose(PHOTOS, DataSpec("photos"), model="resnet18[classes=2,channels=3]").recipe.model.num_classes == 2


@pytest.mark.parametrize(
    ("settings", "model", "warning"),
    [
        ({"model.block.identity_reads": "preact"}, "resnet18", "model.block.identity_reads has no effect"),
        ({"model.initialization.zero_last": True}, "plain18", "this network cannot learn"),
        ({}, "plain18[shortcut=B]", "shortcut=B has no effect on plain18: a plain network has no skips"),
        ({}, "plain18[zero_last=true]", "this network cannot learn"),
    ],
)
def test_a_network_that_is_not_what_its_settings_say_is_told(
    settings: dict[str, object], model: str, warning: str
) -> None:
    told = choose(PHOTOS, DataSpec("photos"), model=model, settings=settings).warnings
    assert sum(warning in text for text in told) == 1
    assert not any("effect" in text for text in choose(PHOTOS, DataSpec("photos"), model="resnet18").warnings)
