"""Images that several classifiers answered: each once, by its pixels, and the same ones for all who compare."""

import pytest
from tests.comparing.test_answers import answers_of

from resnetkit.evaluation.shared_images import share_images


def test_copies_count_once_and_disputed_images_not_at_all() -> None:
    a = answers_of([0, 0, 1, 2, 0, 1], [0] * 6, digests=[1, 1, 2, 3, 4, 4])
    b = answers_of([0, 0, 0, 1, 1], [0] * 5, digests=[1, 1, 1, 2, 3])
    shared = share_images([a, b])
    assert [rows.tolist() for rows in shared.rows] == [[0, 2], [0, 3]]
    assert (shared.num_copies, shared.num_disputed, shared.num_alone) == (2, 1, (1, 0))
    assert shared.notes(["A", "B"]) == [
        "A answered 1 more, which another did not",
        "2 copies count once",
        "1 with two different classes are left out",
    ]


def test_nothing_may_be_shared() -> None:
    assert len(share_images([answers_of([0], [0], digests=[1]), answers_of([0], [0], digests=[2])])) == 0


def test_of_three_sides_none_is_said_to_have_answered_alone_what_two_did() -> None:
    a, b = answers_of([0, 1], [0, 1]), answers_of([0], [0])
    assert share_images([a, a, b]).notes("AAB") == ["A answered 1 more, which another did not"] * 2


@pytest.mark.parametrize("labels", [[0, 0], [0, 1]])
def test_a_copy_is_judged_by_its_first_answer(labels: list[int]) -> None:
    twice = answers_of([0, 0], labels, digests=[5, 5])
    assert twice.is_right[share_images([answers_of([0], [0], digests=[5]), twice]).rows[1]].tolist() == [True]
