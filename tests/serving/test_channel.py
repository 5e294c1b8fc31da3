"""A worker's end of the socket to the process that started it."""

import os
import socket
import subprocess
import sys

from resnetkit.serving.frames import pack, read_frame

OPENING = """
import time
from resnetkit.serving.channel import opened_or_told, work_for_parent

def open_slowly(channel):
    channel.send({"kind": "opening"})
    time.sleep(60)

work_for_parent(lambda channel, order: opened_or_told(channel, lambda: open_slowly(channel)))
"""


def test_a_process_that_is_still_opening_ends_with_the_one_that_started_it() -> None:
    """It measures engines then, which takes long, and reads nothing."""
    ours, theirs = socket.socketpair()
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    command = [sys.executable, "-c", OPENING, str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONPATH": paths}) as process:
        theirs.close()
        try:
            ours.sendall(b"".join(pack({"kind": "open"})))
            frame = read_frame(ours.makefile("rb"), max_bytes=1000)
            assert frame is not None
            assert frame.head["kind"] == "opening"
            assert process.poll() is None
            ours.close()
            assert process.wait(30) == 0
        finally:
            process.kill()
