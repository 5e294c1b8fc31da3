"""Front matter of a model card, which the hub reads: with scores in the form of ``model-index``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from resnetkit.evaluation.metrics import Accuracy, Scores
from resnetkit.pages.formatting import percent_digits
from resnetkit.publishing.subject import Subject
from resnetkit.runs.record import Record
from resnetkit.sources.hub import NAME
from resnetkit.terminal import shown


def front_matter(subject: Subject) -> Iterator[str]:
    """Lines of YAML, of which JSON is a part."""
    values: dict[str, Any] = {} if subject.license is None else {"license": subject.license}
    values |= {
        "library_name": "timm" if subject.timm_name else "resnetkit",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "resnet", "resnetkit", *(["timm"] if subject.timm_name else [])],
    }
    if base := _base_model(subject.record):
        values["base_model"] = base
    data = shown(subject.data_name)
    results: list[dict[str, Any]] = [
        {
            "task": {"type": "image-classification"},
            "dataset": {"name": data, "type": data, "split": split},
            "metrics": _metrics(scores),
        }
        for split, scores in subject.result.scores.items()
    ]
    if results:
        values["model-index"] = [{"name": subject.repo.partition("/")[2], "results": results}]
    yield "---"
    for name, value in values.items():
        yield f"{name}: {json.dumps(value, ensure_ascii=False)}"
    yield "---"


def _metrics(scores: Scores) -> list[dict[str, Any]]:
    shares = {"accuracy": ("top-1 accuracy", scores.top1), "top_5_accuracy": ("top-5 accuracy", scores.top5)}
    metrics: list[dict[str, Any]] = [
        {"type": kind, "value": share.value, "name": f"{name} ({say_interval(share)})"}
        for kind, (name, share) in shares.items()
        if share is not None
    ]
    return [*metrics, {"type": "f1", "value": scores.macro_f1, "name": "macro F1"}]


def _base_model(record: Record) -> str | None:
    """The repository that training started from, where it was one of the hub."""
    found = NAME.fullmatch(record.recipe.fine_tuning.weights or "")
    return None if found is None else found["repo"]


def say_interval(share: Accuracy) -> str:
    """Say how sure a share is."""
    return f"95 % interval {say_range(share.low, share.high)}, n = {share.num_images:,}"


def say_range(low: float, high: float) -> str:
    """Two shares in per cent."""
    return f"{percent_digits(low, 2)} to {percent_digits(high, 2)}"
