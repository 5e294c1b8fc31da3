"""Images in the report of a run: small pictures, the worst mistakes, and why they were made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from resnetkit.classifier.classifier import Classifier
from resnetkit.data.types import Split
from resnetkit.errors import summarize
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.mistakes import Mistake, worst_mistakes
from resnetkit.explanation.prepared import iter_pictures
from resnetkit.images.types import Indices
from resnetkit.inference.torch_engines import open_plain
from resnetkit.runs.report import THUMBNAIL_PX, Why
from resnetkit.runs.report_contents import Exhibits
from resnetkit.runs.report_images import draw_pictures

Tell = Callable[[str], None]


def exhibit(
    answers: Answers, split: Split, rows: Indices, root: str | None, classifier: Classifier, tell: Tell
) -> Exhibits:
    """Gather what a report shows of images; without pictures, and told why, where these fail: they end no run.

    Args:
        split: where the images at ``rows`` of the answers are, in the same order.
    """
    try:
        pictures = draw_pictures(answers, split, rows)
        mistakes = worst_mistakes(answers.select(rows), split)
    except Exception as error:
        tell(f"the report shows no images: {summarize(error)}")
        return Exhibits(answers, root=root, decision=classifier.decision)
    why = explain_mistakes(classifier, mistakes, tell)
    return Exhibits(answers, pictures, mistakes, why, root, classifier.decision)


def explain_mistakes(classifier: Classifier, mistakes: Sequence[Mistake], tell: Tell) -> list[Why]:
    """Draw why each mistake was made; nothing, and told why, where that fails."""
    asked = [(mistake.pixels, (mistake.true_name, mistake.predicted_name)) for mistake in mistakes]
    try:
        engine = open_plain(classifier, batch_size=1)
        return [Why(*pictures) for pictures in iter_pictures(classifier, engine, asked, side_px=THUMBNAIL_PX)]
    except Exception as error:
        tell(f"the report shows no heat maps of mistakes: {summarize(error)}")
        return []
