"""A process that answers for one version of a classifier; started by :mod:`resnetkit.serving.worker_process`.

It is asked and answers on a socket, whose number is its argument, and ends with it: no worker outlives the process that
started it. Signals that are meant for all of a server's processes are left to that one, which has requests to answer.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from resnetkit.classifier.description import to_text
from resnetkit.config import from_dict
from resnetkit.errors import Code, ResnetkitError, summarize
from resnetkit.serving.answerer import Answerer, Outcome, Request
from resnetkit.serving.channel import Channel
from resnetkit.serving.frames import Frame
from resnetkit.serving.messages import pack_answers, pack_failure, unpack_pixels
from resnetkit.serving.opening import ToServe, open_to_serve
from resnetkit.serving.served import NotAnswered
from resnetkit.serving.settings import ServerSettings

START = "from resnetkit.serving.worker import main; main()"


def main() -> None:
    """Open the classifier that the first frame names, tell that it is open, and answer until the socket ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    order = channel.read()
    if order is not None:
        serve(channel, order)
    # Threads of other projects' libraries may not end, and nobody waits for anything any more.
    os._exit(0)


def serve(channel: Channel, order: Frame) -> None:
    """Open what is ordered and answer; an order that cannot be carried out is told."""
    settings = from_dict(ServerSettings, order.head["settings"])
    try:
        opened = open_to_serve(from_dict(ToServe, order.head["to_serve"]), max_batch_images=settings.max_batch_images)
    except ResnetkitError as error:
        channel.send({"kind": "not opened", **pack_failure(error)})
        return
    except Exception as error:  # whatever another project's code raises: the reason is worth more than a trace
        failure = ResnetkitError(Code.BUG, "the classifier could not be opened", why=summarize(error))
        channel.send({"kind": "not opened", **pack_failure(failure)})
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
