"""Photographs start from the weights at hand, adapted; where there are none, one line says how to have some."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.small_weights import MODEL, PREPARED, state_bytes

from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, ResnetkitError
from resnetkit.recipes.advice import FEW_PHOTOS_PER_CLASS, DataSummary
from resnetkit.recipes.named import FINE_TUNING
from resnetkit.recipes.recipe import Chosen
from resnetkit.sources import weight_store
from resnetkit.sources.network_choice import PASSES, PASSES_OF_FEW
from resnetkit.sources.published import Published
from resnetkit.sources.weight_store import keep
from resnetkit.training import automatic_weights
from resnetkit.training.automatic_weights import WeightsChoice
from resnetkit.training.planning import plan

AUTO = WeightsChoice()
NUM_IMAGES = 12


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[str], str]:
    """A folder of two classes of photographs, in colour (RGB) or grey (L)."""

    def make(mode: str = "RGB", side: int = 100) -> str:
        folder = tmp_path / f"photos_{mode}_{side}"
        rng = np.random.default_rng(0)
        shape = (side, side, 3) if mode == "RGB" else (side, side)
        for name in ("ants", "bees"):
            (folder / name).mkdir(parents=True)
            for i in range(NUM_IMAGES):
                Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / name / f"{i}.png")
        return str(folder)

    return make


@pytest.fixture
def at_hand(tmp_path: Path, store: Path, small_table: dict[str, bytes]) -> Path:
    """The file of weights that were kept."""
    file = tmp_path / "any.safetensors"
    file.write_bytes(next(iter(small_table.values())))
    return keep(file)[0].path


def planned(folder: str, choice: WeightsChoice = AUTO, **stated: object) -> Chosen:
    return plan(DataSpec(folder), weights=choice, **stated)[1]  # type: ignore[arg-type]


def test_weights_at_hand_are_taken_with_a_new_head_and_said(photos: Callable[..., str], at_hand: Path) -> None:
    chosen = planned(photos())
    recipe = chosen.recipe
    assert recipe.fine_tuning.weights == str(at_hand)
    assert (recipe.fine_tuning.reset_head, recipe.fine_tuning.adapt_channels) == (True, False)
    assert (recipe.model_name, recipe.model.num_classes) == (MODEL, 2)
    assert (recipe.preprocessing.image_size_px, recipe.preprocessing.mean) == (96, PREPARED.mean)
    assert recipe.name.startswith("fine_tune")
    assert chosen.reasons[0].startswith("weights small.plain_in1k: the only network at hand")
    assert "a new head for the 2 classes here: the weights know others" in chosen.reasons
    assert chosen.settings["fine_tuning.weights"] == str(at_hand)
    again = plan(DataSpec(photos("RGB", 101)), settings=chosen.settings)[1].recipe
    assert again.fine_tuning == recipe.fine_tuning


def test_weights_are_adapted_to_grey_images(photos: Callable[..., str], at_hand: Path) -> None:
    chosen = planned(photos("L"))
    assert chosen.recipe.fine_tuning.adapt_channels
    assert chosen.recipe.model.in_channels == 1
    assert "the first conv is adapted from 3 to 1 channels" in chosen.reasons


@pytest.mark.parametrize(
    "contradiction",
    [
        {"model": "resnet34"},
        {"recipe": "photos"},
        {"settings": {"fine_tuning.weights": None}},
        {"settings": {"model.stem.widths": [16]}},
        {"choice": WeightsChoice("none")},
    ],
    ids=["model", "recipe", "setting", "network", "none"],
)
def test_what_was_chosen_comes_before_weights(
    photos: Callable[..., str], at_hand: Path, contradiction: dict[str, object]
) -> None:
    chosen = planned(photos(), **contradiction)  # type: ignore[arg-type]
    assert chosen.recipe.fine_tuning.weights is None
    assert not any(reason.startswith("weights small") for reason in chosen.reasons)


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "in a folder"])
def test_weights_that_are_chosen_named_or_repeated_give_the_same_recipe(
    photos: Callable[..., str],
    store: Path,
    small_table: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_kept: bool,
) -> None:
    file = tmp_path / "mine" / "any.safetensors"
    file.parent.mkdir()
    file.write_bytes(next(iter(small_table.values())))
    if is_kept:
        keep(file)
    else:
        monkeypatch.setenv(weight_store.VARIABLE, str(file.parent))
    folder = photos()
    chosen = planned(folder)
    assert chosen.recipe.preprocessing.mean == PREPARED.mean
    named = planned(folder, WeightsChoice("small.plain_in1k"), settings={"fine_tuning.reset_head": True})
    repeated = plan(DataSpec(folder), settings=chosen.settings)[1]
    assert chosen.recipe == named.recipe == repeated.recipe


def test_a_file_is_not_taken_for_what_its_name_says_and_why_is_told(
    photos: Callable[..., str],
    store: Path,
    small_table: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "mine").mkdir()
    names = ["resnet18", "resnet34", "resnet50", "small.hub_in1k"]
    for seed, name in enumerate(names, start=5):
        (tmp_path / "mine" / f"{name}.safetensors").write_bytes(state_bytes(seed))
    monkeypatch.setenv(weight_store.VARIABLE, str(tmp_path / "mine"))
    chosen = planned(photos())
    assert chosen.recipe.fine_tuning.weights is None
    for told, name in zip(chosen.reasons, names[:3], strict=False):
        assert told.startswith(f"weights {tmp_path / 'mine' / name}.safetensors are left aside: ")
    assert chosen.reasons[3] == "weights: 1 more are left aside (resnetkit weights list --here)"
    with pytest.raises(ResnetkitError, match=r"small\.hub_in1k are not on this machine"):
        planned(photos("RGB", 101), WeightsChoice("small.hub_in1k"))


@pytest.mark.parametrize("choice", [AUTO, WeightsChoice("none")], ids=["auto", "none"])
@pytest.mark.parametrize("recipe", FINE_TUNING)
def test_a_recipe_for_weights_is_refused_where_there_are_none(
    photos: Callable[..., str], store: Path, recipe: str, choice: WeightsChoice
) -> None:
    for data in (photos("RGB", 100), "digits"):
        with pytest.raises(ResnetkitError, match=f"the recipe {recipe} starts from weights") as raised:
            planned(data, choice, recipe=recipe)
        assert "--weights FILE" in raised.value.fix


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ({"weights": "none"}, "asks for none"),
        ({"weights": "{file}"}, "names no published weights"),
        ({"data": "digits"}, "photographs"),
        ({"data": "small"}, "photographs"),
        ({"recipe": "photos"}, "the recipe photos starts from scratch"),
        ({"settings": {"model.stem.widths": [16]}}, "changed (model.stem.widths)"),
        ({"settings": {"fine_tuning.weights": None}}, "fine_tuning.weights says"),
        ({}, ""),
        ({"weights": "small.plain_in1k"}, ""),
    ],
)
def test_a_download_that_is_allowed_in_vain_is_told_of(
    photos: Callable[..., str], at_hand: Path, stated: dict[str, Any], why: str
) -> None:
    data = {"digits": "digits", "small": photos("RGB", 32)}.get(stated.pop("data", ""), photos())
    weights = stated.pop("weights", "auto").format(file=at_hand)
    settings = {"fine_tuning.reset_head": True} if weights not in ("auto", "none") else stated.pop("settings", {})
    chosen = planned(data, WeightsChoice(weights, download=True), settings=settings, **stated)
    told = [warning for warning in chosen.warnings if warning.startswith("--download has no effect: ")]
    assert len(told) == bool(why)
    assert why in "".join(told)
    silent = planned(data, WeightsChoice(weights, download=lambda _: True), settings=settings, **stated)
    assert not any("--download" in warning for warning in silent.warnings), "it was not asked for"


def test_a_network_of_which_no_weights_are_published_starts_afresh_and_that_is_told(
    photos: Callable[..., str], at_hand: Path
) -> None:
    chosen = planned(photos(), WeightsChoice(download=True), model="resnet18[widths=[4,4,4,4]]")
    assert "weights: none of resnet18[widths=[4,4,4,4]] are at hand, and none are published" in chosen.reasons[0]
    assert chosen.settings["fine_tuning.weights"] is None


@pytest.mark.parametrize(("typed", "meant"), [("small.plain_in2k", "small.plain_in1k"), ("catz_net", "cats_net")])
def test_a_mistyped_name_of_weights_is_refused_with_the_nearest(
    photos: Callable[..., str], at_hand: Path, typed: str, meant: str
) -> None:
    (at_hand.parent / "cats_net.safetensors").write_bytes(state_bytes(3))
    folder = photos()
    with pytest.raises(ResnetkitError, match=f"no weights and no file are called '{typed}'") as raised:
        planned(folder, WeightsChoice(typed))
    assert f"did you mean '{meant}'?" in raised.value.fix
    for other in (f"./{typed}", "resnet18"):
        with pytest.raises(ResnetkitError, match="no run folder or file at"):
            planned(folder, WeightsChoice(other))


def test_small_images_and_named_data_start_afresh_without_a_word(photos: Callable[..., str], at_hand: Path) -> None:
    for data in (photos("RGB", 32), "digits"):
        chosen = planned(data)
        assert chosen.recipe.fine_tuning.weights is None
        assert not any(reason.startswith("weights") for reason in chosen.reasons)


def test_without_weights_one_line_says_how_to_have_some(photos: Callable[..., str], store: Path) -> None:
    chosen = planned(photos())
    (line,) = (reason for reason in chosen.reasons if reason.startswith("weights"))
    assert "resnetkit weights get resnet50d.ra2_in1k" in line
    assert "resnetkit weights import FILE" in line
    assert chosen.settings["fine_tuning.weights"] is None, "the command that repeats this must not find weights later"
    assert "get resnet34.tv_in1k" in " ".join(planned(photos("RGB", 101), model="resnet34").reasons)


def test_weights_that_cannot_be_read_are_left_aside_and_told_of(
    photos: Callable[..., str], at_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "resnet18.safetensors").write_bytes(state_bytes()[:-8])
    monkeypatch.setenv(weight_store.VARIABLE, str(tmp_path / "mine"))
    chosen = planned(photos())
    assert chosen.reasons[0].startswith(f"weights {tmp_path / 'mine' / 'resnet18.safetensors'} are left aside: ")
    assert chosen.recipe.fine_tuning.weights == str(at_hand)


def test_nothing_is_fetched_unless_that_is_allowed(
    photos: Callable[..., str], at_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = weight_store.find_at_hand()[0]
    monkeypatch.setattr(automatic_weights, "find_at_hand", list)
    monkeypatch.setattr(automatic_weights, "TO_START_FROM", ("small.plain_in1k",))
    fetched, asked = list[str](), list[Published]()

    def fetch(name: str) -> tuple[weight_store.AtHand, bool]:
        fetched.append(name)
        return there, True

    def refuse(file: Published) -> bool:
        asked.append(file)
        return False

    monkeypatch.setattr(automatic_weights, "fetch_published", fetch)
    folder = photos()
    for choice in (AUTO, WeightsChoice(download=refuse)):
        assert planned(folder, choice).recipe.fine_tuning.weights is None
    assert ([file.name for file in asked], fetched) == (["small.plain_in1k"], [])
    assert planned(folder, WeightsChoice(download=True)).recipe.fine_tuning.weights == str(at_hand)
    with pytest.raises(ResnetkitError, match=r"the weights small\.hub_in1k are not on this machine") as raised:
        planned(folder, WeightsChoice("small.hub_in1k"))
    assert raised.value.code == Code.WEIGHTS
    assert fetched == ["small.plain_in1k"]


def test_published_weights_are_named_by_their_name_and_never_adapted_unasked(
    photos: Callable[..., str], at_hand: Path
) -> None:
    with pytest.raises(ResnetkitError, match="do not fit the data") as raised:
        planned(photos(), WeightsChoice("small.plain_in1k"))
    assert "--reset-head" in raised.value.fix
    settings = {"fine_tuning.reset_head": True}
    recipe = planned(photos("RGB", 101), WeightsChoice("small.plain_in1k"), settings=settings).recipe
    assert recipe.fine_tuning.weights == str(at_hand)
    with pytest.raises(ResnetkitError, match="named twice"):
        planned("digits", WeightsChoice("none"), settings={"fine_tuning.weights": None})


@pytest.mark.parametrize(("num_train", "passes"), [(2 * FEW_PHOTOS_PER_CLASS, PASSES), (50, PASSES_OF_FEW)])
def test_few_photographs_are_told_from_many(num_train: int, passes: int) -> None:
    summary = DataSummary("photos", 224, 3, num_train, num_classes=2, is_folder=True)
    assert automatic_weights._effort(summary, {}, None).passes == passes
