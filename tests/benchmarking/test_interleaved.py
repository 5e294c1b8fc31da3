"""The harness of the scripts in benchmarks/, with workers that compute nothing."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SCRIPT = """
import os, sys, time
sys.path.insert(0, {folder!r})
from interleaved import Comparison, Contestant, main

def prepare(amount):
    print("noise on stdout")
    def do_round():
        print("more noise")
        time.sleep(0.01)
        return amount * int(os.environ.get("FACTOR", "1"))
    return do_round

def broken():
    raise ValueError("not today")

main(__file__, [
    Comparison("race", "A race", "Who is faster.", (
        Contestant("ours", lambda: prepare(300), ("pytest",)),
        Contestant("theirs", lambda: prepare(50), environment={{"FACTOR": "2"}}),
    )),
    Comparison("fall", "A fall", "", (Contestant("ours", broken),)),
])
"""


@pytest.fixture(scope="module")
def interleaved() -> ModuleType:
    spec = importlib.util.spec_from_file_location("interleaved", FOLDER / "interleaved.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["interleaved"] = module
    spec.loader.exec_module(module)
    return module


class FakeWorker:
    def __init__(self, name: str, amounts: list[float], journal: list[str]) -> None:
        self.name, self.amounts, self.journal = name, iter(amounts), journal

    def ask(self, question: str) -> dict[str, Any]:
        assert json.loads(question) == {}
        self.journal.append(self.name)
        return {
            "amount": next(self.amounts),
            "seconds": 2.0,
            "others_share": 0.1,
            "peak_bytes": 10**6 * len(self.journal),
        }


def test_workers_take_turns_in_both_directions_after_a_warm_up(interleaved: ModuleType) -> None:
    journal: list[str] = []
    workers = {name: FakeWorker(name, amounts, journal) for name, amounts in (("a", [1, 8, 6]), ("b", [1, 2, 4]))}
    outcomes = interleaved.take_turns(workers, rounds=2)
    assert journal == ["b", "a", "a", "b", "b", "a"]
    assert outcomes["a"].speeds == (4.0, 3.0)
    assert outcomes["b"].speeds == (1.0, 2.0)
    assert interleaved.ratios(outcomes["a"], outcomes["b"]) == [4.0, 1.5]
    assert outcomes["a"].peak_bytes == 6_000_000


def test_the_table_tells_the_median_ratio_with_its_spread(interleaved: ModuleType) -> None:
    contestants = tuple(interleaved.Contestant(name, lambda: None) for name in ("ours", "theirs"))
    comparison = interleaved.Comparison("race", "A race", "Who is faster.", contestants)
    outcomes = {
        "ours": interleaved.Outcome("ours", (200.0, 240.0, 210.0), (0.0, 0.25, 0.5), 300_000_000),
        "theirs": interleaved.Outcome("theirs", (100.0, 100.0, 100.0), (0.25,) * 3, 400_000_000),
    }
    lines = interleaved.table(comparison, outcomes).splitlines()
    assert lines[2:] == [
        "| ours | 210 (200 to 240) |  | 300 |  |",
        "| theirs | 100 (100 to 100) | 2.10 (2.00 to 2.40) | 400 | 0.75 |",
    ]
    assert "differ" not in interleaved.report(comparison, outcomes, {"torch": "2"}, ["a machine"])
    outcomes["ours"] = interleaved.Outcome("ours", (200.0, 260.0, 210.0), (0.0, 0.25, 0.5), 300_000_000)
    told = interleaved.report(comparison, outcomes, {"torch": "2"}, ["a machine"])
    assert "more than a fifth from round to round: ours." in told
    assert told.endswith("a machine; other work took 25 (0 to 50) % of the cores' time; torch 2.")


def test_a_section_replaces_the_one_of_its_name(interleaved: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "speed.md"
    path.write_text("# Speed\n\nBy hand.\n")
    for heading, text in (("One", "first"), ("Two", "second"), ("One", "third"), ("Two", "fourth")):
        interleaved.write_section(path, heading, text)
    assert path.read_text() == "# Speed\n\nBy hand.\n\n## One\n\nthird\n\n## Two\n\nfourth\n"


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(FOLDER)))
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, timeout=60)


def test_workers_are_processes_that_answer_over_their_pipes(tmp_path: Path) -> None:
    out = tmp_path / "speed.md"
    finished = run(tmp_path, "race", "--rounds", "3", "--threads", "1", "--write", str(out))
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("## A race\n\nWho is faster.")
    assert "noise" not in finished.stdout
    text = out.read_text()
    assert "3 rounds in turns" in text
    assert "pytest" in text
    theirs = next(line for line in text.splitlines() if line.startswith("| theirs"))
    low, high = theirs.split("|")[3].split("(")[1].rstrip(" )").split(" to ")
    assert 1 < float(low) <= float(high) < 9  # each slept alike: 300 against 50 × FACTOR


def test_a_worker_that_cannot_start_ends_the_script_with_its_reason(tmp_path: Path) -> None:
    finished = run(tmp_path, "fall", "--rounds", "1")
    assert finished.returncode != 0
    assert "not today" in finished.stderr
    assert "a worker ended with status 1" in finished.stderr


def test_names_of_no_comparison_are_refused(tmp_path: Path) -> None:
    finished = run(tmp_path, "rice")
    assert finished.returncode == 2
    assert "unknown comparison rice; choose from race, fall" in finished.stderr


@pytest.mark.parametrize("script", ["training"])
def test_scripts_name_their_comparisons_without_loading_a_framework(script: str) -> None:
    code = f"import sys, {script}; print(len({script}.COMPARISONS), {{'torch', 'keras', 'PIL'}} & set(sys.modules))"
    finished = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(FOLDER)},
    )
    number, loaded = finished.stdout.strip().split(" ", 1)
    assert int(number) >= 1
    assert loaded == "set()"
