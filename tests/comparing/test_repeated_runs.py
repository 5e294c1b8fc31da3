"""Ways to train, by several runs: the reason why nothing is said, and all that is to be known of the images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from tests.comparing.test_answers import answers_of

from resnetkit.comparing.repeated_runs import compare_repeated
from resnetkit.comparing.sides import Answered, Side
from resnetkit.errors import ResnetkitError

SIZE = 40


def answered(
    name: str, wrong: Sequence[int], *, by: Literal["seeds", "folds"] | None = "seeds", more: int = 0
) -> Answered:
    """Runs of which each answers so many of 40 validation images wrongly, and ``more`` rightly that others lack."""
    labels = np.arange(SIZE + more) % 3
    runs = []
    for number, num_wrong in enumerate(wrong):
        predicted = (labels + (np.arange(SIZE + more) < num_wrong)) % 3
        own = answers_of(labels.tolist(), predicted.tolist(), split="val")
        runs.append(Side(f"{name}/{number}", own, val_chose=False))
    places = tuple(Path("/runs") / run.name for run in runs)
    return Answered(name, by, tuple(runs), places, tuple(range(len(runs))))


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ([2], [6], "10.00 points apart (A ahead); one run a side tells of no spread: compare the two runs themselves"),
        ([6, 6], [2, 2], "10.00 points apart (B ahead); every two runs are exactly as far apart"),
        ([6, 6], [2, 2, 2], "10.00 points apart (B ahead); all scores of a side are the same"),
        ([6, 5], [4, 3], "5.00 points apart (B ahead); every two runs are exactly as far apart"),
        ([6, 6], [6, 6], "0.00 points apart; every two runs are exactly as far apart"),
    ],
)
def test_without_an_interval_it_says_why(a: list[int], b: list[int], reason: str) -> None:
    compared = compare_repeated(answered("A", a), answered("B", b))
    assert compared.verdict.startswith(f"Not decided: {reason}")
    assert not any("the others do" in note for note in compared.notes)


def test_what_seeds_tell_apart_is_told_by_the_spread_that_the_test_is_of() -> None:
    """Where runs of one seed go up and down together, few of them tell small differences."""
    sides = answered("A", [2, 20, 11]), answered("B", [3, 21, 13])
    (told,) = [note for note in compare_repeated(*sides).notes if "four times in five" in note]
    assert told.startswith(
        "at sd 1.44 points of differences over seeds, 3/5/10 seeds a side tell 4.71/2.43/1.44 points"
    )
    (told,) = [note for note in compare_repeated(sides[0], answered("B", [3, 21])).notes if "four times in" in note]
    assert told.startswith("at sd 25.98 points over seeds, ")


def test_one_run_beside_several_is_told() -> None:
    compared = compare_repeated(answered("A", [2, 4]), answered("B", [6], by=None))
    assert any("as the others do" in note for note in compared.notes)


@pytest.mark.parametrize(("by", "before"), [("seeds", ""), ("folds", "fold 2: ")])
def test_images_that_are_not_compared_or_chose_are_told(by: Literal["seeds", "folds"], before: str) -> None:
    a, b = answered("A", [2, 4], by=by, more=10), answered("B", [6, 9], by=by)
    b = replace(b, runs=tuple(replace(run, val_chose=True) for run in b.runs))
    notes = compare_repeated(a, b).notes
    assert notes.count(f"{before}A answered 10 more, which another did not") == 1
    assert "these images chose the epoch of B: that score is a little too good" in notes


def test_no_run_is_on_both_sides() -> None:
    a = answered("A", [2, 4])
    with pytest.raises(ResnetkitError, match="A/1 would be on both sides"):
        compare_repeated(a, Answered("again", None, a.runs[1:], a.places[1:], (1,)))


@pytest.mark.parametrize("by", ["seeds", "folds"])
def test_a_copy_of_a_run_on_the_other_side_is_told(by: Literal["seeds", "folds"]) -> None:
    told = compare_repeated(answered("A", [2, 4], by=by), answered("B", [2, 9], by=by)).notes
    copies = "A/0 and B/0 gave every image the same probabilities: they are one classifier"
    assert told.count(copies if by == "seeds" else f"fold 1: {copies}") == 1
    assert sum("one classifier" in note for note in told) == 1
