"""A run killed at any moment and resumed ends in the same bytes as one never interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from resnetkit.data.given import GivenData
from resnetkit.errors import Code, ResnetkitError
from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.folder import RunFolder
from resnetkit.training import batches, loop, resuming, running_sums, steps
from resnetkit.training.checkpoint import Checkpoint, newest_checkpoint, save_checkpoint
from resnetkit.training.interruption import Interrupted, StopRequest
from resnetkit.training.run import resume, train

KILLED_RUN = Path(__file__).with_name("killed_run.py")
# Checkpoints at every step, so that a kill can fall into any part of writing one.
EVERY_STEP = {"checkpoint_seconds": 0}


def run_killed(moment: str, count: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(KILLED_RUN), moment, str(count), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def assignments(settings: dict[str, object]) -> list[str]:
    return [word for path, value in settings.items() for word in ("--set", f"{path}={json.dumps(value)}")]


def test_checkpoints_come_when_time_is_up_and_at_the_end(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    positions = []

    def noted(folder: Path, checkpoint: Checkpoint) -> Path:
        positions.append((checkpoint.step, checkpoint.epoch))
        return save_checkpoint(folder, checkpoint)

    monkeypatch.setattr(loop, "save_checkpoint", noted)
    train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path)
    assert positions == [(30, 3)]
    positions.clear()
    train("digits", model="resnet20_b", settings=tiny_settings | EVERY_STEP | {"epochs": 1}, out=tmp_path)
    assert positions == [*((step, 0) for step in range(1, 11)), (10, 1)]


# What is done at the moment of a kill, which time that comes, and the start or resumption that it falls in. There are
# ten steps an epoch, and four tensor files a checkpoint.
KILLS = [
    ("before an update", 4, "start"),
    ("while a checkpoint is written", 6, "resume"),
    ("before a checkpoint is renamed", 3, "resume"),
    ("after a checkpoint is renamed", 8, "resume"),
    ("after an update", 4, "resume"),
    ("before the classifier is written", 1, "resume"),
    ("after the classifier is written", 1, "resume"),
    ("after the answers are written", 1, "resume"),
    ("after the report is written", 1, "resume"),
]


@pytest.mark.parametrize(
    "kills",
    [[("after an update", 14, "start")], pytest.param(KILLS, marks=pytest.mark.slow)],
    ids=["once", "at every kind of moment"],
)
def test_killed_a_run_ends_in_the_same_bytes(
    tmp_path: Path, tiny_settings: dict[str, object], kills: list[tuple[str, int, str]]
) -> None:
    settings = tiny_settings | EVERY_STEP
    whole = train("digits", model="resnet20_b", settings=settings, out=tmp_path / "whole")

    run = tmp_path / "killed" / "0001-resnet20_b-digits"
    commands = {
        "start": ["train", "digits", "--model", "resnet20_b", "--out", str(run.parent), *assignments(settings)],
        "resume": ["train", "--resume", str(run)],
    }
    steps = []
    for moment, count, command in kills:
        finished = run_killed(moment, count, *commands[command])
        assert finished.returncode == -signal.SIGKILL, (moment, finished.stderr)
        checkpoint, _ = newest_checkpoint(run / "checkpoints")
        steps.append(checkpoint.step if checkpoint else 0)
    assert steps == sorted(steps)
    if kills == KILLS:  # they fell within the first and second epoch, then at the end
        assert 0 < steps[0] < 10
        assert len(set(steps[:5])) >= 4
        assert steps[-1] == 30

    last = run_killed("never", 0, *commands["resume"])
    assert last.returncode == 0, last.stderr
    for name in ("classifier.safetensors", "answers.npz", "predictions.csv"):
        assert (run / name).read_bytes() == (whole.run / name).read_bytes(), name
    killed_rows, whole_rows = RunFolder(run).events("epoch"), RunFolder(whole.run).events("epoch")
    keys = ("epoch", "step", "train_loss", "train_top1", "val_loss", "val_top1")
    assert [[row[key] for key in keys] for row in killed_rows] == [[row[key] for key in keys] for row in whole_rows]
    assert not list((run / "checkpoints").glob(".*"))


@pytest.mark.slow
def test_a_compiled_run_in_bf16_resumes_in_the_same_bytes(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    settings = tiny_settings | EVERY_STEP | {"runtime.compile": "on", "runtime.precision": "bf16"}
    whole = train("digits", model="resnet20_b", settings=settings, out=tmp_path / "whole")
    assert whole.scores["test"].top1.value > 0.5

    start = ["train", "digits", "--model", "resnet20_b", "--out", str(tmp_path / "killed"), *assignments(settings)]
    assert run_killed("after an update", 14, *start).returncode == -signal.SIGKILL
    run = tmp_path / "killed" / whole.run.name
    assert run_killed("never", 0, "train", "--resume", str(run)).returncode == 0
    assert (run / "classifier.safetensors").read_bytes() == (whole.run / "classifier.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_request_to_stop_writes_a_checkpoint_and_exits(
    tmp_path: Path, tiny_settings: dict[str, object], number: signal.Signals, code: int
) -> None:
    settings = tiny_settings | {"epochs": 500}
    command = [sys.executable, "-m", "resnetkit", "train", "digits", "--model", "resnet20_b", "--out", str(tmp_path)]
    with subprocess.Popen([*command, *assignments(settings)], stderr=subprocess.PIPE, text=True) as process:
        metrics = tmp_path / "0001-resnet20_b-digits" / "metrics.jsonl"
        while not metrics.exists() or '"epoch"' not in metrics.read_text():
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "after writing a checkpoint" in errors
    checkpoint, damaged = newest_checkpoint(metrics.parent / "checkpoints")
    assert checkpoint is not None
    assert damaged == []
    assert checkpoint.step > 0


def test_a_finished_run_is_not_trained_again(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    first = train("digits", model="resnet20_b", settings=tiny_settings | {"epochs": 1}, out=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in first.run.rglob("*") if path.is_file()}
    again = resume(first.run)
    assert again.scores == first.scores
    assert {path: path.stat().st_mtime_ns for path in first.run.rglob("*") if path.is_file()} == before


def test_a_run_on_images_of_a_program_is_left_to_it(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    class Stopping(Listener):
        def epoch_ended(self, row: dict[str, object]) -> None:
            signal.raise_signal(signal.SIGTERM)

    images, labels = np.random.default_rng(0).integers(0, 256, (32, 8, 8), dtype=np.uint8), np.arange(32) % 2
    settings = tiny_settings | {"batch_size": 16}
    with pytest.raises(Interrupted):
        train(GivenData(images, labels, ("a", "b")), settings=settings, out=tmp_path, listener=Stopping())
    (run,) = tmp_path.iterdir()
    assert RunFolder(run).read_record().command == ""
    with pytest.raises(ResnetkitError, match="were given by a program, and are not kept"):
        resume(run)


def test_changed_data_are_refused(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    first = train("digits", model="resnet20_b", settings=tiny_settings | {"epochs": 1}, out=tmp_path)
    record = json.loads((first.run / "recipe.json").read_text())
    record["data"]["fingerprint"] = "0" * 64
    (first.run / "recipe.json").write_text(json.dumps(record))
    (first.run / "metrics.jsonl").unlink()
    with pytest.raises(ResnetkitError, match="data have changed") as caught:
        resume(first.run)
    assert caught.value.code == Code.DATA


def test_two_processes_cannot_train_in_one_folder(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    first = train("digits", model="resnet20_b", settings=tiny_settings | {"epochs": 1}, out=tmp_path)
    folder = RunFolder(first.run)
    with folder.locked(), pytest.raises(ResnetkitError, match="another process"), folder.locked():
        pass
    with folder.locked():
        pass


def test_a_run_in_progress_is_left_alone_before_anything_of_it_is_read(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train("digits", model="resnet20_b", settings=tiny_settings | {"epochs": 1}, out=tmp_path)
    (first.run / "metrics.jsonl").unlink()  # as if it had not ended yet
    monkeypatch.setattr(resuming, "newest_checkpoint", lambda *_: pytest.fail("read a checkpoint of a running run"))
    with RunFolder(first.run).locked(), pytest.raises(ResnetkitError, match="another process"):
        resume(first.run)


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError, match="no run folder"):
        resume(tmp_path)


def test_events_after_the_checkpoint_are_forgotten_and_a_cut_line_is_dropped(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (0, 10, 20):
        folder.record("epoch", step=step, epoch=1, train_loss=0.5, train_top1=0.5)
    with open(folder.metrics_file, "a") as file:
        file.write('{"event": "epo')
    folder.forget_after(10, 1)
    assert [event["step"] for event in folder.events()] == [0, 10]
    assert folder.metrics_file.read_text().count("\n") == 2
    assert os.listdir(tmp_path) == ["metrics.jsonl"]


def test_the_end_of_an_epoch_that_comes_again_is_forgotten(tmp_path: Path) -> None:
    """Killed between an epoch's line and its checkpoint: the last checkpoint is of the epoch's last step."""
    folder = RunFolder(tmp_path)
    for epoch in (1, 2):
        folder.record("epoch", epoch=epoch, step=10 * epoch, train_loss=0.5, train_top1=0.5)
    folder.forget_after(20, 1)
    assert [event["epoch"] for event in folder.events()] == [1]


def stopped_run(out: Path, settings: dict[str, object], *, step: int = 2) -> Path:
    """A run that was asked to stop in its first epoch, after ``step``."""

    class Stopper(Listener):
        def step_ended(self, report: StepReport) -> None:
            if report.step == step:
                signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted, match="SIGTERM"):
        train("digits", model="resnet20_b", settings=settings, out=out, listener=Stopper())
    (run,) = out.iterdir()
    return run


def test_stopped_in_its_last_step_a_run_leaves_the_classifier_that_it_tells_of(
    tmp_path: Path, tiny_settings: dict[str, object]
) -> None:
    run = RunFolder(stopped_run(tmp_path, tiny_settings | {"epochs": 1, "schedule.warmup_share": 0}, step=10))
    assert "the best epoch so far, 1, can be used" in run.log_file.read_text()
    assert run.best_file.is_file()
    resume(run.path)
    assert run.classifier_file.is_file()
    assert not run.best_file.exists()


def test_where_the_last_epoch_is_kept_it_is_not_called_the_best(
    tmp_path: Path, tiny_settings: dict[str, object]
) -> None:
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0, "keep": "last"}
    run = RunFolder(stopped_run(tmp_path, settings, step=10))
    assert "the last epoch so far, 1, can be used" in run.log_file.read_text()


def test_stopped_between_groups_of_steps_and_resumed_a_run_ends_in_the_bytes_of_single_steps(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path / "whole").run
    # As a GPU takes them. The loop looks a group ahead: when it stops, it holds one that it has not trained on.
    monkeypatch.setattr(batches, "steps_together", lambda *_: 3)
    run = stopped_run(tmp_path / "stopped", tiny_settings, step=3)
    checkpoint, _ = newest_checkpoint(run / "checkpoints")
    assert checkpoint is not None
    assert (checkpoint.epoch, checkpoint.step) == (0, 6)
    resume(run)
    assert (run / "classifier.safetensors").read_bytes() == (whole / "classifier.safetensors").read_bytes()


def test_a_changed_recipe_is_refused_by_name(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    run = stopped_run(tmp_path, tiny_settings)
    record = json.loads((run / "recipe.json").read_text())
    record["recipe"]["model"]["widths"] = [8, 16, 32]
    record["recipe"]["epochs"] = 4
    (run / "recipe.json").write_text(json.dumps(record))
    with pytest.raises(ResnetkitError, match="recipe has changed since the run was started: model, epochs") as caught:
        resume(run)
    assert caught.value.code == Code.WEIGHTS


def test_a_recipe_file_of_another_kind_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("[]")
    with pytest.raises(ResnetkitError, match="is damaged"):
        resume(tmp_path)


def test_a_request_to_one_of_several_processes_stops_all_for_its_signal(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each of two processes gets the signal in a step: their votes add up, the signals' numbers must not.
    monkeypatch.setattr(steps, "set_learning_rate", lambda *_: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(running_sums, "sum_over_ranks", lambda values, _: 2 * values)
    with pytest.raises(Interrupted, match="SIGTERM"):
        train("digits", model="resnet20_b", settings=tiny_settings, out=tmp_path)


def test_a_process_that_is_asked_alone_waits_for_the_others_to_agree() -> None:
    request = StopRequest()
    request(signal.SIGINT, None)
    assert request.agreed == 0
    request.agree([0.0, 0.0])  # summed before the signal came
    assert (request.asked, request.agreed) == (signal.SIGINT, 0)
    request.agree(request.votes())
    assert request.agreed == signal.SIGINT


THAW = {"fine_tuning.freeze": "stage2", "fine_tuning.thaw_every_epochs": 1, "fine_tuning.layer_decay": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_killed_while_a_stage_is_frozen_and_resumed_after_it_thaws_a_run_ends_in_the_same_bytes(
    tmp_path: Path, fine_settings: dict[str, object], optimizer: str
) -> None:
    # Ten steps an epoch. Stage 2 thaws after 10 updates, stage 1 after 20, the stem after 30.
    every_step = {"checkpoint_seconds": 0, "epochs": 4, "optimizer.kind": optimizer, "optimizer.learning_rate": 0.01}
    settings = fine_settings | THAW | every_step
    whole = train("digits", settings=settings, out=tmp_path / "whole").run
    run = tmp_path / "killed" / whole.name
    start = ["train", "digits", "--out", str(tmp_path / "killed"), *assignments(settings)]
    again = ["train", "--resume", str(run)]
    steps = []
    # "A checkpoint is renamed" comes once a step and once an epoch: within epoch 1, at its very end, within epoch 3.
    for moment, count, arguments in [
        ("after an update", 7, start),
        ("after a checkpoint is renamed", 4, again),
        ("after an update", 15, again),
    ]:
        finished = run_killed(moment, count, *arguments)
        assert finished.returncode == -signal.SIGKILL, finished.stderr
        checkpoint, _ = newest_checkpoint(run / "checkpoints")
        assert checkpoint is not None
        steps.append((checkpoint.epoch, checkpoint.step))
    assert steps == [(0, 6), (0, 10), (2, 24)]
    resume(run)
    assert (run / "classifier.safetensors").read_bytes() == (whole / "classifier.safetensors").read_bytes()
