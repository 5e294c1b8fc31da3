"""A time to train in decides how far a run goes, by what its parts take; the run can then be had without a clock."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from resnetkit.data.batches import Shard
from resnetkit.data.spec import Augmentation, DataSpec
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.machine.runtime import Runtime
from resnetkit.models.catalog import find_entry
from resnetkit.models.spec import ResNetSpec
from resnetkit.recipes.named import RECIPES, Traits
from resnetkit.recipes.recipe import Chosen, Recipe
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.training import pace, planning
from resnetkit.training.planning import plan
from resnetkit.training.run import train
from resnetkit.training.state import new_network, new_state
from resnetkit.training.time_budget import (
    EPOCHS,
    VIEWS,
    Choice,
    Forecast,
    Pace,
    TimeBudget,
    Work,
    choose_rung,
    forecast,
    ladder,
    read_minutes,
)

PHOTOS = Preprocessing(224, 256, mean=(0.5,) * 3, std=(0.2,) * 3)
ALL_FROZEN = {5: 0.02, 4: 0.016}
# Seconds: 20 ms an image up to the head, 10 ms an update of the head, 100 ms of the last stage, 50 ms an answer.
STEADY = Pace(begin=2.0, inputs=ALL_FROZEN, updates={5: 0.01, 4: 0.1}, answer=0.05)


# A head alone, shown each image in six ways.
SIX_WAYS = {"epochs": 12, "augmentation": Augmentation(crop_area=(0.5, 1.0), num_views=6)}


def recipe_of(name: str, **changes: object) -> Recipe:
    spec: ResNetSpec = find_entry("resnet18").spec
    base = Recipe(name, "resnet18", replace(spec, num_classes=5), DataSpec("photos"), PHOTOS)
    return replace(RECIPES[name](base, Traits(num_train=550, flip_rate=0.5)), **changes)  # type: ignore[arg-type]


def keeps_all(recipe: Recipe, num_frozen: int) -> tuple[int, ...]:
    return (4, 5) if num_frozen == 5 and recipe.fine_tuning.thaw_every_epochs else (num_frozen,)


def keeps_none(recipe: Recipe, num_frozen: int) -> tuple[int, ...]:
    return ()


@pytest.mark.parametrize(
    ("text", "minutes"), [("5m", 5), ("90s", 1.5), ("1h", 60), ("2.5m", 2.5), ("1h 30m", 90), (".5m", 0.5)]
)
def test_times_are_read(text: str, minutes: float) -> None:
    assert read_minutes(text) == pytest.approx(minutes)


@pytest.mark.parametrize("text", ["5", "", "m", "0m", "-5m", "5min", "5 m x", "nan", "infm", "1e3m", "9" * 400 + "h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ResnetkitError) as caught:
        read_minutes(text)
    assert caught.value.code is Code.USAGE
    assert "--time 5m" in caught.value.fix


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_no_minutes_are_no_budget(minutes: float) -> None:
    with pytest.raises(ResnetkitError, match="above 0"):
        TimeBudget(minutes)


def test_each_view_is_paid_for_once() -> None:
    recipe = recipe_of("fine_tune_few", **SIX_WAYS)
    work = Work(num_train=640, num_val=100, num_test=50)
    expected = forecast(recipe, work, STEADY, keeps_all)
    assert expected.inputs == pytest.approx(6 * 640 * 0.02)
    assert expected.updates == pytest.approx(2 + 12 * 20 * 0.01)
    assert expected.validation == pytest.approx(100 * 0.05)
    assert expected.end == pytest.approx(3 + (150 + 144) * 0.05)
    assert expected.total == pytest.approx(sum((expected.inputs, expected.updates, expected.validation, expected.end)))
    twice = replace(recipe, augmentation=replace(recipe.augmentation, num_views=12))
    assert forecast(twice, work, STEADY, keeps_all).inputs == pytest.approx(2 * expected.inputs)


def test_what_is_not_kept_is_paid_for_in_every_epoch_by_all_processes_together() -> None:
    recipe, work = recipe_of("fine_tune_few", **SIX_WAYS), Work(num_train=640, num_val=100)
    assert forecast(recipe, work, STEADY, keeps_none).inputs == pytest.approx(12 * 640 * 0.02)
    assert forecast(recipe, work, STEADY, keeps_none).validation == pytest.approx(12 * 100 * 0.05)
    assert forecast(recipe, replace(work, num_ranks=2), STEADY, keeps_none).inputs == pytest.approx(6 * 640 * 0.02)
    rarely = replace(recipe, validate_every_epochs=5)
    assert forecast(rarely, work, STEADY, keeps_none).validation == pytest.approx(3 * 100 * 0.05)


def test_parts_that_thaw_are_counted_from_then_on() -> None:
    recipe, work = recipe_of("fine_tune"), Work(num_train=640, num_val=100)
    expected = forecast(recipe, work, STEADY, keeps_all)
    assert expected.updates == pytest.approx(2 + 20 * (12 * 0.01 + 6 * 0.1))
    assert expected.inputs == pytest.approx(6 * 640 * 0.02), "what lies below the last stage was kept"
    assert expected.validation == pytest.approx((1 + 6) * 100 * 0.05)


def test_statistics_that_short_runs_take_anew_are_counted() -> None:
    recipe = recipe_of("photos", epochs=2)
    scratch = Pace(0, {0: 0.01}, {0: 0.5}, answer=0.05)
    assert forecast(recipe, Work(320), scratch, keeps_none).validation == pytest.approx(2 * 320 * 0.05)
    assert forecast(recipe, Work(32_000), scratch, keeps_none).validation == 0


def test_the_ladder_of_frozen_parts_is_of_views() -> None:
    rungs = ladder(recipe_of("fine_tune_few", **SIX_WAYS), 550, ())
    assert rungs[0] == {VIEWS: 1, EPOCHS: 3}
    assert rungs[-1] == {VIEWS: 12, EPOCHS: 12}
    assert {VIEWS: 6, EPOCHS: 12} in rungs, "what the recipe says"
    costs = [
        forecast(run_of("fine_tune_few", rung, **SIX_WAYS), Work(550, 200), STEADY, keeps_all).total
        for rung in map(dict, rungs)
    ]
    assert costs == sorted(costs)


def run_of(name: str, rung: dict[str, int], **changes: object) -> Recipe:
    recipe = recipe_of(name, **changes)
    views = rung.get(VIEWS, recipe.augmentation.num_views)
    return replace(recipe, epochs=rung[EPOCHS], augmentation=replace(recipe.augmentation, num_views=views))


def test_parts_thaw_once_there_are_some_views() -> None:
    rungs = ladder(recipe_of("fine_tune"), 5_000, ())
    assert {VIEWS: 3, EPOCHS: 12} in rungs
    assert {VIEWS: 4, EPOCHS: 18} in rungs
    assert all(rung[EPOCHS] <= 12 for rung in rungs if rung[VIEWS] < 4)


def test_the_ladder_of_others_is_of_epochs_with_enough_updates() -> None:
    assert [rung[EPOCHS] for rung in ladder(recipe_of("photos"), 5_000, ())] == list(range(10, 41))
    assert ladder(recipe_of("photos"), 64, ())[0] == {EPOCHS: 25}, "fifty updates"
    unchecked = recipe_of("fine_tune_few", data=DataSpec("photos", check="lazy"), **SIX_WAYS)
    assert all(VIEWS not in rung for rung in ladder(unchecked, 550, ())), "nothing is kept of them"


def test_images_that_are_seen_as_they_are_have_one_view_and_many_epochs() -> None:
    assert ladder(recipe_of("fine_tune_few"), 550, ()) == tuple({EPOCHS: n} for n in range(15, 61))


def test_what_is_set_is_left_as_it_is() -> None:
    recipe = recipe_of("fine_tune_few", **SIX_WAYS)
    assert ladder(recipe, 550, [EPOCHS, "seed"]) == tuple({VIEWS: n} for n in (1, 2, 3, 4, 6, 8, 10, 12))
    assert ladder(recipe, 550, [VIEWS]) == tuple({EPOCHS: n} for n in range(3, 13))
    assert ladder(recipe, 550, ["augmentation"]) == ladder(recipe, 550, [VIEWS])
    for one, settings in ((recipe, [EPOCHS, VIEWS]), (recipe_of("photos"), [EPOCHS])):
        with pytest.raises(ResnetkitError, match="has no effect") as caught:
            ladder(one, 550, settings)
        assert caught.value.code is Code.USAGE


def chosen_for(seconds: float, cost: Callable[[Recipe], float], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    budget = TimeBudget(seconds / 60, started=1000.0 - 20)
    recipe, rungs = recipe_of("photos"), ladder(recipe_of("photos"), 5_000, ())
    choice = choose_rung(recipe, rungs, budget, lambda one: Forecast(cost(one), 0, 0, 0))
    assert choice.reason.startswith(f"{choice.rung[EPOCHS]} epochs in ")
    return choice.rung[EPOCHS], choice.warning


def test_the_most_that_the_time_left_allows_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    # Ten seconds an epoch; 20 s are over, and a tenth of what is left is not planned with.
    assert chosen_for(320, lambda recipe: 10 * recipe.epochs, monkeypatch) == (27, "")
    assert chosen_for(3_200, lambda recipe: 10 * recipe.epochs, monkeypatch) == (40, "")


def test_what_is_too_short_is_said_and_the_least_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    epochs, warning = chosen_for(60, lambda recipe: 10 * recipe.epochs, monkeypatch)
    assert epochs == 10
    assert warning == (
        "1 min 0 s are too short: 40.0 s of it are left, and the least takes an estimated 1 min 40 s, 1 min 0 s more"
    )
    assert "may be too short" in chosen_for(125, lambda recipe: 10 * recipe.epochs, monkeypatch)[1]
    assert "it is over before training starts" in chosen_for(10, lambda recipe: 100, monkeypatch)[1]


class Heard(Listener):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def message(self, text: str) -> None:
        self.texts.append(text)

    def warning(self, text: str) -> None:
        self.texts.append(f"warning: {text}")


SETTINGS = {"model.depths": [1, 1, 1], "runtime.threads": 1, "runtime.precision": "fp32", "data.max_train_images": 256}


def test_a_run_in_a_time_is_the_run_that_its_record_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[set[int]] = []

    def measured(trial: object, num_frozen: set[int], limit: float) -> Pace:
        counts.append(num_frozen)
        real(trial, num_frozen, 0.0)  # type: ignore[arg-type]
        return Pace(0, {0: 0.0}, {0: 10.0}, 0.0)  # four updates an epoch: 40 s

    real = pace.measure_pace
    monkeypatch.setattr(pace, "measure_pace", measured)
    monkeypatch.setattr(TimeBudget, "seconds_left", lambda self: 720.0)  # of which 0.9 are planned, and 3 s for the end
    heard = Heard()
    result = train("digits", model="resnet20_b", settings=SETTINGS, minutes=12, out=tmp_path, listener=heard)
    record = RunFolder(result.run).read_record()
    assert counts == [{0}]
    assert record.recipe.epochs == 16
    (reason,) = (text for text in record.reasons if text.startswith("16 epochs in 12 min 0 s: an estimated 10 min 43"))
    assert reason in heard.texts
    assert any(text.startswith("took ") and text.endswith(" of 12 min 0 s") for text in heard.texts)
    assert "--set epochs=16" in record.command
    again = train("digits", model="resnet20_b", settings={**SETTINGS, "epochs": 16}, out=tmp_path / "again")
    assert RunFolder(again.run).read_record().recipe == record.recipe
    assert again.folder.classifier_file.read_bytes() == result.folder.classifier_file.read_bytes()


def test_measuring_takes_each_part_that_the_run_comes_to(
    tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paces: list[Pace] = []

    def measured(*args: object) -> Pace:
        paces.append(real(*args))  # type: ignore[arg-type]
        return paces[0]

    real = pace.measure_pace
    monkeypatch.setattr(pace, "measure_pace", measured)
    settings = SETTINGS | {"fine_tuning.freeze": "stage2", "fine_tuning.thaw_every_epochs": 2, "epochs": 3}
    settings |= {"fine_tuning.weights": str(pretrained), "batch_size": 32}
    monkeypatch.setitem(RECIPES, "small", lambda base, traits: with_views(RECIPES["fine_tune"](base, traits)))
    heard = Heard()
    result = train("digits", recipe="small", settings=settings, minutes=60, out=tmp_path, listener=heard)
    (one,) = paces
    assert set(one.inputs) == set(one.updates) == {3, 2}
    assert all(seconds > 0 for seconds in (*one.inputs.values(), *one.updates.values(), one.answer))
    recipe = RunFolder(result.run).read_record().recipe
    assert (recipe.augmentation.num_views, recipe.epochs) == (3, 3)
    assert any(text.startswith("3 views of each image in 1 h 0 min: an estimated") for text in heard.texts)


def with_views(recipe: Recipe) -> Recipe:
    return replace(recipe, augmentation=replace(recipe.augmentation, num_views=2))


def test_a_time_that_would_choose_nothing_is_refused_before_images_are_read(tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError, match="it would choose epochs"):
        train("digits", settings={"epochs": 2}, minutes=5, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_choice_of_weights_goes_by_the_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []

    def planned(*args: object, weights: planning.WeightsChoice, **others: object) -> None:
        asked.append(weights.minutes)
        raise ResnetkitError(Code.USAGE, "enough")

    monkeypatch.setattr(planning, "plan", planned)
    for minutes, choice in ((5, "auto"), (5, planning.WeightsChoice(minutes=7.0)), (None, "auto")):
        with pytest.raises(ResnetkitError, match="enough"):
            train("photos", minutes=minutes, weights=choice)
    assert asked == [5, 7, None]


def kept_within(minutes: float, computing: Runtime) -> Chosen:
    source, chosen = plan("digits", model="resnet20_b", settings=SETTINGS)
    loaded = source.load(("train", "val"), chosen.recipe.preprocessing)
    state = new_state(chosen.recipe, new_network(chosen.recipe), computing.device)
    before = [tensor.clone() for tensor in state.network.state_dict().values()]
    found = pace.keep_within(TimeBudget(minutes), chosen, state, loaded, computing, Shard())
    assert all(map(torch.equal, before, state.network.state_dict().values())), "the run begins with what it had"
    return found


@pytest.mark.parametrize(("is_compiled", "expected"), [(True, "on"), (False, "auto")])
def test_what_is_measured_compiled_is_compiled_when_it_is_repeated(
    is_compiled: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "measure_pace", lambda *_: Pace(0, {0: 0.0}, {0: 1.0}, 0.0))
    found = kept_within(1.0, Runtime(torch.device("cpu"), bf16=False, compile=is_compiled))
    assert found.recipe.runtime.compile == expected
    assert found.settings.get("runtime.compile", "auto") == expected


def test_the_first_process_decides_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Choice({EPOCHS: 7}, "7 epochs: said by the first process")
    monkeypatch.setattr(pace, "measure_pace", lambda *_: Pace(0, {0: 0.0}, {0: 1.0}, 0.0))
    monkeypatch.setattr(pace, "from_first_rank", lambda choice, shard: theirs)
    found = kept_within(10.0, Runtime(torch.device("cpu"), bf16=False, compile=False))
    assert (found.recipe.epochs, found.reasons[-1]) == (7, theirs.reason)


def test_a_part_is_measured_till_the_limit_without_its_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def work() -> None:
        now[0] += 100.0 if now[0] == 0 else 1.0

    assert pace._time_each(work, limit=3.0, most=64, num_images=2) == pytest.approx(0.5)
    assert now[0] == 103.0
    assert pace._time_each(work, limit=0.0, most=1, num_images=1) == 1.0, "where there is only one batch, by that"
    assert pace._time_each(work, limit=0.0, most=5, num_images=1) == 1.0
    assert now[0] == 106.0
