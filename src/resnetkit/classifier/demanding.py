"""Demands on the answers of a classifier, met by the images that its file keeps the numbers of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from resnetkit.classifier.decision import Decision
from resnetkit.errors import Code, ResnetkitError
from resnetkit.recipes.demands import Demands

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier
    from resnetkit.classifier.description import Description

Said = TypeVar("Said", bound="Classifier | Description")


def demanding(said: Said, demands: Demands) -> Said:
    """The same classifier, or description of one, with the thresholds that are demanded in place of its own.

    Those that nothing is demanded of stay as they are; see :class:`~resnetkit.recipes.demands.Demands`.

    Raises:
        ResnetkitError: where it keeps no numbers to set them by, or those of too few images.
    """
    own, made = said.decision, Decision()
    if any((demands.unknown_at, demands.coverage, demands.precision_at)):
        if said.yardstick is None:
            raise ResnetkitError(
                Code.DATA,
                "the classifier keeps no images' numbers that thresholds could be set by",
                why="it is of an earlier version, or of another program, or was trained without validation images",
                fix="set them by labelled images that it was not trained on: "
                "resnetkit calibrate CLASSIFIER DATA --out FILE, then use that file",
            )
        made = said.yardstick.decision(own.temperature, demands)
    decision = replace(
        own,
        unknown=own.unknown if demands.unknown_at is None else made.unknown,
        sure=own.sure if demands.precision_at is None else made.sure,
        sets=own.sets if demands.coverage is None else made.sets,
    )
    return replace(said, decision=decision)
