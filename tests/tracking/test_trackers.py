"""What every tracker does: keep all that is to be kept, once, and end before the run where it cannot."""

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from tests.tracking.conftest import (
    NUM_EPOCHS,
    NUM_STEPS,
    Points,
    follower,
    loss_at,
    read_table,
    tell_epoch,
    tell_updates,
)

from resnetkit.errors import ResnetkitError
from resnetkit.runs.events import StepReport
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result
from resnetkit.tracking.trackers import TRACKERS, open_trackers, trackers_of
from resnetkit.training import run as training_run
from resnetkit.training.interruption import Interrupted
from resnetkit.training.run import resume, train

ROOT = Path(__file__).parents[2]
Tracked = tuple[str, Callable[[], Points]]
LAST = NUM_EPOCHS * NUM_STEPS


def approximately(expected: list[tuple[int, float]]) -> list[tuple[int, object]]:
    return [(step, pytest.approx(value, rel=1e-6)) for step, value in expected]  # TensorBoard's are float32


def check_whole(points: Points) -> None:
    """Each update and each epoch of the run, once."""
    assert points["step/loss"] == approximately([(step, loss_at(step)) for step in range(1, LAST + 1)])
    assert [step for step, _ in points["step/learning_rate"]] == list(range(1, LAST + 1))
    ends = [epoch * NUM_STEPS for epoch in range(1, NUM_EPOCHS + 1)]
    assert points["train/loss"] == approximately([(step, loss_at(step)) for step in ends])
    for name in ("val/loss", "val/top1", "epoch/elapsed_seconds"):
        assert [step for step, _ in points[name]] == ends


def test_a_run_is_kept_with_its_scores_and_their_intervals(tracked: Tracked, folder: RunFolder) -> None:
    name, read = tracked
    result = finished_result(folder)
    assert result is not None
    assert trackers_of(folder) == ()
    listener = follower(name)
    listener.run_started(folder, folder.read_record(), 0)
    tell_updates(listener, 1, LAST)
    listener.run_ended(result)
    check_whole(read())
    assert trackers_of(folder) == (name,)
    if name in ("csv", "tensorboard", "mlflow"):  # wandb has a summary for them
        top1 = result.scores["test"].top1
        assert read()["scores/test_top1"] == approximately([(LAST, top1.value)])
    if name in ("tensorboard", "mlflow"):
        assert read()["scores/test_top1_low"] == approximately([(LAST, top1.low)])


@pytest.mark.parametrize(
    ("told", "done", "epoch_comes_again"),
    [
        (6, 0, False),  # killed before the first checkpoint
        (6, 6, False),
        (6, 3, False),
        (10, 5, False),  # an epoch has ended since
        (10, 8, False),  # the checkpoint is of the end of an epoch
        (10, 8, True),  # or of its last update, when its end was still to come
        (8, 8, True),
    ],
)
def test_a_run_that_goes_on_has_each_point_once(
    tracked: Tracked, folder: RunFolder, told: int, done: int, epoch_comes_again: bool
) -> None:
    name, read = tracked
    record = folder.read_record()
    killed = follower(name)
    killed.run_started(folder, record, 0)
    tell_updates(killed, 1, told)
    listener = follower(name)
    listener.run_started(folder, record, done)
    if epoch_comes_again:
        tell_epoch(listener, done // NUM_STEPS)
    tell_updates(listener, done + 1, 11)
    listener.run_stopped(Interrupted(15))
    last = follower(name)
    last.run_started(folder, record, 11)
    tell_updates(last, 12, LAST)
    result = finished_result(folder)
    assert result is not None
    last.run_ended(result)
    check_whole(read())


def test_a_finished_run_that_is_resumed_changes_nothing(tracked: Tracked, folder: RunFolder) -> None:
    name, read = tracked
    result, record = finished_result(folder), folder.read_record()
    assert result is not None
    kept = []
    for done in (0, LAST, LAST):
        listener = follower(name)
        listener.run_started(folder, record, done)
        if done == 0:
            tell_updates(listener, 1, LAST)
        listener.run_ended(result)
        kept.append(read())
    assert kept[0] == kept[1] == kept[2]


def test_a_finished_run_that_goes_on_and_is_killed_has_its_scores_in_the_end(
    tracked: Tracked, folder: RunFolder
) -> None:
    name, read = tracked
    result, record = finished_result(folder), folder.read_record()
    assert result is not None
    for first, is_killed in ((1, False), (LAST - 1, True), (LAST + 1, False)):
        listener = follower(name)
        listener.run_started(folder, record, first - 1)
        tell_updates(listener, first, LAST)
        if not is_killed:
            listener.run_ended(result)
    points = read()
    check_whole(points)
    assert name == "wandb" or [step for step, _ in points["scores/test_top1"]] == [LAST]


def test_a_run_that_stops_before_it_goes_on_is_no_error(tracked: Tracked) -> None:
    follower(tracked[0]).run_stopped(KeyboardInterrupt())


@pytest.mark.parametrize("name", [name for name, kind in TRACKERS.items() if kind.extra])
def test_what_is_not_installed_is_told_before_anything_is_trained(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = [module for module in sys.modules if module.split(".")[0] == name]
    for module in loaded:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)  # as if it were not there
    with pytest.raises(ResnetkitError, match=f"--track {name} needs {name}, which is not installed") as caught:
        train("digits", out=tmp_path / "runs", track=["csv", name])
    assert f"pip install 'resnetkit[{name}]'" in caught.value.fix
    assert not (tmp_path / "runs").exists()


def test_what_does_not_load_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise TypeError("descriptors cannot be created\nmore")

    for module in ("tensorboard", "tensorboard.compat", "tensorboard.compat.proto"):
        monkeypatch.setitem(sys.modules, module, Broken(module))
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", Broken("event_pb2"))
    with pytest.raises(ResnetkitError, match="does not load\n  why: descriptors cannot be created\n"):
        open_trackers(["tensorboard"])


def test_an_unknown_tracker_is_refused_with_the_nearest() -> None:
    with pytest.raises(ResnetkitError, match="unknown tracker 'tensorbord'\n  fix: did you mean 'tensorboard'"):
        open_trackers(["csv", "tensorbord"])
    assert len(open_trackers(["csv", "csv"])) == 1


def test_a_resumed_run_stays_with_its_trackers_unless_others_are_named(
    tiny_settings: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0}
    opened = []

    def noted(names: tuple[str, ...]) -> tuple[object, ...]:
        opened.append(tuple(names))
        return open_trackers(names)

    monkeypatch.setattr(training_run, "open_trackers", noted)
    result = train("digits", model="resnet20_b", settings=settings, out=tmp_path, track=["csv"])
    table = result.run / "metrics.csv"
    rows = [line.split(",")[:3] for line in table.read_text().splitlines()]
    assert [row[0] for row in rows if row[2] == "step/loss"] == [str(step) for step in range(1, 11)]
    assert [row[:2] for row in rows if row[2] == "val/top1"] == [["10", "1"]]
    before = table.read_bytes()
    resume(result.run)
    assert table.read_bytes() == before
    resume(result.run, track=())
    assert opened == [("csv",), ("csv",), ()]


def test_of_a_long_run_about_a_thousand_updates_are_kept(folder: RunFolder) -> None:
    listener = follower("csv")
    listener.run_started(folder, folder.read_record(), 0)
    for step in range(1, 901):  # of 5,000 updates in 5 epochs; every seventh report comes
        if step % 7 == 0:
            listener.step_ended(StepReport(1, 5, step, 1000, 1.0, 0.5, 0.1, 10.0, 1.0))
    steps = [step for step, _ in read_table(folder)["step/loss"]]
    assert len(steps) == 128 == 900 // 7
    short = follower("csv")
    short.run_started(folder, folder.read_record(), 0)
    for step in range(1, 901):
        short.step_ended(StepReport(1, 5, step, 1000, 1.0, 0.5, 0.1, 10.0, 1.0))
    assert [step for step, _ in read_table(folder)["step/loss"]] == list(range(5, 901, 5))


def test_the_table_survives_a_row_that_was_cut_short(folder: RunFolder) -> None:
    listener = follower("csv")
    listener.run_started(folder, folder.read_record(), 0)
    tell_updates(listener, 1, 6)
    with (folder.path / "metrics.csv").open("a") as file:
        file.write("7,2,step/lo")
    again = follower("csv")
    again.run_started(folder, folder.read_record(), 6)
    tell_updates(again, 7, LAST)
    check_whole(read_table(folder))


def test_the_documents_tell_of_every_tracker_and_its_extra() -> None:
    text = (ROOT / "docs" / "trackers.md").read_text()
    assert re.findall(r"^\| `(\w+)` \| (?:nothing|`pip)", text, re.MULTILINE) == list(TRACKERS)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for kind in TRACKERS.values():
        assert not kind.extra or f"pip install 'resnetkit[{kind.extra}]'" in text
        assert not kind.extra or kind.extra in extras
