"""Words about a file, for people before they use it."""

from __future__ import annotations

from typing import Any

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.classifier.decision_words import iter_facts
from resnetkit.classifier.reference_check import check_reference
from resnetkit.errors import require
from resnetkit.models.catalog import CATALOG
from resnetkit.models.catalog.entry import Entry
from resnetkit.pages.formatting import plain_percent
from resnetkit.sources.locate import Source, locate_weights
from resnetkit.sources.weights import Weights, open_weights, say_preprocessing
from resnetkit.weights.identification import Identification

MANY_NAMES = 10


def report_on(source: Source, *, entry: str | None = None) -> tuple[Entry | None, dict[str, Any]]:
    """The network in a run folder, classifier or weight file, and what the file is as ``{heading: lines}``.

    The network is None where the file leaves open which one it is.

    Args:
        entry: which of several networks a checkpoint holds.

    Raises:
        ResnetkitError: for a file that is missing, damaged or unknown.
    """
    located = locate_weights(source)
    if located.is_own:
        require(
            entry is None, f"{located.text} is a classifier and has one entry of its own", fix="leave the entry out"
        )
        classifier = load_classifier(located.description or located.file)
        spec, size = classifier.network.spec, classifier.preprocessing.image_size_px
        return Entry(spec, size, "the network of this classifier"), _of_classifier(located.text, classifier)
    weights = open_weights(located, entry=entry)
    decided = weights.identification.decided
    report = _of_weights(located.text, weights)
    if decided is None:
        return None, report
    preprocessing, is_known = weights.preprocessing(decided)
    report["images"] = say_preprocessing(preprocessing) + ("" if is_known else " (assumed: the file does not say)")
    base = CATALOG[decided.name.partition("[")[0]]
    return Entry(decided.spec, preprocessing.image_size_px, base.summary), report


def _of_classifier(source: str, classifier: Classifier) -> dict[str, Any]:
    origin = [f"{key}: {value}" for key, value in classifier.provenance.items() if isinstance(value, str | int | float)]
    check = check_reference(classifier)
    return {
        "file": source,
        "kind": "a classifier of this project",
        "classes": _classes(classifier.class_names),
        "images": say_preprocessing(classifier.preprocessing),
        **dict(iter_facts(classifier.decision, classifier.yardstick)),
        "origin": origin,
        **({} if check is None else {"checked": str(check)}),
    }


def _of_weights(source: str, weights: Weights) -> dict[str, Any]:
    file, provenance = weights.file, weights.origin.provenance
    count = sum(tensor.numel() for tensor in weights.native.tensors.values())
    found = weights.identification
    first = found.all_candidates[0].spec if found.all_candidates else None
    names = weights.origin.class_names
    classes = _say_head(weights, None if first is None else first.num_classes)
    report: dict[str, Any] = {
        "file": source,
        "kind": f"weights ({file.format}, named as in {weights.native.naming}): {len(file.tensors)} tensors, "
        f"{count:,} numbers",
        "sha256": provenance["sha256"],
        "network": _networks(found),
        "classes": _classes(names) if names else classes,
    }
    if "origin" in provenance:
        top1 = provenance.get("published_top1")
        score = "" if top1 is None else f", {plain_percent(top1, 2)} top-1 as published"
        report["origin"] = f"{provenance['origin']}, {provenance['data']}{score}"
    elif "revision" in provenance:
        report["origin"] = f"{provenance['weights']}, revision {provenance['revision']}"
    if weights.native.notes:
        report["read"] = list(weights.native.notes)
    return report


def _say_head(weights: Weights, num_classes: int | None) -> str:
    """Say what a head without class names answers, or that it is none of a kind that a network here has."""
    if num_classes is not None:
        return f"{num_classes}, not named in the file"
    head = [name for name in weights.native.tensors if name.startswith("fc.")]
    if not head:
        return "no head"
    return f"a head that no network here has ({', '.join(head)}); resnetkit train --reset-head replaces it"


def _networks(found: Identification) -> list[str]:
    """Say what it is and why, or what it can be and what would tell."""
    reasons = [f"({reason})" for reason in found.reasons]
    if found.decided is not None:
        return [found.decided.name, *reasons]
    if found.contradiction is not None:
        return [f"a contradiction: {found.contradiction.says}, which its tensors do not fit"]
    if not found.candidates:
        return ["none that is known: no network of the catalog has these tensors, whatever its depths and widths"]
    names = [f"{c.name}: {CATALOG[c.name.partition('[')[0]].summary}" for c in found.candidates]
    return [*names, *reasons, "all of these have the same tensors: say which it is with --model where you use the file"]


def _classes(names: tuple[str, ...]) -> str:
    more = f", … ({len(names)})" if len(names) > MANY_NAMES else ""
    return ", ".join(names[:MANY_NAMES]) + more
