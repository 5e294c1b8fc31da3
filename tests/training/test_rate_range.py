"""Sweeps of the learning rate are read as they are, and where they say nothing, that is said."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.html_page import Page

from resnetkit.errors import ResnetkitError
from resnetkit.recipes.recipe import Muon
from resnetkit.training.rate_page import write_page
from resnetkit.training.rate_range import RateRange, Sweep, read_sweeps, smoothed
from resnetkit.training.rate_sweeps import FoundRate, find_rate

RATES = np.geomspace(1e-5, 10, 100).tolist()
SMALL = {"model.depths": [1, 1, 1], "runtime.threads": 1, "runtime.precision": "fp32", "data.max_train_images": 512}


def curve(best: float, rates: list[float] = RATES, *, flat: bool = False) -> Sweep:
    """A loss that falls to its lowest at a rate, and runs away at thirty times it."""
    away = math.log10(best) + 1.5
    losses, seed = [], round(1000 * best)
    for rate in rates:
        x = math.log10(rate) - math.log10(best)
        if math.log10(rate) > away:
            return Sweep(seed, tuple(losses), rate)
        losses.append(2.3 if flat else 1 + 1.3 / (1 + math.exp(4 * (x + 1))) + (3 * x if x > 0 else 0))
    return Sweep(seed, tuple(losses), None)


def read(*bests: float, own: float = 0.1, rates: list[float] = RATES) -> RateRange:
    return read_sweeps(rates, [curve(best, rates) for best in bests], own)


def test_the_range_lies_above_most_of_the_fall_and_ends_at_the_lowest_loss_which_is_suggested() -> None:
    found = read(0.1, 0.12)
    assert found.low is not None
    assert found.high is not None
    lowest = np.median([one.lowest for one in found.readings])
    assert 0.01 < found.low < found.high == found.suggested == pytest.approx(lowest, rel=0.01)
    assert found.diverged_at == pytest.approx((3.2, 3.9), rel=0.2)
    assert not found.warnings


@pytest.mark.parametrize(
    ("own", "words"),
    [(0.05, "lies within"), (0.2, "above by a factor of"), (20, "is worth a try"), (1e-4, "is worth a try")],
)
def test_the_recipes_own_rate_is_judged(own: float, words: str) -> None:
    assert words in read(0.1, 0.1, own=own).verdict


def test_ends_that_were_hit_are_told() -> None:
    assert "begin lower" in " ".join(read(1e-4, 1e-4).warnings)
    assert "go beyond" in " ".join(read(100, 100).warnings)
    quiet = np.geomspace(1e-5, 0.5, 100).tolist()
    assert "no sweep ran away" in " ".join(read(0.1, 0.1, rates=quiet).warnings)
    assert "disagree" in " ".join(read(0.02, 0.5).warnings)


@pytest.mark.parametrize("num_sweeps", [2, 3, 5])
def test_the_range_holds_rates_and_sweeps_that_lie_apart_are_told(num_sweeps: int) -> None:
    noise, apart = np.random.default_rng(num_sweeps), 0
    for _ in range(60):
        found = read(*(0.1 * 10 ** noise.normal(0, 0.25, num_sweeps)))
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.high
        if any(one.lowest < found.low or one.begins > found.high for one in found.readings):
            apart += 1
            assert "disagree" in " ".join(found.warnings)
    assert apart or num_sweeps == 2


def test_a_fall_in_one_update_gives_no_range_to_choose_in_and_that_is_told() -> None:
    coarse = np.geomspace(1e-5, 10, 20).tolist()
    cliff = Sweep(0, (2.3,) * 12 + (0.3,) + (2.3,) * 7, None)
    found = read_sweeps(coarse, [cliff, cliff], 0.1)
    assert found.low == found.suggested == found.high == pytest.approx(coarse[12])
    assert "more --steps" in " ".join(found.warnings)


def test_a_loss_that_does_not_fall_suggests_nothing() -> None:
    flat = Sweep(0, (2.3,) * 100, None)
    found = read_sweeps(RATES, [curve(0.1), flat], 0.1)
    assert (found.suggested, found.low, found.readings) == (None, None, ())
    assert "raise --to" in " ".join(found.warnings)
    assert "say nothing" in found.verdict


@pytest.mark.parametrize("losses", [(), (2.3,) * 3, (2.3,) * 8 + (50.0,) * 4])
def test_sweeps_that_ran_away_before_the_loss_fell_are_to_begin_lower(losses: tuple[float, ...]) -> None:
    found = read_sweeps(RATES, [Sweep(0, losses, RATES[len(losses)]), curve(0.1)], 0.1)
    told = " ".join(found.warnings)
    assert "begin lower (--from)" in told
    assert "raise --to" not in told


def test_a_sweep_that_ran_away_at_once_is_told_and_drawn(found: FoundRate, tmp_path: Path) -> None:
    nothing = Sweep(0, (), RATES[0])
    assert nothing.told(RATES) == "the first update ran away"
    read = read_sweeps(RATES, [nothing, nothing], 0.1)
    assert read.mean_curve() == []
    write_page(tmp_path / "rates.html", replace(found, range=read))
    assert "begin lower" in Page((tmp_path / "rates.html").read_text()).text


def test_where_one_sweep_ran_away_is_told_once(found: FoundRate) -> None:
    def told(*rates: float) -> str:
        sweeps = (*(Sweep(0, (2.3,) * 20, rate) for rate in rates), Sweep(0, (2.3,) * 100, None))
        return replace(found, range=replace(found.range, sweeps=sweeps)).sentences()[2]

    assert told(5.0) == "1 of 2 sweeps ran away, at 5"
    assert told(5.0, 5.001) == "2 of 3 sweeps ran away, at 5"
    assert told(5.0, 2.0) == "2 of 3 sweeps ran away, at 2 to 5"


def test_smoothing_takes_noise_and_leaves_lines() -> None:
    line = np.linspace(2, 1, 100)
    noisy = line + np.random.default_rng(0).normal(0, 0.2, 100)
    assert np.abs(smoothed(line.tolist(), 100) - line)[20:-20].max() < 1e-6
    assert np.abs(smoothed(noisy.tolist(), 100) - line).mean() < 0.1


@pytest.fixture(scope="module")
def found() -> FoundRate:
    return find_rate("digits", model="resnet20_b", settings=SMALL, num_steps=40, num_sweeps=2)


def test_sweeps_of_a_real_run_are_repeatable_and_write_nothing(found: FoundRate, empty_folder: Path) -> None:
    again = find_rate("digits", model="resnet20_b", settings=SMALL, num_steps=40, num_sweeps=2)
    assert again.range == found.range
    assert not list(empty_folder.iterdir())
    assert found.range.suggested is not None
    assert 0.005 < found.range.suggested < 0.5
    assert [one.seed for one in found.range.sweeps] == [0, 1]
    assert found.range.sweeps[0].losses != found.range.sweeps[1].losses


def test_the_page_shows_what_each_sweep_says(found: FoundRate, tmp_path: Path) -> None:
    write_page(tmp_path / "rates.html", found)
    page = Page((tmp_path / "rates.html").read_text())
    assert not page.open
    assert found.range.verdict in page.text
    assert all(f"seed {one.seed}" in page.text for one in found.range.sweeps)


def test_two_rates_of_one_optimizer_keep_their_ratio() -> None:
    settings = {**SMALL, "optimizer.kind": "muon"}
    found = find_rate("digits", model="resnet20_b", settings=settings, num_steps=40, num_sweeps=2)
    rates, usual = found.settings, Muon()
    ratio = rates["optimizer.sgd_learning_rate"] / rates["optimizer.learning_rate"]
    assert ratio == pytest.approx(usual.sgd_learning_rate / usual.learning_rate, rel=0.05)


def test_too_little_to_say_anything_is_refused() -> None:
    for wrong in ({"num_steps": 5}, {"num_sweeps": 1}, {"rates": (1.0, 0.1)}):
        with pytest.raises(ResnetkitError):
            find_rate("digits", **wrong)  # type: ignore[arg-type]


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ResnetkitError, match="single process"):
        find_rate("digits")
