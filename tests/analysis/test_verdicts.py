"""Sentences on two networks: true of the numbers, whichever is given first."""

import pytest

from resnetkit.analysis.analyses import FIGURES
from resnetkit.analysis.figure import Figure
from resnetkit.analysis.verdicts import COMPARISONS, judge
from resnetkit.pages.formatting import NO_BREAK_SPACE


def figure(name: str, **numbers: float) -> Figure:
    return Figure(name, "title", "source", "expected", "seen", (), numbers)


def lesions(top1: float, median: float) -> Figure:
    return figure("lesions", top1=top1, median_top1_without_one=median, top1_of_guessing=0.1)


def judged(a: Figure, b: Figure, names: tuple[str, str] = ("a", "b")) -> str:
    """The sentence with plain spaces."""
    return judge(a, b, names).replace(NO_BREAK_SPACE, " ")


LESIONS = [lesions(0.98, 0.97), lesions(0.6, 0.15)]


def test_the_lesser_one_is_named_whichever_comes_first() -> None:
    residual, plain = LESIONS
    sentence = (
        "plain keeps less of what it has above guessing with a block left out (median): 10 % against 99 % of residual."
    )
    assert judged(residual, plain, ("residual", "plain")) == sentence
    assert judged(plain, residual, ("plain", "residual")) == sentence


def test_two_that_hardly_differ_are_not_told_apart() -> None:
    a, b = (lesions(1.0, value) for value in (0.91, 0.94))
    assert judged(a, b) == "The two hardly differ: 90 % and 93 %."


@pytest.mark.parametrize("top1", [0.0, 0.1])
def test_who_guesses_from_the_start_keeps_nothing(top1: float) -> None:
    assert "0 % against 99 %" in judged(lesions(top1, top1), LESIONS[0])


def test_who_knows_little_has_little_to_lose_and_never_keeps_more_than_there_was() -> None:
    sentence = judged(lesions(0.14, 0.3), lesions(0.94, 0.48))
    assert sentence.startswith(
        "b keeps less of what it has above guessing with a block left out (median): 45 % against"
    )
    assert "100 % of a. But they have not learned equally well (top-1 14.0 % and 94.0 %)" in sentence
    assert "equally" not in judged(lesions(0.52, 0.5), lesions(0.94, 0.48))


def test_landscapes_of_networks_that_learned_unequally_say_so() -> None:
    def landscapes(loss: float) -> str:
        a, b = figure("landscape", not_convex=0.2, loss=0.1), figure("landscape", not_convex=0.1, loss=loss)
        return judged(a, b)

    assert (
        landscapes(0.19) == "b lies in the smoother landscape, by the share that is not convex: 10 % against 20 % of a."
    )
    assert "have not learned equally well (losses 0.1 and 0.21)" in landscapes(0.21)


def test_a_figure_without_a_comparison_is_not_judged() -> None:
    assert judge(figure("filters"), figure("filters"), ("a", "b")) == ""
    assert "filters" not in COMPARISONS


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_comparison_is_of_a_figure_that_there_is(name: str) -> None:
    assert name in FIGURES
