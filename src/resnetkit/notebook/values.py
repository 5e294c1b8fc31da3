"""Each kind of value as notebooks show it: small, self-contained HTML from a template, all names in it escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from resnetkit.classifier.decision_words import iter_facts
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation import decision_score_words
from resnetkit.pages.charts import share_bar
from resnetkit.pages.formatting import duration, plain_percent
from resnetkit.pages.raster import photo_image
from resnetkit.pages.templates import fill_template

if TYPE_CHECKING:
    from resnetkit.anatomy.table import Description
    from resnetkit.classifier.classifier import Classifier
    from resnetkit.classifier.prediction import Prediction, Predictor
    from resnetkit.comparing.anything import Comparison
    from resnetkit.evaluation.metrics import ConfusedPair, Scores
    from resnetkit.evaluation.scoring import Evaluation
    from resnetkit.explanation.explanation import Explanation
    from resnetkit.explanation.pictures import Panel
    from resnetkit.images.types import BadImage, UInt8Images
    from resnetkit.runs.result import Result

Filters = Mapping[str, Callable[..., Any]]

MAX_PREDICTIONS = 20
MAX_EXPLANATIONS = 6
MAX_MAP_CLASSES = 15  # a confusion matrix of more would be too much for one output
MAX_PAIRS = 10
PICTURE_PX = 280
THUMBNAIL_PX = 48
WORDS = {"train": "training", "val": "validation", "test": "test", "all": ""}


def html_of(value: Any) -> str:
    """The HTML of a value of one of the classes of :data:`SHOWN`."""
    kind = type(value)
    return SHOWN[f"{kind.__module__}.{kind.__qualname__}"](value)


def show_network(table: Description) -> str:
    """A network's table, stage by stage."""
    return _fill("network", table)


def show_classifier(classifier: Classifier) -> str:
    """Classes and images of a classifier, where it comes from, and its network."""
    from resnetkit.anatomy.table import describe

    table = describe(classifier.network.spec, classifier.preprocessing.image_size_px)
    told = [*_of_images(classifier), ("on", str(classifier.device)), *_provenance(classifier.provenance)]
    warnings = tuple(classifier.provenance.get("warnings", ()))
    return _fill("classifier", classifier, kind="Classifier", told=told, warnings=warnings, table=table)


def show_predictor(predictor: Predictor) -> str:
    """Classes and images of a predictor, and what computes for it."""
    told = [*_of_images(predictor), ("computed by", predictor.engine.name)]
    return _fill("classifier", predictor, kind="Predictor", told=told, warnings=(), table=None)


def show_predictions(predictions: Sequence[Prediction]) -> str:
    """A row for each image with a small picture, where it is a file that can be read."""
    filters: Filters = {"share_bar": share_bar, "thumbnail": _thumbnail}
    has_sets = any(one.classes is not None for one in predictions)
    return _fill("predictions", predictions, filters, most=MAX_PREDICTIONS, has_sets=has_sets)


def show_evaluation(evaluation: Evaluation) -> str:
    """Scores with their intervals, what to note, and what is confused."""
    return _fill("evaluation", evaluation, {"confusion": _confusion, "left_out": _left_out}, words=WORDS)


def show_result(result: Result) -> str:
    """Scores of a run with their intervals, its curves, and where it is; less where its folder is no longer there."""
    from resnetkit.runs.report_curves import learning_curves
    from resnetkit.runs.result import warnings_about_recall

    told, warnings = [("training", duration(result.seconds)), ("run", str(result.run))], []
    promises = [] if result.decided is None else list(decision_score_words.iter_facts(result.decided))
    curves: list[Markup] = []
    with suppress(ResnetkitError, OSError):
        recipe = result.folder.read_record().recipe
        told[:0] = [("network", recipe.model_name), ("recipe", recipe.name)]
        if result.folder.report_file.is_file():
            told.append(("report", str(result.folder.report_file)))
        if result.judged_split is not None:
            warnings = warnings_about_recall(recipe, result.judged_split, result.scores[result.judged_split])
        curves = learning_curves(result.folder.events("epoch"))[:2]  # the report has the learning rate too
    filters: Filters = {"confusion": _confusion, "left_out": _left_out}
    return _fill("result", result, filters, told=told + promises, warnings=warnings, curves=curves, words=WORDS)


def show_explanations(explanations: Sequence[Explanation]) -> str:
    """Pictures of what the network saw of each image, its maps, and the probabilities."""
    from resnetkit.explanation.page import panel_image
    from resnetkit.explanation.words import iter_shares, tell_answer, tell_question

    filters: Filters = {
        "panels": _panels,
        "photo": panel_image,
        "answer": tell_answer,
        "question": tell_question,
        "shares": iter_shares,
        "share_bar": share_bar,
    }
    return _fill("explanations", explanations, filters, most=MAX_EXPLANATIONS)


def show_comparison(comparison: Comparison) -> str:
    """Differences between two networks, files or runs, and why they matter."""
    return _fill("comparison", comparison)


SHOWN: Mapping[str, Callable[[Any], str]] = {
    "resnetkit.anatomy.table.Description": show_network,
    "resnetkit.classifier.classifier.Classifier": show_classifier,
    "resnetkit.classifier.prediction.Predictor": show_predictor,
    "resnetkit.classifier.prediction.Prediction": lambda one: show_predictions([one]),
    "resnetkit.classifier.prediction.Predictions": show_predictions,
    "resnetkit.evaluation.scoring.Evaluation": show_evaluation,
    "resnetkit.runs.result.Result": show_result,
    "resnetkit.explanation.explanation.Explanation": lambda one: show_explanations([one]),
    "resnetkit.explanation.explanation.Explanations": show_explanations,
    "resnetkit.comparing.anything.Comparison": show_comparison,
}
"""The function that shows a value, by the whole name of its class: no room is loaded for values that are not there."""


def _fill(template: str, value: Any, filters: Filters | None = None, **values: Any) -> str:
    return fill_template(f"notebook/{template}.html.jinja", filters, value=value, **values)


def _of_images(classifier: Classifier | Predictor) -> list[tuple[str, str]]:
    wanted = classifier.preprocessing
    size, colours = wanted.image_size_px, "grey" if wanted.channels == 1 else "colour"
    told = [("images", f"{size} × {size} px, {colours}, {wanted.fit}")]
    if wanted.average_mirrored:
        told.append(("answers", "averaged with the mirror image's"))
    return [*told, *iter_facts(classifier.decision)]


def _provenance(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The few lines of where a classifier comes from that fit beside one another."""
    plain = {key: value for key, value in provenance.items() if isinstance(value, str | int | float)}
    top1 = plain.pop("val_top1", None)
    told = [(key.replace("_", " "), str(value)) for key, value in plain.items() if key != "data_fingerprint"]
    return told + ([] if top1 is None else [("validation top-1", plain_percent(float(top1), 2))])


def _confusion(scores: Scores) -> tuple[Markup | None, list[ConfusedPair]]:
    from resnetkit.evaluation.metrics import confused_pairs
    from resnetkit.pages.matrices import heat_map

    names, pairs = [one.name for one in scores.classes], confused_pairs(scores)[:MAX_PAIRS]
    is_drawn = len(names) <= MAX_MAP_CLASSES
    return (heat_map(scores.confusion_matrix.tolist(), names, names) if is_drawn else None), pairs


def _left_out(images: Sequence[BadImage]) -> list[str]:
    return [f"{bad.path}: {bad.reason}" for bad in images]


def _thumbnail(prediction: Prediction) -> Markup | str:
    """A small picture of a file that was answered for; nothing where it cannot be shown (any more)."""
    from pathlib import Path

    from resnetkit.images.decoding import decode_pixels
    from resnetkit.images.spec import Limits
    from resnetkit.images.types import UnreadableImage

    if prediction.status == "error" or not Path(prediction.source).is_file():
        return ""
    with suppress(UnreadableImage, OSError):
        return _small(decode_pixels(prediction.source, Limits(), 3, THUMBNAIL_PX))
    return ""


def _small(pixels: UInt8Images) -> Markup:
    # For screens with two pixels for each.
    return photo_image(pixels, "", longest_px=2 * THUMBNAIL_PX, css="thumbnail")


def _panels(explanation: Explanation) -> Sequence[Panel]:
    from resnetkit.explanation.pictures import iter_panels

    return tuple(iter_panels(explanation, shortest_px=PICTURE_PX, longest_px=PICTURE_PX))
