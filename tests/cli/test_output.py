"""Every command with every output that a shell can give it: never a bug, and never another exit code than it says."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pytest
from PIL import Image

from resnetkit.anatomy import memory, table
from resnetkit.benchmarking import suite
from resnetkit.cli import demo, predict
from resnetkit.cli.app import main
from resnetkit.cli.streams import safe_streams
from resnetkit.comparing import anything
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result
from resnetkit.terminal import say
from resnetkit.training import run

COMMANDS = {
    "help": ["--help"],
    "help of a command": ["train", "--help"],
    "version": ["--version"],
    "nothing": [],
    "models": ["models", "tutorial"],
    "models --json": ["models", "tutorial", "--json"],
    "describe": ["describe", "tutorial_preact"],
    "describe --draw": ["describe", "tutorial_preact", "--draw", "blocks"],
    "compare": ["compare", "resnet20", "plain20"],
    "predict": ["predict", "{run}", "{images}", "--engine", "torch"],
    "predict csv": ["predict", "{run}", "{images}", "--engine", "torch", "--format", "csv"],
    "predict jsonl": ["predict", "{run}", "{images}", "--engine", "torch", "--format", "jsonl"],
    "evaluate": ["evaluate", "{run}", "--engine", "torch"],
    "train": ["train", "digits"],
    "train --json": ["train", "digits", "--json"],
    "demo": ["demo"],
    "convert": ["convert", "{run}", "{new}.safetensors"],
    "benchmark": [
        "benchmark",
        "resnet20",
        "--only",
        "predict",
        "-b",
        "1",
        "--image-size",
        "8",
        "--seconds",
        "0.01",
        "--rounds",
        "1",
    ],
    "an error": ["describe", "resnet51\x1b[2J"],
    "an error --json": ["evaluate", "nowhere", "--json"],
    "usage": ["describe"],
}
# Those that compute, and say what they say as others do.
THOROUGH = ("predict csv", "evaluate", "train --json", "demo", "convert", "benchmark", "compare", "describe --draw")
EXIT_CODES = {"nothing": 2, "usage": 2, "an error": 2, "an error --json": 4}
ENCODINGS = ("ascii", "latin-1", "cp1252", "koi8-r", "gbk")


@dataclass
class Outcome:
    """What a command did; the streams are empty where nothing could be written."""

    code: int
    out: bytes
    err: bytes


def once(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is computed the first time, and then gives the same again."""
    given: list[Any] = []

    def remembered(*args: object, **kwargs: object) -> Any:
        given.extend([] if given else [function(*args, **kwargs)])
        return given[0]

    return remembered


@pytest.fixture
def call(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs a command of the table with the given streams; its training has been done before."""
    images, new = tmp_path / "images", tmp_path / "new"
    images.mkdir()
    for name in ("a.png", "Кот…\x1b[2J.png", "caf\udce9.png"):
        Image.new("L", (8, 8)).save(images / name, format="PNG")
    (tmp_path / "Прогон…").symlink_to(trained)
    result = finished_result(RunFolder(tmp_path / "Прогон…"))
    monkeypatch.setattr(run, "train", lambda *_, **__: result)
    monkeypatch.setattr(demo, "_write_samples", lambda _: images)
    monkeypatch.setattr(predict, "predict", partial(predict.predict, engine="torch"))  # for demo
    for module, slow in (
        (suite, "run_benchmark"),
        (anything, "compare"),
        (table, "describe"),
        (memory, "measure_memory"),
    ):
        monkeypatch.setattr(module, slow, once(getattr(module, slow)))

    def outcome(name: str, out: TextIO | None, err: TextIO | None) -> Outcome:
        Path(f"{new}.safetensors").unlink(missing_ok=True)
        words = [word.format(run=trained, images=images, new=new) for word in COMMANDS[name]]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["resnetkit", *words])
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            with pytest.raises(SystemExit) as exited:
                main()
        return Outcome(int(exited.value.code or 0), content(out), content(err))

    return outcome


def in_memory(encoding: str = "utf-8") -> TextIO:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


def content(stream: TextIO | None) -> bytes:
    buffer = getattr(stream, "buffer", None)
    return buffer.getvalue() if isinstance(buffer, io.BytesIO) else b""


def full() -> TextIO:
    return open("/dev/full", "w", encoding="utf-8")


def unread() -> TextIO:
    """A pipe whose reader has gone."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    return os.fdopen(write_end, "w", encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in THOROUGH else name for name in COMMANDS]
)
def test_no_output_makes_a_bug_or_hides_one(name: str, call: Callable[..., Outcome]) -> None:
    usual = call(name, in_memory(), in_memory())
    assert (usual.code, b"bug:" in usual.err) == (EXIT_CODES.get(name, 0), False), usual.err.decode()
    for encoding in ENCODINGS:
        outcome = call(name, in_memory(encoding), in_memory(encoding))
        assert outcome.code == usual.code, (encoding, outcome.err)
        is_exact = name.endswith(("csv", "json", "jsonl"))  # what is for programs is UTF-8 everywhere
        assert is_exact == (outcome.out == usual.out) or usual.out.isascii() or name.startswith("help"), encoding
        assert b"\x1b" not in outcome.out.replace(usual.out if is_exact else b"", b"") + outcome.err
    answers = bool(usual.out)
    for out, code in ((full(), 7), (None, 7), (unread(), 0)):
        outcome = call(name, out, in_memory())
        assert outcome.code == (code if answers and usual.code == 0 else usual.code), outcome.err.decode()
        assert b"bug:" not in outcome.err
        assert (b"cannot write to stdout" in outcome.err) == (answers and code == 7 and usual.code == 0)
    for err in (full(), None, unread()):
        outcome = call(name, in_memory(), err)
        assert (outcome.code, outcome.out) == (usual.code, usual.out)


def test_what_a_terminal_lacks_is_shown_by_what_looks_like_it_or_escaped() -> None:
    stream = in_memory("latin-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        with safe_streams():
            say("1×2 … → кот \x1b[2J\n caf\udce9")
    assert content(stream).decode("latin-1") == "1×2 ... -> \\u043a\\u043e\\u0442 \\x1b[2J\\n caf\\udce9\n"


@pytest.mark.parametrize(
    ("redirection", "code"),
    [(">&-", 7), ("2>&-", 0), (">&- 2>&-", 7), (">/dev/full", 7), ("2>/dev/full", 0), ("<&-", 0)],
)
def test_streams_that_the_shell_closed_or_that_are_full(redirection: str, code: int) -> None:
    command = f"{sys.executable} -m resnetkit models tutorial {redirection}"
    finished = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert finished.returncode == code
    assert ("cannot write to stdout" in finished.stderr) == (code == 7 and "2>" not in redirection)


SPEAK = """
import os
from resnetkit.cli.streams import safe_streams
from resnetkit.terminal import tell
with safe_streams():
    tell("at once")
    os._exit(0)  # nothing is flushed any more
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_is_told_is_seen_at_once(unbuffered: str) -> None:
    """Also where Python was told not to buffer, as it often is in containers."""
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    said = subprocess.run([sys.executable, "-c", SPEAK], capture_output=True, text=True, check=True, env=environment)
    assert said.stderr == "at once\n"


def test_a_file_never_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """Else what a library prints on descriptor 1 would go into it."""
    code = (
        "import sys, os\nfrom resnetkit.cli.streams import safe_streams\n"
        f"with safe_streams(), open({str(tmp_path / 'file')!r}, 'w') as file:\n    os._exit(file.fileno())"
    )
    assert subprocess.run(["sh", "-c", f'{sys.executable} -c "$0" >&- 2>&- <&-', code], check=False).returncode > 2
