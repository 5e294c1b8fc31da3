"""How far two ways to compute one classifier are apart."""

import numpy as np

from resnetkit.classifier.decision import Decision
from resnetkit.config import from_dict, to_dict
from resnetkit.graphs.agreement import Agreement, measure_agreement

EXPECTED = np.array([[[0, 2], [0, 1]], [[1, 0], [1, 0]], [[0, 0.2], [0, 0.2]]], np.float32)


def test_the_same_logits_agree() -> None:
    assert measure_agreement(EXPECTED.copy(), EXPECTED, Decision()) == Agreement(0.0, 0.0, 0, 3)


def test_the_largest_differences_and_every_turned_answer_are_told() -> None:
    other = EXPECTED.copy()
    other[0, 1, 1] += 0.5  # one view of one image
    other[2, :, 0] += 0.3
    found = measure_agreement(other, EXPECTED, Decision())
    answers, expected = (Decision().probabilities(logits) for logits in (other, EXPECTED))
    assert found.max_logit_difference == 0.5
    assert found.max_difference == np.abs(answers - expected).max()
    assert (found.num_turned, found.num_images) == (1, 3)
    assert from_dict(Agreement, to_dict(found)) == found
