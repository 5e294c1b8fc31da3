"""Words on how a classifier makes answers of logits."""

from __future__ import annotations

from collections.abc import Iterator

from resnetkit.classifier.decision import Decision
from resnetkit.classifier.yardstick import Yardstick
from resnetkit.pages.formatting import plain_percent, set_percent


def iter_facts(decision: Decision, yardstick: Yardstick | None = None) -> Iterator[tuple[str, str]]:
    """Yield what there is to say, each under a heading; nothing of what is as usual.

    Args:
        yardstick: of the classifier, to say which images set the thresholds.

    >>> from resnetkit.classifier.decision import Sets, Unknown
    >>> for fact in iter_facts(Decision(1.75, Unknown(2.5, 0.05), sets=Sets("lac", 0.9, 0.95))):
    ...     print(*fact, sep=": ")
    temperature: 1.75
    unknown: like none of its classes; 5 % of images of its classes may be called so
    sets: hold the true class of 95 % of images (lac)
    """
    if decision.temperature != 1:
        yield "temperature", f"{decision.temperature:.3g}"
    if decision.unknown is not None:
        share = f"{set_percent(decision.unknown.rate)} of images of its classes may be called so"
        yield "unknown", f"like none of its classes; {share}"
    if decision.sure is not None:
        share = f"of the other answers {set_percent(decision.sure.precision)} are to be right"
        yield "unsure", f"less than {plain_percent(decision.sure.least)} probable; {share}"
    if decision.sets is not None:
        yield "sets", f"hold the true class of {set_percent(decision.sets.coverage)} of images ({decision.sets.rule})"
    if yardstick is not None:
        yield "thresholds by", f"{yardstick.num_images:,} images: {yardstick.images}"
