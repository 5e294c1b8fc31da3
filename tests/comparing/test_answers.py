"""Runs by what they answered: matched by pixels, judged by tests, said in words that claim no more."""

from collections.abc import Sequence

import numpy as np
import pytest

from resnetkit.comparing.answers import compare_answers
from resnetkit.comparing.sides import Side
from resnetkit.errors import Code, ResnetkitError
from resnetkit.evaluation.answers import Answers, score_answers

NAMES = ("cat", "dog", "fox")


def answers_of(
    labels: Sequence[int],
    predicted: Sequence[int],
    *,
    digests: Sequence[int] | None = None,
    trained_on: Sequence[bool] | None = None,
    names: tuple[str, ...] = NAMES,
    split: str = "test",
    sure: float = 0.8,
) -> Answers:
    size = len(labels)
    probabilities = np.full((size, len(names)), (1 - sure) / (len(names) - 1), np.float32)
    probabilities[np.arange(size), list(predicted)] = sure
    known = np.arange(1, size + 1, dtype=np.uint64) if digests is None else np.array(digests, np.uint64)
    is_old = np.zeros(size, np.bool_) if trained_on is None else np.array(trained_on)
    names_of_images = [f"{digest}.png" for digest in known.tolist()]
    return Answers(split, names, names_of_images, known, np.array(labels, np.int64), is_old, probabilities)


def side(name: str, answers: Answers, *, val_chose: bool | None = False) -> Side:
    return Side(name, answers, val_chose)


def two(num_lost: int, num_won: int, size: int) -> list[Side]:
    labels = np.arange(size) % 3
    a, b = labels.copy(), labels.copy()
    b[:num_lost] = (labels[:num_lost] + 1) % 3
    a[num_lost : num_lost + num_won] = (labels[num_lost : num_lost + num_won] + 1) % 3
    return [side("A", answers_of(labels, a)), side("B", answers_of(labels, b))]


def test_images_are_matched_by_their_pixels_and_not_by_place() -> None:
    labels = [0, 1, 2, 0, 1]
    a = answers_of(labels, [0, 1, 2, 0, 0], digests=[11, 12, 13, 14, 15])
    order = [4, 2, 0, 3]
    b = answers_of([labels[i] for i in order], [1, 2, 1, 0], digests=[15, 13, 11, 14])
    compared = compare_answers([side("A", a), side("B", b)])
    assert compared.num_images == 4
    (pair,) = compared.pairs
    assert (pair.top1.num_lost, pair.top1.num_won) == (1, 1)
    assert {one.identifiers[0]: one.right for one in pair.only_one} == {"15.png": 1, "11.png": 0}
    assert "A answered 1 more, which another did not" in compared.notes


def test_classes_are_matched_by_name() -> None:
    a = answers_of([0, 1, 2], [0, 1, 1])
    b = answers_of([2, 1, 0], [2, 1, 0], names=("fox", "dog", "cat"))
    (pair,) = compare_answers([side("A", a), side("B", b)]).pairs
    assert (pair.top1.num_lost, pair.top1.num_won) == (0, 1)
    assert pair.only_one[0].answered == ("dog", "fox")


def test_no_image_that_one_was_trained_on_is_compared() -> None:
    a = answers_of([0, 1, 2, 0], [0, 1, 2, 0], trained_on=[True, False, False, False])
    b = answers_of([0, 1, 2, 0], [1, 1, 1, 1], trained_on=[False, False, False, True])
    compared = compare_answers([side("A", a), side("B", b)])
    assert compared.num_images == 2
    assert "2 that one was trained on are left out" in compared.notes
    assert not [note for note in compared.notes if "more" in note]


def test_without_a_shared_image_it_says_why() -> None:
    a, b = answers_of([0, 1], [0, 1], digests=[1, 2]), answers_of([0], [0], digests=[3])
    with pytest.raises(ResnetkitError, match="no image was answered by A and B") as caught:
        compare_answers([side("A", a), side("B", b)])
    assert caught.value.code is Code.DATA
    assert "2 and 1 different images" in caught.value.why
    unmet = answers_of([0, 1], [0, 1], digests=[0, 0])
    with pytest.raises(ResnetkitError):
        compare_answers([side("A", unmet), side("B", unmet)])


def test_scores_are_those_of_the_answers() -> None:
    random = np.random.default_rng(0)
    labels, guesses = random.integers(0, 3, 200), random.integers(0, 3, (2, 200))
    sides = [side("A", answers_of(labels, guesses[0], sure=0.5)), side("B", answers_of(labels, guesses[1], sure=0.7))]
    compared = compare_answers(sides)
    for one, told in zip(sides, compared.sides, strict=True):
        known = score_answers(one.answers)
        assert known is not None
        assert told.top1 == known.top1
        assert told.log_loss == pytest.approx(known.log_loss)
        assert told.calibration_error == pytest.approx(known.expected_calibration_error)
    (pair,) = compared.pairs
    a, b = compared.sides
    assert pair.log_loss.value == pytest.approx(b.log_loss - a.log_loss)
    assert pair.calibration_error == pytest.approx(b.calibration_error - a.calibration_error)
    assert isinstance(pair.as_values()["calibration_error"], float), "no interval: it would not hold the truth"
    assert any("calibration errors come out too large on few images" in note for note in compared.notes)
    assert pair.log_loss.low < pair.log_loss.value < pair.log_loss.high


def test_verdicts_claim_no_more_than_the_test() -> None:
    (decided,) = compare_answers(two(5, 40, 1000)).pairs
    assert decided.verdict.startswith("B is better: 3.5 points apart, 95 % interval 2.2 to 4.8, p < 0.0001")
    assert (decided.is_decided, decided.more_images) == (True, None)
    (turned,) = compare_answers(two(40, 5, 1000)).pairs
    assert turned.verdict.startswith("A is better: 3.5 points apart, 95 % interval 2.2 to 4.8")
    (open_,) = compare_answers(two(20, 33, 1000)).pairs
    assert not open_.is_decided
    assert open_.verdict.startswith(
        "Not decided: 1.3 points apart (B ahead), 95 % interval \N{MINUS SIGN}0.2 to 2.8, p = 0.098"
    )
    assert open_.verdict.endswith("; were that the true difference, about 1,600 more images would decide")
    (alike,) = compare_answers(two(3, 3, 1000)).pairs
    assert alike.verdict.startswith("Not decided: equally many right")
    assert alike.more_images is None


def test_among_several_a_difference_must_be_larger() -> None:
    a, b = two(8, 20, 1000)
    alone = compare_answers([a, b]).pairs[0]
    assert alone.is_decided
    among = compare_answers([a, b, side("C", a.answers), side("D", a.answers)])
    assert len(among.pairs) == 6
    first = among.pairs[0]
    assert (first.p_value, first.p_corrected) == (alone.p_value, pytest.approx(6 * alone.p_value))
    assert not first.is_decided
    assert first.more_images is not None
    assert among.verdicts[0].startswith("A and B: Not decided")
    assert first.top1.low > 0, "not corrected, which is said"
    assert any("intervals are not corrected for several" in note for note in among.notes)
    assert not any("intervals are not corrected" in note for note in compare_answers([a, b]).notes)


def test_among_many_classes_too() -> None:
    labels = np.repeat([0, 1, 2], 40)
    b = labels.copy()
    b[:7] = 1
    (pair,) = compare_answers([side("A", answers_of(labels, labels)), side("B", answers_of(labels, b))]).pairs
    cat = pair.classes[0]
    assert (cat.name, cat.num_images, cat.a, cat.b) == ("cat", 40, 1.0, 33 / 40)
    assert (cat.p_value, cat.p_corrected) == (pytest.approx(2 / 2**7), pytest.approx(6 / 2**7))


def test_validation_images_that_chose_are_told() -> None:
    val = answers_of([0, 1], [0, 1], split="val")
    compared = compare_answers([side("A", val, val_chose=True), side("B", val, val_chose=None), side("C", val)])
    assert any("chose the epoch of A:" in note for note in compared.notes)
    assert any("may have chosen the epoch of B" in note for note in compared.notes)


def test_the_surest_right_answers_come_first() -> None:
    labels = [0, 0, 0]
    a = answers_of(labels, [0, 0, 1])
    a.probabilities[1] = (0.99, 0.005, 0.005)
    b = answers_of(labels, [1, 1, 0], sure=0.9)
    (pair,) = compare_answers([side("A", a), side("B", b)]).pairs
    assert [(one.row, one.right) for one in pair.only_one] == [(1, 0), (2, 1), (0, 0)]
    assert pair.only_one[0].probabilities == pytest.approx((0.99, 0.9))


def test_copies_of_one_run_are_said_to_be_one_classifier() -> None:
    """A folder that was copied, or two runs whose settings differ in nothing that has an effect."""
    labels = np.arange(40) % 3
    a = answers_of(labels.tolist(), labels.tolist(), sure=0.7)
    again = answers_of(labels.tolist(), labels.tolist(), sure=0.700001)  # another engine rounds otherwise
    other = answers_of(labels.tolist(), labels.tolist(), sure=0.8)
    compared = compare_answers([side("A", a), side("copy", again), side("B", other)])
    told = [note for note in compared.notes if "one classifier" in note]
    assert told == ["A and copy gave every image the same probabilities: they are one classifier"]


def test_answers_that_are_all_certain_make_no_two_one_classifier() -> None:
    labels = [0, 1, 2, 0]
    certain = answers_of(labels, labels, sure=1.0), answers_of(labels, labels, sure=0.999999)
    compared = compare_answers([side(name, one) for name, one in zip("AB", certain, strict=True)])
    assert not [note for note in compared.notes if "one classifier" in note]
