"""Words on what the thresholds of a decision come to, each beside what it was set for."""

from __future__ import annotations

from collections.abc import Iterator

from resnetkit.evaluation.decision_scores import DecisionScores, SetScores, SureScores, UnknownScores
from resnetkit.pages.formatting import plain_percent, set_percent

SHOWN_CLASSES = 5


def iter_facts(scores: DecisionScores) -> Iterator[tuple[str, str]]:
    """Yield what was measured, each under a heading; nothing of thresholds that there are not.

    >>> from resnetkit.evaluation.metrics import Accuracy
    >>> sure = SureScores(0.99, Accuracy.of(90, 90), Accuracy.of(90, 100))
    >>> for heading, words in iter_facts(DecisionScores(0.01, None, sure, None, None)):
    ...     print(f"{heading}: {words}")
    sure and right: 100.00 % (95 % interval 95.91 to 100.00, n = 90), set for 99 %
    sure: 90.00 % (95 % interval 82.56 to 94.48, n = 100)
    risk over cover: 1.000 %  (AURC: error of the surest answers, mean over how many)
    """
    if scores.unknown is not None:
        yield from _iter_unknown(scores.unknown)
    if (apart := scores.separation) is not None:
        counts = f"({apart.num_unknown:,} against {apart.num_known:,})"
        yield (
            "unknown images",
            f"AUROC {plain_percent(apart.auroc, 1)}, FPR95 {plain_percent(apart.fpr95, 1)}  {counts}",
        )
    if scores.sure is not None:
        yield from _iter_sure(scores.sure)
        words = "(AURC: error of the surest answers, mean over how many)"
        yield "risk over cover", f"{plain_percent(scores.aurc, 3)}  {words}"
    if scores.sets is not None:
        yield from _iter_sets(scores.sets)


def _iter_unknown(unknown: UnknownScores) -> Iterator[tuple[str, str]]:
    yield "called unknown", f"{unknown.rejected}, set for {set_percent(unknown.asked)}"
    if unknown.found is not None:
        yield "unknown found", str(unknown.found)


def _iter_sure(sure: SureScores) -> Iterator[tuple[str, str]]:
    right = "none is sure" if sure.precision is None else str(sure.precision)
    yield "sure and right", f"{right}, set for {set_percent(sure.asked)}"
    yield "sure", f"{sure.coverage}{' (unknown ones not left out)' if sure.counts_unknown else ''}"


def _iter_sets(sets: SetScores) -> Iterator[tuple[str, str]]:
    yield "sets that hold it", f"{sets.coverage}, set for {set_percent(sets.asked)} by {sets.rule}"
    yield "classes in a set", f"{sets.mean_size:.2f} on average"
    yield "sets of one class", str(sets.single)
    covers = [(entry.coverage.value, entry.name, entry.coverage) for entry in sets.classes if entry.coverage]
    missed = sorted(cover for cover in covers if cover[0] < sets.asked)
    for _, name, coverage in missed[:SHOWN_CLASSES] if len(covers) > 1 else ():
        yield "  least held", f"{name}: {coverage}"
