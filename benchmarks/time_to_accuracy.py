"""Claim: how good a classifier is, and how long the whole command took, over several seeds.

Runs `resnetkit train` once for every seed, times it from start to end (imports, reading the data, validation, the final
scores and the report included), and prints medians with their spread as Markdown. Every run reads its test split once,
after training. Arguments that are not listed here go to `resnetkit train`. Results in time_to_accuracy.md.

    .venv/bin/python benchmarks/time_to_accuracy.py fashion_mnist --recipe quick
    .venv/bin/python benchmarks/time_to_accuracy.py fashion_mnist --recipe quick --set runtime.precision=fp32
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One training run: seconds of the whole command, seconds of training and validation, top-1 in [0, 1]."""

    seed: int
    seconds: float
    training_seconds: float
    val_top1: float
    test_top1: float


def train(arguments: list[str], seed: int) -> Run:
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "resnetkit", "train", *arguments, "--set", f"seed={seed}", "--json"]
        started = time.perf_counter()
        finished = subprocess.run([*command, "--out", out], check=True, stdout=subprocess.PIPE, text=True)
        seconds = time.perf_counter() - started
        answer = json.loads(finished.stdout)
        rows = [json.loads(line) for line in (Path(answer["run"]) / "metrics.jsonl").read_text().splitlines()]
        epochs = [row for row in rows if row["event"] == "epoch"]
        val, test = (answer["scores"][split]["top1"]["value"] for split in ("val", "test"))
        return Run(seed, seconds, epochs[-1]["elapsed_seconds"], val, test)


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    arguments, passed_on = parser.parse_known_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    runs = []
    for seed in range(arguments.seeds):
        runs.append(train(passed_on, seed))
        print(runs[-1], file=sys.stderr, flush=True)
    print("| command | n | test top-1 % | val top-1 % | whole command, s | training and validation, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    cells = (
        f"`resnetkit train {' '.join(passed_on)}`",
        str(len(runs)),
        spread([100 * run.test_top1 for run in runs], 2),
        spread([100 * run.val_top1 for run in runs], 2),
        spread([run.seconds for run in runs], 1),
        spread([run.training_seconds for run in runs], 1),
    )
    print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
