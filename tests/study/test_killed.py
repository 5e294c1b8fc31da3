"""Real runs in processes of their own: killed at bad moments, the study ends as if it had not been."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resnetkit.study.running import report_study, run_study
from resnetkit.training.run import train

MINE = """
name = "killed"
title = "Two arms"
question = "Do they survive?"
source = "ours"
published_on = "CIFAR-10"
arms = [
  {name = "tame", model = "resnet20_b[depths=[1,1,1]]"},
  {name = "wild", model = "resnet20_b[depths=[1,1,1]]", settings = {optimizer = {learning_rate = 1e9}}},
]
claims = [{says = "one can learn too fast", ascending = ["tame", "wild"]}]

[budgets.smoke]
data = "digits"
recipe = "tiny_images"
settings = {epochs = 8, checkpoint_seconds = 0.0, "runtime.precision" = "fp32"}
"""
SETTINGS = {"epochs": 8, "checkpoint_seconds": 0.0, "runtime.precision": "fp32", "runtime.threads": 1}
DEADLINE_SECONDS = 300.0  # on a machine that does much else


def wait_for(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Studies that were started, none of which outlives the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def start(study: Path, out: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "resnetkit", "study", "run", str(study), "--out", str(out), "--jobs", "2"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def children_of(process: subprocess.Popen[bytes]) -> list[int]:
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(word) for word in text.split()]


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def num_epochs(out: Path) -> int:
    return sum(file.read_text().count('"event": "epoch"') for file in out.glob("*/*/metrics.jsonl"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
def test_a_study_killed_twice_ends_in_the_same_bytes(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    study, out = tmp_path / "killed.toml", tmp_path / "study"
    study.write_text(MINE)

    # The study is killed while its runs train: they end with it, after a checkpoint.
    first = start(study, out)
    started.append(first)
    wait_for(lambda: num_epochs(out) >= 2)
    runs = children_of(first)
    assert runs
    first.kill()
    first.wait()
    wait_for(lambda: not any(map(is_alive, runs)))
    before = num_epochs(out)

    # Then a run is, which the study outlives and tells of.
    second = start(study, out)
    started.append(second)
    wait_for(lambda: num_epochs(out) > before)
    os.kill(children_of(second)[0], signal.SIGKILL)
    assert second.wait(DEADLINE_SECONDS) == 1
    assert report_study(out).to_do

    ended = run_study(out)
    tame, wild = ended.outcomes
    assert (tame.status, wild.status) == ("finished", "diverged")
    assert ended.claims[0].standing == "not decided"  # of one seed each, however clear it looks
    whole = train("digits", model="resnet20_b[depths=[1,1,1]]", recipe="tiny_images", settings=SETTINGS, out=tmp_path)
    assert tame.run is not None
    assert tame.result is not None
    assert tame.run.classifier_file.read_bytes() == whole.folder.classifier_file.read_bytes()
    assert tame.result == replace(whole, run=tame.run.path, seconds=tame.result.seconds)
