"""A process that explains a classifier's answers; started when the first is asked for, because it loads torch."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resnetkit.classifier.demanding import demanding
from resnetkit.classifier.description import Description
from resnetkit.config import from_dict
from resnetkit.errors import Code, ResnetkitError, summarize
from resnetkit.explanation.explaining import iter_explanations
from resnetkit.explanation.explanation import Asked
from resnetkit.inference.conditions import find_conditions
from resnetkit.serving.channel import Channel, opened_or_told, work_for_parent
from resnetkit.serving.explained import explained
from resnetkit.serving.frames import Frame
from resnetkit.serving.messages import pack_failure
from resnetkit.serving.opening import VERSION_LENGTH, ToServe
from resnetkit.serving.served import DeadlinePassed
from resnetkit.sources.described import digest_of, open_described

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier


def main() -> None:
    """Open the classifier that the first frame names, tell that it is open, and explain until the socket ends."""
    work_for_parent(serve)


def serve(channel: Channel, order: Frame) -> None:
    """Open what is ordered and explain, one image at a time; an order that cannot be carried out is told."""
    to_serve = from_dict(ToServe, order.head["to_serve"])
    opened = opened_or_told(channel, lambda: _open(to_serve))
    if opened is None:
        return
    classifier, version = opened
    channel.send({"kind": "open", "version": version})
    with ThreadPoolExecutor(1) as pool:
        while (frame := channel.read()) is not None and frame.head["kind"] != "end":
            if frame.head["kind"] == "ping":
                channel.send({"kind": "pong", "busy_seconds": 0.0})  # what takes too long is ended by who asked
            elif frame.head["kind"] == "explain":
                pool.submit(_explain, channel, classifier, frame)


def _open(to_serve: ToServe) -> tuple[Classifier, str]:
    from resnetkit.classifier.classifier import load_classifier

    device = find_conditions(device=to_serve.device).device
    opened = demanding(open_described(to_serve.source, device=device, **to_serve.reading), to_serve.demands)
    version = digest_of(opened)[:VERSION_LENGTH]
    classifier = load_classifier(opened, device=device) if isinstance(opened, Description) else opened
    return replace(classifier, limits=to_serve.limits(classifier.limits)), version


def _explain(channel: Channel, classifier: Classifier, frame: Frame) -> None:
    head: dict[str, Any] = {"kind": "answer", "number": frame.head["number"]}
    try:
        if time.monotonic() > frame.head["deadline"]:
            raise DeadlinePassed("the deadline has passed before it was begun")
        values, pictures = explain_file(classifier, frame.blobs[0], frame.head["asked"])
        channel.send({**head, "values": values}, pictures)
    except (ResnetkitError, DeadlinePassed) as error:
        channel.send({**head, **pack_failure(error)})
    except Exception as error:  # whatever torch raises
        failure = ResnetkitError(Code.BUG, "the image could not be explained", why=summarize(error))
        channel.send({**head, **pack_failure(failure)})


def explain_file(classifier: Classifier, file: bytes, asked: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Explain the answer for an image file, as :func:`~resnetkit.serving.explained.explained` says.

    Args:
        asked: ``method``, ``class_name``, ``against`` and ``layer``, each optional.

    Raises:
        ResnetkitError: for what cannot be explained so, or an image that cannot be read.
    """
    question = Asked(
        (asked.get("method") or Asked().methods[0],),
        asked.get("layer"),
        asked.get("class_name"),
        asked.get("against"),
    )
    told: list[str] = []
    explanation = next(iter_explanations(classifier, [file], question, engine="torch", tell=told.append))
    if explanation.status == "error":
        raise ResnetkitError(Code.DATA, f"the image {explanation.reason}", fix="send another one")
    return explained(explanation, [text for text in told if text.startswith("warning: ")])
