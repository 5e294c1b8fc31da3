"""From logits to probabilities."""

import numpy as np
import pytest
import torch

from resnetkit.classifier.decision import Decision, Sure, Unknown
from resnetkit.config import from_dict, to_dict
from resnetkit.errors import ResnetkitError


def some_logits(views: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 4, (5, views, 7)).astype(np.float32)


def test_probabilities_are_the_mean_of_the_views_softmax() -> None:
    logits = some_logits()
    expected = torch.from_numpy(logits).softmax(2).mean(1).numpy()
    answer = Decision().probabilities(logits)
    assert answer.shape == (5, 7)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=0)


def test_the_temperature_divides_each_views_logits() -> None:
    logits = some_logits()
    cooler = Decision(temperature=2.5).probabilities(logits)
    np.testing.assert_allclose(cooler, Decision().probabilities(logits / np.float32(2.5)), rtol=1e-5)
    one_view = logits[:, :1]
    plain, cooled = (Decision(t).probabilities(one_view) for t in (1.0, 2.5))
    assert (cooled.max(1) < plain.max(1)).all()
    assert np.array_equal(cooled.argmax(1), plain.argmax(1))


@pytest.mark.filterwarnings("error")
def test_large_logits_overflow_nothing_and_what_is_no_number_stays_so() -> None:
    answer = Decision().probabilities(np.array([[[3e38, -3e38]], [[0, np.nan]], [[0, np.inf]]], np.float32))
    assert answer[0].tolist() == [1, 0]
    assert np.isnan(answer[1:]).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("decision", [Decision(), Decision(unknown=Unknown(-9.0, 0.1), sure=Sure(0.5, 0.9))])
def test_what_is_no_number_is_no_answer(decision: Decision) -> None:
    logits = np.array([[[1, 0]], [[0, np.nan]], [[0, np.inf]], [[-np.inf, -np.inf]]], np.float32)
    decided = decision.decide(logits)
    assert decided.statuses == ("ok", "error", "error", "error")
    assert decided.is_ok.tolist() == [True, False, False, False]


@pytest.mark.parametrize("temperature", [0, -1, float("inf"), float("nan")])
def test_a_temperature_that_cannot_be_is_refused(temperature: float) -> None:
    with pytest.raises(ResnetkitError, match=r"decision\.temperature must be positive and finite"):
        Decision(temperature)


def test_it_is_json_both_ways() -> None:
    decision = Decision(temperature=0.75)
    assert from_dict(Decision, to_dict(decision)) == decision
    assert from_dict(Decision, {}) == Decision()
