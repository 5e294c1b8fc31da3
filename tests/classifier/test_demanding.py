"""Demands in place of a classifier's own thresholds."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.small_decisions import MIXED, with_yardstick

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Decision
from resnetkit.classifier.demanding import demanding
from resnetkit.errors import ResnetkitError
from resnetkit.recipes.demands import NO_DEMANDS, Demands


def test_each_threshold_is_replaced_where_something_is_demanded_of_it(make: Callable[..., Classifier]) -> None:
    plain = with_yardstick(make())
    own = demanding(plain, MIXED)
    assert demanding(own, NO_DEMANDS).decision == own.decision
    other = demanding(own, Demands(unknown_at=0.1)).decision
    assert other.unknown is not None
    assert own.decision.unknown is not None
    assert other.unknown.below < own.decision.unknown.below
    assert (other.sure, other.sets) == (own.decision.sure, own.decision.sets)
    sets = demanding(own, Demands(coverage=0.7, set_rule="aps")).decision.sets
    assert sets is not None
    assert (sets.rule, demanding(plain, Demands(coverage=0.7)).decision.sets) == ("aps", own.decision.sets)


def test_zero_takes_a_threshold_away_also_where_there_are_no_numbers(make: Callable[..., Classifier]) -> None:
    own = replace(demanding(with_yardstick(make()), MIXED), yardstick=None)
    assert own.decision.unknown is not None
    bare = demanding(own, Demands(unknown_at=0, coverage=0, precision_at=0))
    assert bare.decision == Decision()
    assert demanding(own, Demands(coverage=0)).decision == replace(own.decision, sets=None)


def test_the_temperature_is_the_classifiers(make: Callable[..., Classifier]) -> None:
    warm = with_yardstick(replace(make(), decision=Decision(2.0)))
    assert demanding(warm, MIXED).decision.temperature == 2
    assert demanding(warm.description, MIXED).decision == demanding(warm, MIXED).decision


def test_a_classifier_without_numbers_says_what_sets_thresholds(make: Callable[..., Classifier]) -> None:
    with pytest.raises(ResnetkitError, match=r"no images' numbers(.|\n)*resnetkit calibrate CLASSIFIER DATA"):
        demanding(make(), Demands(unknown_at=0.05))
