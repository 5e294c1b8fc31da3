"""Studies without training: a place that answers every command with a copy of one small run."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from resnetkit.config import from_dict
from resnetkit.runs.folder import RunFolder
from resnetkit.study.study import Study

TWO_ARMS = {
    "name": "two",
    "title": "Two networks",
    "question": "Which is better?",
    "source": "ours",
    "published_on": "CIFAR-10",
    "arms": [
        {"name": "residual", "model": "resnet20_b[depths=[1,1,1]]", "published": {"value": 8.75}},
        {"name": "plain", "model": "plain20[depths=[1,1,1]]", "published": {"value": "fails"}, "panel": "no skips"},
    ],
    "claims": [
        {"says": "skips lower the training error", "ascending": ["residual", "plain"], "reading": "train_error"},
        {"says": "skips lower the test error", "ascending": ["residual", "plain"]},
    ],
    "budgets": {
        "smoke": {
            "data": "digits",
            "recipe": "tiny_images",
            "num_seeds": 3,
            "settings": {"epochs": 2, "batch_size": 128, "ema_decay": 0.0},
        }
    },
}


@pytest.fixture
def two_arms() -> Study:
    return from_dict(Study, TWO_ARMS)


class Ended:
    """A process that has ended already."""

    def __init__(self, exit_code: int) -> None:
        self.exit_code = exit_code

    def poll(self) -> int:
        return self.exit_code

    def stop(self) -> None:
        """Nothing to stop."""

    kill = stop


class FakePlace:
    """Answers commands with copies of a run.

    Attributes:
        ends: by arm and seed, ``(exit code, training error in [0, 1])``; what is not there ends well, with 0.5.
        asked: the commands, in order.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.ends: dict[tuple[str, int], tuple[int, float]] = {}
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, command: Sequence[str], said: Path) -> Ended:
        self.asked.append(tuple(command))
        arm, _, seed = said.parent.name.rpartition("-seed-")
        exit_code, error = self.ends.get((arm, int(seed)), (0, 0.5))
        if command[2] == "--resume":
            run = RunFolder(Path(command[3]))
        else:
            run = RunFolder(Path(command[command.index("--out") + 1]) / "0001-run")
            shutil.copytree(self.run, run.path)
        events = [event for event in RunFolder(self.run).events() if exit_code == 0 or event["event"] != "end"]
        events = [event | ({"train_top1": 1 - error} if event["event"] == "epoch" else {}) for event in events]
        events += [{"event": "diverged", "step": 3, "quantity": "loss"}] if exit_code == 5 else []
        run.metrics_file.write_text("".join(json.dumps(event) + "\n" for event in events))
        said.write_text(f"some words\nended with {exit_code}\n")
        return Ended(exit_code)


@pytest.fixture
def place(pretrained: Path) -> FakePlace:
    return FakePlace(pretrained)
