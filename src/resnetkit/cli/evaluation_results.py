"""Results of ``evaluate``: scores with their intervals, and what the thresholds of a decision come to; text or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resnetkit.pages.formatting import percent_digits, plain_percent
from resnetkit.terminal import say

if TYPE_CHECKING:
    from resnetkit.classifier.decision import Decision
    from resnetkit.data.seen import SeenImages
    from resnetkit.evaluation.decision_scores import DecisionScores
    from resnetkit.evaluation.metrics import Scores
    from resnetkit.evaluation.scoring import Evaluation


def as_json(
    evaluation: Evaluation, seen: SeenImages | None, classifier: str, source: str, precision: str
) -> dict[str, Any]:
    """All that was measured as one object; scores are null where no image is unseen."""
    import dataclasses

    from resnetkit.config import to_dict
    from resnetkit.evaluation.metrics import Scores

    nothing = dict.fromkeys(field.name for field in dataclasses.fields(Scores))
    return {
        "classifier": classifier,
        "data": source,
        "split": evaluation.split,
        "computed_in": precision,
        "left_out": [{"path": bad.path, "reason": bad.reason} for bad in evaluation.bad_images],
        "knows_its_images": seen is not None and seen.is_complete,
        "num_trained_on": evaluation.num_trained_on,
        "num_chose": evaluation.num_chose,
        "num_fitted": evaluation.num_fitted,
        "trained_on": None if evaluation.trained_on is None else to_dict(evaluation.trained_on),
        **(nothing if evaluation.scores is None else to_dict(evaluation.scores)),
    }


# By whether images have set the temperature, and whether thresholds.
SET = {
    (True, True): "the temperature and thresholds: these hold",
    (True, False): "the temperature: it holds",
    (False, True): "the thresholds: these hold",
}


def print_evaluation(
    evaluation: Evaluation, decided: DecisionScores | None, decision: Decision, seen: SeenImages | None
) -> None:
    """Tell what the images are to the weights, then the scores of those that they were not trained on."""
    num_images, old = evaluation.num_images, evaluation.trained_on
    if seen is None:
        say("the classifier does not say what it was trained on: these images may be among it")
    elif not seen.is_complete:
        say("training started from weights that do not say what they were trained on")
    if old is not None and evaluation.scores is None:
        say(f"no unseen images: the weights were trained on all {num_images:,}, and no score of them says more")
        _print_scores(old)
        return
    if old is not None:
        say(f"{old.top1.num_images:,} of {num_images:,} images were trained on; the scores are of the others")
        say(f"trained on        {old.top1}")
    if evaluation.num_chose:
        say(f"{evaluation.num_chose:,} of them watched over training and chose the epoch: a little optimistic")
    if evaluation.num_fitted:
        what = SET[decision.temperature != 1, decision.has_thresholds]
        say(f"{evaluation.num_fitted:,} of them set {what} a little better on them")
    assert evaluation.scores is not None
    _print_scores(evaluation.scores)
    if decided is not None:
        _print_decision(decided)


def _print_scores(scores: Scores) -> None:
    from resnetkit.cli.tables import print_table
    from resnetkit.evaluation.metrics import confused_pairs

    say(f"top-1             {scores.top1}")
    if scores.top5 is not None:
        say(f"top-5             {scores.top5}")
    say(f"log loss          {scores.log_loss:.4f} nats")
    say(f"calibration error {plain_percent(scores.expected_calibration_error, 2)}  (15 bins)")
    say(f"macro F1          {scores.macro_f1:.4f}")
    lines = []
    mistaken = {pair.true_name: pair for pair in reversed(confused_pairs(scores))}  # the most frequent stays
    for entry in scores.classes:
        worst = mistaken.get(entry.name)
        lines.append(
            (
                entry.name,
                f"{entry.num_images:,}",
                _share(entry.precision),
                _share(entry.recall),
                f"{percent_digits(entry.recall_low, 1)} to {percent_digits(entry.recall_high, 1)}"
                if entry.num_images
                else "–",
                "–" if entry.f1 is None else f"{entry.f1:.3f}",
                f"{worst.predicted_name} ({worst.num_images:,})" if worst else "",
            )
        )
    columns = ("class", "images", "precision", "recall", "95 % interval", "F1", "mostly taken for")
    print_table(columns, lines, numbers=range(1, 6))


def _share(value: float | None) -> str:
    return "–" if value is None else plain_percent(value, 1)


def _print_decision(scores: DecisionScores) -> None:
    from resnetkit.evaluation.decision_score_words import iter_facts

    for heading, words in iter_facts(scores):
        say(f"{heading:<17} {words}")
