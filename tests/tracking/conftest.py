"""Runs that are told and not trained, and what each tracker keeps of them, read back."""

import csv
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.tracking.stand_ins import fake_mlflow, fake_wandb

from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.folder import RunFolder
from resnetkit.tracking.follower import Follower
from resnetkit.tracking.trackers import TRACKERS

NUM_EPOCHS, NUM_STEPS = 3, 4
Points = dict[str, list[tuple[int, float]]]


@pytest.fixture
def folder(pretrained: Path, tmp_path: Path) -> RunFolder:
    """The folder of a finished run."""
    return RunFolder(Path(shutil.copytree(pretrained, tmp_path / "0007-resnet20_b-digits")))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trackers set variables of this process; none of the user's count."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB_", "MLFLOW_"))}
    monkeypatch.setattr(os, "environ", ours)


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = fake_wandb()
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = fake_mlflow()
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return module


@pytest.fixture(params=TRACKERS)
def tracked(request: pytest.FixtureRequest, folder: RunFolder) -> tuple[str, Callable[[], Points]]:
    """A tracker by name, and what reads back the numbers that it kept of the run, by name with their steps."""
    name: str = request.param
    if name == "tensorboard":
        pytest.importorskip("tensorboard")
        return name, lambda: read_tensorboard(folder)
    if name == "csv":
        return name, lambda: read_table(folder)
    module = request.getfixturevalue(name)
    return name, lambda: (read_wandb if name == "wandb" else read_mlflow)(module)


def follower(name: str) -> Follower:
    return Follower(name, TRACKERS[name].open())


def loss_at(step: int) -> float:
    return 1 / step


def tell_updates(listener: Listener, first: int, last: int) -> None:
    """Tell of updates, and of the end of each epoch that they end."""
    for step in range(first, last + 1):
        epoch, within = (step - 1) // NUM_STEPS + 1, (step - 1) % NUM_STEPS + 1
        listener.step_ended(StepReport(epoch, NUM_EPOCHS, within, NUM_STEPS, loss_at(step), 0.5, 0.1, 10.0, 1.0))
        if within == NUM_STEPS:
            tell_epoch(listener, epoch)


def tell_epoch(listener: Listener, epoch: int) -> None:
    step = epoch * NUM_STEPS
    of_train = {"train_loss": loss_at(step), "train_top1": 0.5}
    others = {"val_loss": 2.0, "val_top1": 0.25, "learning_rate": 0.1, "images_per_second": None}
    listener.epoch_ended({"epoch": epoch, "step": step, **of_train, **others, "elapsed_seconds": 1.5 * epoch})


def read_table(folder: RunFolder) -> Points:
    with (folder.path / "metrics.csv").open(newline="") as file:
        return _by_name((row["name"], int(row["step"]), float(row["value"])) for row in csv.DictReader(file))


def read_tensorboard(folder: RunFolder) -> Points:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder.path / "tensorboard"))
    reader.Reload()
    return _by_name((tag, e.step, e.value) for tag in reader.Tags()["scalars"] for e in reader.Scalars(tag))


def read_wandb(module: Any) -> Points:
    (run,) = module.runs.values()
    rows = [(name, step, value) for step, values in run.history for name, value in values.items()]
    return _by_name(row for row in rows if not row[0].startswith("confusion/"))


def read_mlflow(module: Any) -> Points:
    ((run,),) = (store.values() for store in module.stores.values())
    return _by_name((metric.key, metric.step, metric.value) for metric in run.metrics)


def _by_name(rows: Iterator[tuple[str, int, float]]) -> Points:
    points: Points = defaultdict(list)
    for name, step, value in rows:
        points[name].append((step, value))
    return dict(points)
