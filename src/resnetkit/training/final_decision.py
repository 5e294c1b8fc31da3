"""The decision of a run's classifier, fitted to its validation images and never to those of its test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Logits
from resnetkit.classifier.decision_words import iter_facts
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.fitted_decision import LEAST_IMAGES, fit_decision
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.events import Listener


def with_fitted_decision(
    classifier: Classifier,
    answers: Mapping[str, Answers],
    read: Mapping[str, Logits],
    recipe: Recipe,
    listener: Listener,
) -> Classifier:
    """A classifier with temperature and yardstick of its val images; as it is where there are none to fit them to.

    Args:
        answers: its answers by split, before.
        read: its logits ``(N, V, K)`` for the same images.
    """
    if "val" not in answers:
        return classifier
    if recipe.data.validation == "test":
        listener.message("temperature 1: val is the test split, to which nothing is fitted")
        return classifier
    val = answers["val"]
    is_new = ~val.trained_on
    if not is_new.any():
        listener.message("temperature 1: the weights were trained on all val images")
        if recipe.decision:
            listener.warning("decision has no effect: no val image is left to set thresholds by")
        return classifier
    source = f"val of {classifier.provenance['data']}"
    fitted = fit_decision(read["val"][is_new], val.labels[is_new], val.digests[is_new], source)
    num_images = f"{is_new.sum():,} val images"
    if is_new.sum() < LEAST_IMAGES:
        listener.message(f"temperature 1: it takes {LEAST_IMAGES} images to fit it to, there are {num_images}")
    else:
        listener.message(f"temperature {fitted.temperature:g}, fitted to {num_images}")
    decision, refusals = fitted.granted(recipe.decision)
    for heading, words in iter_facts(replace(decision, temperature=1.0)):
        listener.message(f"{heading}: {words}")
    for text in refusals:
        listener.warning(text)
    return replace(classifier, decision=decision, yardstick=fitted.yardstick)
