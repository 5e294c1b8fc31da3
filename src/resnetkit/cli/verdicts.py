"""Verdicts on runs that are compared by their answers, or by the scores of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resnetkit.pages.formatting import percent_digits, plain_percent
from resnetkit.terminal import say

if TYPE_CHECKING:
    from resnetkit.comparing.anything import Comparison
    from resnetkit.comparing.compared_answers import AnswersComparison, PairComparison
    from resnetkit.comparing.repeated_runs import RepeatsComparison

MOST_CLASSES = 5


def print_verdict(compared: Comparison) -> None:
    """Say which is better first of all; nothing of what has no answers and is no run."""
    if compared.answers is not None:
        _print_answers(compared.answers)
    if compared.repeats is not None:
        _print_repeats(compared.repeats)
    if compared.unanswered:
        say("VERDICT", f"None: {compared.unanswered}", "")


def _print_answers(compared: AnswersComparison) -> None:
    say("VERDICT", *compared.verdicts, "")
    say(f"on {compared.num_images:,} images that {'both' if len(compared.sides) == 2 else 'all'} answered:")
    for side in compared.sides:
        say(f"  {side.name}, {side.split}: top-1 {side.top1}")
    if len(compared.pairs) == 1:
        _print_pair(compared.pairs[0])
    else:
        say(f"p-values are corrected for {len(compared.pairs)} comparisons (Holm)")
    say(*(f"note  {note}" for note in compared.notes))
    say(
        "note  McNemar's exact test, at the 5 % level, decides; the paired bootstrap intervals tell by how much",
        "note  it speaks of these classifiers, not of ways to train: other seeds move scores too (train --seeds)",
        "",
    )


def _print_pair(pair: PairComparison) -> None:
    from resnetkit.cli.tables import print_table
    from resnetkit.comparing.compared_answers import in_points, p_words

    top1 = pair.top1
    say(f"right alone: {pair.a} {top1.num_lost:,} images, {pair.b} {top1.num_won:,}")
    rows = [
        ("top-1, points", in_points(top1.value, 2), f"{in_points(top1.low, 2)} to {in_points(top1.high, 2)}"),
        ("log loss, nats", *_plain(pair.log_loss.value, pair.log_loss.low, pair.log_loss.high)),
        ("calibration error, points", in_points(pair.calibration_error, 2), "–"),
    ]
    print_table((f"{pair.b} minus {pair.a}", "difference", "95 % interval"), rows, numbers=(1, 2))
    apart = [one for one in pair.classes if one.top1.num_lost or one.top1.num_won]
    if not apart:
        return
    classes = [
        (
            one.name,
            f"{one.num_images:,}",
            plain_percent(one.a, 1),
            plain_percent(one.b, 1),
            f"{one.top1.num_lost:,} : {one.top1.num_won:,}",
            p_words(one.p_corrected),
        )
        for one in apart[:MOST_CLASSES]
    ]
    columns = ("class", "images", pair.a, pair.b, "right alone", f"corrected for {len(pair.classes)} classes (Holm)")
    print_table(columns, classes, numbers=range(1, 6))
    if len(apart) > MOST_CLASSES:
        say(f"and {len(apart) - MOST_CLASSES} more classes with differences")


def _plain(value: float, low: float, high: float) -> tuple[str, str]:
    minus = "\N{MINUS SIGN}"
    value_words, *ends = (f"{number:.4f}".replace("-", minus) for number in (value, low, high))
    return value_words, " to ".join(ends)


def _print_repeats(compared: RepeatsComparison) -> None:
    say("VERDICT", compared.verdict, "")
    for side in (compared.a, compared.b):
        each = ", ".join(percent_digits(top1, 2) for top1 in side.top1)
        noun = compared.by[:-1] if len(side.top1) == 1 else compared.by
        say(f"  {side.name}: mean top-1 {plain_percent(side.mean, 2)} of {len(side.top1)} {noun} ({each})")
    say(*(f"note  {note}" for note in compared.notes), "")
