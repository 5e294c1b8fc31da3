"""Claim: a run killed by SIGKILL at twenty random moments ends in the same classifier, byte for byte.

Trains digits once undisturbed and once killed again and again, with augmentation, mixing, dropout and weight averaging
on, and compares the files. Prints where every kill fell. Takes some minutes; result in foundation.md.

    .venv/bin/python benchmarks/kill_resume.py
"""

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

SETTINGS = {
    "epochs": 30,
    "checkpoint_seconds": 0.5,
    "ema_decay": 0.99,
    "augmentation.erase_rate": 0.3,
    "augmentation.brightness": 0.2,
    "augmentation.mixup_alpha": 0.2,
    "augmentation.cutmix_alpha": 1.0,
    "model.block.drop_rate": 0.1,
}
RESNETKIT = [sys.executable, "-m", "resnetkit", "train"]


def start(out: Path) -> list[str]:
    assignments = [word for path, value in SETTINGS.items() for word in ("--set", f"{path}={json.dumps(value)}")]
    return [*RESNETKIT, "digits", "--out", str(out), *assignments]


def where(run: Path) -> str:
    """What the kill interrupted, as far as the files tell."""
    checkpoints = run / "checkpoints"
    if (run / "report.html").exists():
        return "after the report was written"
    if (run / "classifier.safetensors").exists():
        return "between classifier and report"
    if list(checkpoints.glob(".step-*")):
        return "while a checkpoint was written"
    names = sorted(path.name for path in checkpoints.glob("step-*"))
    return f"after checkpoint {names[-1]}" if names else "before the first checkpoint"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        subprocess.run(start(whole), check=True, capture_output=True)
        run = killed / "0001-resnet20-digits"
        kills = 0
        while kills < arguments.kills:
            command = [*RESNETKIT, "--resume", str(run)] if (run / "recipe.json").exists() else start(killed)
            with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                seconds = rng.uniform(1.5, 5)
                try:
                    process.communicate(timeout=seconds)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.communicate()
            if process.returncode == 0:
                break  # it came through before all kills were spent
            kills += 1
            print(f"kill {kills:2d} after {seconds:.2f} s: {where(run)}", flush=True)
        subprocess.run([*RESNETKIT, "--resume", str(run)], check=True, capture_output=True)
        digests = [
            hashlib.sha256((path / "classifier.safetensors").read_bytes()).hexdigest()
            for path in (whole / "0001-resnet20-digits", run)
        ]
        print(f"{kills} kills\nundisturbed {digests[0]}\nkilled      {digests[1]}")
        sys.exit(digests[0] != digests[1])


if __name__ == "__main__":
    main()
