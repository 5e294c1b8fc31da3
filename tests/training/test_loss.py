"""Cross-entropy with soft targets, smoothing and class weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from resnetkit.data.datasets import DATASETS
from resnetkit.data.mixing import one_hot
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.recipes.advice import DataSummary, choose
from resnetkit.training.loss import cross_entropy, make_class_weights

DIGITS = DataSummary.of(DATASETS["digits"], 1294)
LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 3, 3])
EVEN = torch.ones(4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_torch_without_weights(smoothing: float) -> None:
    ours = cross_entropy(LOGITS, one_hot(LABELS, 4), label_smoothing=smoothing, class_weights=EVEN)
    torch.testing.assert_close(ours, F.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing))


def test_soft_targets_equal_torch() -> None:
    targets = torch.rand(6, 4, generator=torch.Generator().manual_seed(1)).softmax(1)
    ours = cross_entropy(LOGITS, targets, label_smoothing=0.0, class_weights=EVEN)
    torch.testing.assert_close(ours, F.cross_entropy(LOGITS, targets))


def test_weighted_loss_of_slices_adds_up_to_the_whole() -> None:
    weights = torch.tensor([0.5, 2.0, 1.0, 0.25])
    targets = one_hot(LABELS, 4)
    whole = cross_entropy(LOGITS, targets, label_smoothing=0.0, class_weights=weights)
    halves = [
        cross_entropy(LOGITS[part], targets[part], label_smoothing=0.0, class_weights=weights)
        for part in (slice(0, 3), slice(3, 6))
    ]
    torch.testing.assert_close(whole, sum(halves) / 2)
    by_hand = (F.cross_entropy(LOGITS, LABELS, reduction="none") * weights[LABELS]).mean()
    torch.testing.assert_close(whole, by_hand)


def test_balanced_weights_give_every_class_the_same_say() -> None:
    recipe = replace(choose(DIGITS, DataSpec("digits")).recipe, class_weights="balanced")
    labels = np.array([0] * 90 + [1] * 9 + [2] * 1)
    weights = make_class_weights(recipe, labels, ("a", "b", "c")).double().numpy()
    counts = np.bincount(labels)
    np.testing.assert_allclose(weights * counts, 100 / 3, rtol=1e-6)


def test_given_weights_are_checked_and_scaled_to_mean_one() -> None:
    base = choose(DIGITS, DataSpec("digits")).recipe
    labels = np.array([0, 0, 1])
    weights = make_class_weights(replace(base, class_weights=(1.0, 4.0)), labels, ("a", "b"))
    assert float(weights[labels].mean()) == pytest.approx(1)
    assert float(weights[1] / weights[0]) == pytest.approx(4)
    with pytest.raises(ResnetkitError, match="2 numbers"):
        make_class_weights(replace(base, class_weights=(1.0, 2.0, 3.0)), labels, ("a", "b"))


def test_weights_go_by_the_names_of_classes() -> None:
    base, labels, names = choose(DIGITS, DataSpec("digits")).recipe, np.array([0, 0, 1, 2]), ("well", "sick", "v1.5")
    weights = make_class_weights(replace(base, class_weights={"sick": 5.0, "v1.5": 2.0}), labels, names)
    np.testing.assert_allclose(weights / weights[0], [1, 5, 2], rtol=1e-6)
    with pytest.raises(ResnetkitError, match="class_weights: no class 'sik'") as caught:
        make_class_weights(replace(base, class_weights={"sik": 5.0}), labels, names)
    assert "'sick'" in caught.value.fix


@pytest.mark.parametrize("weights", [{"a": -1.0}, {"a": float("nan")}, (0.0, 0.0), {"a": 0.0, "b": 0.0}])
def test_weights_that_weigh_nothing_are_refused(weights: object) -> None:
    base = choose(DIGITS, DataSpec("digits")).recipe
    with pytest.raises(ResnetkitError, match="numbers of 0 or more, not all 0"):
        make_class_weights(replace(base, class_weights=weights), np.array([0, 0, 1]), ("a", "b"))
