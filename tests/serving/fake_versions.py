"""Versions whose workers are soon started: each answers any image with the number that its file holds."""

from pathlib import Path

from tests.serving.known import PREPROCESSING

from resnetkit.classifier.description import Description
from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import CATALOG
from resnetkit.serving.opening import ToServe
from resnetkit.serving.settings import ServerSettings
from resnetkit.serving.version import Version
from resnetkit.serving.worker_process import WorkerProcess

CODE = """
import socket, struct, sys, time
from resnetkit.serving.channel import Channel
channel = Channel(socket.socket(fileno=int(sys.argv[1])))
value = channel.read().head["value"]
channel.send({"kind": "open"})
while (frame := channel.read()) is not None:
    if frame.head["kind"] == "end":
        break
    if frame.head["kind"] == "files":
        time.sleep(0.002)
        number = len(frame.blobs)
        numbers = struct.pack(f"{number}f", *[value] * number)
        rows = [{"status": "ok", "reason": "", "note": ""}] * number
        answer = {"kind": "answer", "number": frame.head["number"], "rows": rows, "shape": [number, 1, 1]}
        channel.send(answer, [numbers, numbers])
    elif frame.head["kind"] == "ping":
        channel.send({"kind": "pong", "busy_seconds": 0.0})
"""


async def open_fake_version(to_serve: ToServe, file: Path, settings: ServerSettings) -> Version:
    """In place of :func:`resnetkit.serving.version.open_version`; a file that holds no number is damaged."""
    text = file.read_text() if file.exists() else "nothing"
    if not text.isdigit():
        raise ResnetkitError(Code.WEIGHTS, f"{file.name} is {text}")
    process = await WorkerProcess.start(CODE, hang_seconds=settings.hang_seconds)
    await process.open({"value": int(text)})
    description = Description(CATALOG["resnet20"].spec, PREPROCESSING, (text,), {})
    return Version(text, description, "fake", process)
