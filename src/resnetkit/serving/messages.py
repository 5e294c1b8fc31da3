"""Requests, answers and failures as frames, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from resnetkit.classifier.decision import Mask
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.types import UInt8Images
from resnetkit.serving.frames import DamagedFrame, Frame
from resnetkit.serving.served import DeadlinePassed, ImageAnswer, NotAnswered, NotReady, Overloaded, WorkerLost

Packed = tuple[dict[str, Any], list[bytes | memoryview]]
FAILURES = {kind.__name__: kind for kind in (NotAnswered, Overloaded, NotReady, WorkerLost, DeadlinePassed)}


def pack_answers(answers: list[ImageAnswer]) -> Packed:
    """The head and blobs of a request's answers; the numbers are together, float32, and sets behind them, if any."""
    rows = [{"status": each.status, "reason": each.reason, "note": each.note} for each in answers]
    probabilities = [each.probabilities for each in answers if each.probabilities is not None]
    logits = [each.logits for each in answers if each.logits is not None]
    in_sets = [each.in_set for each in answers if each.in_set is not None]
    if not logits:
        return {"rows": rows, "shape": None}, []
    joined = np.stack(probabilities), np.stack(logits)
    blobs: list[bytes | memoryview] = [np.ascontiguousarray(each, np.float32).tobytes() for each in joined]
    if in_sets:
        blobs.append(np.stack(in_sets).tobytes())
    return {"rows": rows, "shape": list(joined[1].shape)}, blobs


def unpack_answers(frame: Frame) -> list[ImageAnswer]:
    """The answers of a request, in order.

    Raises:
        DamagedFrame: where the numbers are not those of so many answers.
    """
    try:
        rows = frame.head["rows"]
        num_read = sum(row["status"] != "error" for row in rows)
        if not num_read:
            return [ImageAnswer("error", row["reason"]) for row in rows]
        number, views, classes = frame.head["shape"]
        if number != num_read:
            raise DamagedFrame(f"numbers for {number} of {num_read} images")
        probabilities = np.frombuffer(frame.blobs[0], np.float32).reshape(number, classes)
        logits = np.frombuffer(frame.blobs[1], np.float32).reshape(number, views, classes)
        in_sets = [None] * number if len(frame.blobs) == 2 else _masks(frame.blobs[2], number, classes)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedFrame(f"answers that do not fit together: {error!r}") from None
    numbers = zip(probabilities, logits, in_sets, strict=True)
    return [
        ImageAnswer("error", row["reason"])
        if row["status"] == "error"
        else ImageAnswer(row["status"], "", row["note"], *next(numbers))
        for row in rows
    ]


def _masks(blob: bytes, number: int, classes: int) -> Sequence[Mask | None]:
    return list(np.frombuffer(blob, np.bool_).reshape(number, classes))


def pack_pixels(pixels: UInt8Images) -> Packed:
    """The head and blob of prepared images, uint8 ``(N, C, S, S)``."""
    return {"shape": list(pixels.shape)}, [np.ascontiguousarray(pixels).tobytes()]


def unpack_pixels(frame: Frame) -> UInt8Images:
    """The prepared images of a request."""
    pixels: UInt8Images = np.frombuffer(frame.blobs[0], np.uint8).reshape(frame.head["shape"])
    return pixels


def pack_failure(error: NotAnswered | ResnetkitError) -> dict[str, Any]:
    """The head of a failure."""
    if isinstance(error, ResnetkitError):
        return {"failure": "ResnetkitError", **error.as_dict()}
    after = {"retry_after_seconds": error.retry_after_seconds} if isinstance(error, Overloaded) else {}
    return {"failure": type(error).__name__, "why": str(error), **after}


def unpack_failure(head: dict[str, Any]) -> NotAnswered | ResnetkitError | None:
    """The failure that a frame tells of, to be raised; None where it tells of none."""
    match head.get("failure"):
        case None:
            return None
        case "ResnetkitError":
            return ResnetkitError(Code(head["code"]), head["what"], why=head["why"], fix=head["fix"])
        case name:
            kind = FAILURES.get(name, NotAnswered)
            if issubclass(kind, Overloaded):
                return kind(head["why"], head["retry_after_seconds"])
            return kind(head["why"])
