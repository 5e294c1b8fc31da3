"""Only sure answers: the counts behind the slider are those of the answers."""

import numpy as np
import pytest
from tests.html_page import Page
from tests.small_reports import answers_of, report_of

from resnetkit.runs.report import render_report
from resnetkit.runs.report_thresholds import Thresholds


def test_counts_are_of_the_answers_that_are_at_least_so_sure() -> None:
    answers = answers_of(("cat", "dog", "fish"), 500)
    found = Thresholds.of(answers.confidences, answers.is_right)
    assert (len(found.kept), len(found.right)) == (1001, 1001)
    for step in (0, 333, 334, 500, 777, 999, 1000):
        is_kept = answers.confidences >= step / 1000
        assert found.kept[step] == is_kept.sum()
        assert found.right[step] == answers.is_right[is_kept].sum()


@pytest.mark.parametrize("confidence", [0.3, 0.7, 0.001, 1.0])
def test_an_answer_at_a_threshold_is_given(confidence: float) -> None:
    """Float32 has no 0.7: what is stored lies a little above or below."""
    found = Thresholds.of(np.array([confidence], np.float32), np.array([True]))
    step = round(1000 * confidence)
    assert found.kept[step] == 1
    assert step == 1000 or found.kept[step + 1] == 0


def test_an_image_that_is_unknown_is_answered_at_no_threshold() -> None:
    answers = answers_of(("cat", "dog", "fish"), 200)
    is_unknown = np.arange(200) < 30  # whatever their confidence
    found = Thresholds.of(answers.confidences, answers.is_right, is_unknown)
    assert (found.num_images, found.num_unknown, found.kept[0]) == (200, 30, 170)
    page = Page(render_report(report_of(answers, thresholds=found)))
    assert "30 of 200 images are unknown to the classifier" in page.text
    given = ~is_unknown & (answers.confidences >= 0.9)
    assert f"90 % {given.sum()} ({given.sum() / 2:.1f} %)" in page.text
    nothing = Thresholds.of(answers.confidences, answers.is_right, np.ones(200, np.bool_))
    assert "200 of 200 images are unknown" in Page(render_report(report_of(answers, thresholds=nothing))).text


def test_the_page_tells_thresholds_that_leave_something() -> None:
    answers = answers_of(("cat", "dog", "fish"), 200)
    page = Page(render_report(report_of(answers)))
    right = answers.is_right[answers.confidences >= 0.9]
    assert f"90 % {len(right)} ({len(right) / 2:.1f} %) {100 * right.mean():.2f} %" in page.text
    unsure = Thresholds.of(np.array([0.6, 0.5]), np.array([True, False]))
    assert [threshold for threshold, _, _ in unsure.told] == [0.0, 0.5]
