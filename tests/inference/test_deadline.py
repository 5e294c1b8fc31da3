"""Engines that hang or crash are given up, left out and named; none hangs because two threads called it at once."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.file import read_description
from resnetkit.errors import Code, ResnetkitError
from resnetkit.graphs.onnx import write_graph
from resnetkit.inference import deadline, engine_choice, engines
from resnetkit.inference.conditions import find_conditions
from resnetkit.inference.deadline import rehearse, within
from resnetkit.inference.engine_choice import open_engine
from resnetkit.inference.engines import ENGINES, EngineKind, open_kind

NUM_STARTS = 200
NUM_AT_ONCE = 8  # several for each core: threads are interrupted everywhere
SETTINGS = {"image_shape": (3, 16, 16), "batch_size": 2, "num_threads": 2}

# A library of another project, as bad as one can be. `held` waits in C with the interpreter's lock, as a deadlock does.
LIBRARY = """
import ctypes, os, signal, time
import numpy as np

class Engine:
    name = "onnxruntime"
    def logits(self, pixels):
        return np.zeros((len(pixels), 1, 3), np.float32)

def answers(graph, **settings): return Engine()
def waits(graph, **settings): time.sleep(1000)
def held(graph, **settings): ctypes.PyDLL(None).sleep(1000)
def crashes(graph, **settings): os.kill(os.getpid(), signal.SIGSEGV)
def leaves(graph, **settings): os._exit(3)
def raises(graph, **settings): raise RuntimeError("illegal instruction\\nat 0x0")
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], EngineKind]:
    """Makes a kind of engine of that library: ``onnxruntime``, opened by the function of this name."""
    name = f"library_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda function: replace(ENGINES["onnxruntime"], packages=(), opener=f"{name}:{function}")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_no_engine_hangs_however_its_threads_meet(engine: str, make: Callable[..., Classifier], tmp_path: Path) -> None:
    """Red without the answer in ``open_kind``: OpenVINO 2026.4 then hangs in a quarter to a half of these processes."""
    if ENGINES[engine].missing:
        pytest.skip(ENGINES[engine].missing)
    graph = tmp_path / "graph.onnx"
    graph.write_bytes(write_graph(make()))
    script = Path(__file__).with_name("start_many.py")
    command = [sys.executable, str(script), engine, str(graph), str(NUM_STARTS), str(NUM_AT_ONCE), "30"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "0 hung, 0 failed\n", done.stderr


def test_every_engine_has_answered_in_the_opening_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = []

    def logits(pixels: np.ndarray) -> np.ndarray:
        answered.append((threading.get_ident(), pixels.shape, pixels.dtype))
        return np.zeros((len(pixels), 1, 3), np.float32)

    from resnetkit.inference import graph_engines

    opened = SimpleNamespace(name="new", logits=logits)
    monkeypatch.setattr(graph_engines, "open_new", lambda graph, **settings: opened, raising=False)
    kind = EngineKind("new", (), "", "graph", "resnetkit.inference.graph_engines:open_new")
    assert open_kind(kind, b"", image_shape=(1, 20, 20), batch_size=4, num_threads=2) is opened
    assert answered == [(threading.get_ident(), (1, 1, 20, 20), np.uint8)]


def test_whatever_an_engine_does_it_is_given_up_and_named(library: Callable[[str], EngineKind]) -> None:
    kinds = {
        function: replace(library(function), name=function)
        for function in ("answers", "waits", "held", "crashes", "leaves", "raises")
    }
    hanging = [kinds.pop(function) for function in ("waits", "held")]
    assert rehearse(list(kinds.values()), b"graph", SETTINGS) == {
        "crashes": "crashes (SIGSEGV)",
        "leaves": "ends with exit code 3",
        "raises": "RuntimeError: illegal instruction",
    }
    started = time.monotonic()
    problems = rehearse(hanging, b"graph", SETTINGS, deadline_seconds=2)
    assert problems == {"waits": "did not answer within 2 s", "held": "did not answer within 2 s"}
    assert time.monotonic() - started < 60  # all of them together, and nobody waits for the dead


def test_the_engines_there_are_pass(make: Callable[..., Classifier]) -> None:
    kinds = [kind for kind in ENGINES.values() if kind.reads == "graph" and not kind.missing]
    assert rehearse(kinds, write_graph(make()), SETTINGS) == {}


def test_without_an_interpreter_to_start_nothing_is_tried(
    library: Callable[[str], EngineKind], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline.subprocess, "Popen", None)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert rehearse([library("waits")], b"", SETTINGS) == {}


def test_an_action_has_its_time_and_says_what_went_wrong() -> None:
    assert within(lambda: threading.current_thread().name) == "engine"
    with pytest.raises(ZeroDivisionError):
        within(lambda: 1 / 0)
    with pytest.raises(TimeoutError, match=r"did not answer within 0\.05 s"):
        within(lambda: time.sleep(1000), deadline_seconds=0.05)


def test_an_engine_that_hangs_is_left_out_or_refused(
    make: Callable[..., Classifier], library: Callable[[str], EngineKind], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "ENGINES", {"onnxruntime": library("held"), "torch": ENGINES["torch"]})
    monkeypatch.setattr(engine_choice, "rehearse", partial(rehearse, deadline_seconds=2))
    told: list[str] = []
    assert open_engine(make(), find_conditions(device="cpu"), tell=told.append).name == "torch"
    assert "left out: the engine onnxruntime did not answer within 2 s" in told
    with pytest.raises(ResnetkitError, match="onnxruntime cannot be used for this classifier") as raised:
        open_engine(make(), find_conditions("onnxruntime", device="cpu"), tell=told.append)
    assert (raised.value.code, raised.value.why) == (Code.CHECK_FAILED, "did not answer within 2 s")


def test_an_engine_chosen_before_that_hangs_now_is_given_up_too(
    make: Callable[..., Classifier],
    library: Callable[[str], EngineKind],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if ENGINES["onnxruntime"].missing:
        pytest.skip(ENGINES["onnxruntime"].missing)
    file = tmp_path / "classifier.safetensors"
    make().save(file)
    told: list[str] = []
    asked = (read_description(file), find_conditions("onnxruntime", device="cpu"))
    open_engine(*asked, tell=told.append)
    monkeypatch.setattr(engines, "ENGINES", {"onnxruntime": library("waits")})
    monkeypatch.setattr(engine_choice, "within", partial(within, deadline_seconds=0.2))
    monkeypatch.setattr(engine_choice, "_choose", lambda *_: SimpleNamespace(name="chosen anew"))
    assert open_engine(*asked, tell=told.append).name == "chosen anew"
    assert any("chosen before, does not open (did not answer within 0.2 s); choosing again" in text for text in told)
