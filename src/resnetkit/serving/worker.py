"""A process that answers for one version of a classifier, as it is asked by another."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from resnetkit.classifier.description import to_text
from resnetkit.config import from_dict
from resnetkit.serving.answerer import Answerer, Outcome, Request
from resnetkit.serving.channel import Channel, opened_or_told, work_for_parent
from resnetkit.serving.frames import Frame
from resnetkit.serving.messages import pack_answers, pack_failure, unpack_pixels
from resnetkit.serving.opening import ToServe, open_to_serve
from resnetkit.serving.served import NotAnswered
from resnetkit.serving.settings import ServerSettings

START = "from resnetkit.serving.worker import main; main()"


def main() -> None:
    """Open the classifier that the first frame names, tell that it is open, and answer until the socket ends."""
    work_for_parent(serve)


def serve(channel: Channel, order: Frame) -> None:
    """Open what is ordered and answer; an order that cannot be carried out is told."""
    settings, to_serve = from_dict(ServerSettings, order.head["settings"]), from_dict(ToServe, order.head["to_serve"])
    opened = opened_or_told(channel, lambda: open_to_serve(to_serve, max_batch_images=settings.max_batch_images))
    if opened is None:
        return
    if opened.is_heavier_than_needed and order.head["may_begin_again"]:
        channel.send({"kind": "beginning again"})
        os.execv(sys.executable, [sys.executable, "-c", START, sys.argv[1]])
    about = {"kind": "open", "version": opened.version, "engine": opened.predictor.engine.name}
    channel.send(about, [to_text(opened.description).encode()])
    answer(channel, Answerer(opened.predictor, settings))


def answer(channel: Channel, answerer: Answerer) -> None:
    """Hand on what is asked until nothing more is; then, what was asked is answered."""
    asked: dict[int, Request] = {}
    while (frame := channel.read()) is not None:
        match frame.head["kind"]:
            case "ping":
                channel.send({"kind": "pong", "busy_seconds": answerer.busy_seconds})
            case "give up":
                request = asked.get(frame.head["number"])
                if request is not None:
                    request.end(NotAnswered("it was given up"))
            case "files":
                request = _request(channel, frame, len(frame.blobs), asked)
                answerer.ask_files(request, frame.blobs)
            case "pixels":
                pixels = unpack_pixels(frame)
                answerer.ask_pixels(_request(channel, frame, len(pixels), asked), pixels)
            case "end":
                answerer.close()
                return
            case other:
                raise AssertionError(f"a frame of the unknown kind '{other}'")


def _request(channel: Channel, frame: Frame, num_images: int, asked: dict[int, Request]) -> Request:
    number: int = frame.head["number"]
    request = Request(num_images, frame.head["deadline"], _telling(channel, number, asked))
    asked[number] = request
    return request


def _telling(channel: Channel, number: int, asked: dict[int, Request]) -> Callable[[Outcome], None]:
    def tell(outcome: Outcome) -> None:
        asked.pop(number, None)
        head: dict[str, Any] = {"kind": "answer", "number": number}
        if isinstance(outcome, NotAnswered):
            channel.send({**head, **pack_failure(outcome)})
        else:
            values, blobs = pack_answers(outcome)
            channel.send({**head, **values}, blobs)

    return tell
