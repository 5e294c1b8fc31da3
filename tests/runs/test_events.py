"""Whoever listens to a run hears of all of it, and cannot end it by failing."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resnetkit.errors import Code, ResnetkitError
from resnetkit.evaluation.answers import score_answers
from resnetkit.runs.events import EVENTS, Listener, Listeners, Logger, StepReport, telling_of_a_stop
from resnetkit.training import run
from resnetkit.training.interruption import Interrupted
from resnetkit.training.run import resume, train

DOCUMENT = Path(__file__).parents[2] / "docs" / "trackers.md"


class Everything(Listener):
    """Notes every event and what came with it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        for event in EVENTS:
            setattr(self, event, lambda *values, event=event: self.heard.append((event, values)))

    def heard_of(self, *, without: tuple[str, ...] = ("message", "warning")) -> list[str]:
        return [event for event, _ in self.heard if event not in without]


class Failing(Listener):
    """Raises in one event."""

    def __init__(self, event: str, error: BaseException) -> None:
        self.num_calls = 0

        def fail(*_: object) -> None:
            self.num_calls += 1
            raise error

        setattr(self, event, fail)


@pytest.fixture
def short(tiny_settings: dict[str, object], tmp_path: Path) -> dict[str, Any]:
    """What to train with for an epoch."""
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0}
    return {"data": "digits", "model": "resnet20_b", "settings": settings, "out": tmp_path / "runs"}


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_reaches_every_listener_in_order(event: str) -> None:
    one, two, three = Everything(), Everything(), Everything()
    getattr(Listeners(one, Listeners(two, three)), event)("value", 2)
    assert one.heard == two.heard == three.heard == [(event, ("value", 2))]


def test_all_that_a_listener_can_hear_are_events() -> None:
    assert set(EVENTS) == {
        *("message", "warning", "run_started", "step_ended", "epoch_ended", "run_ended", "run_stopped"),
    }


def test_a_run_tells_of_its_start_its_epochs_and_its_end(short: dict[str, Any]) -> None:
    listener = Everything()
    result = train(**short, listener=listener)
    assert listener.heard_of() == ["run_started", *["step_ended"] * 10, "epoch_ended", "run_ended"]
    heard = dict(listener.heard)
    folder, record, step = heard["run_started"]
    assert (folder.path, record, step) == (result.run, folder.read_record(), 0)
    assert record.recipe.epochs == 1
    (report,), (row,) = heard["step_ended"], heard["epoch_ended"]
    assert report.num_updates == row["step"] == 10
    (ended,) = heard["run_ended"]
    assert ended == result
    assert {name: score_answers(one) for name, one in ended.folder.read_answers().items()} == result.scores

    again = Everything()
    assert resume(result.run, listener=again) == result
    assert again.heard == [
        ("run_started", (folder, record, 10)),
        ("message", (f"{result.run} is finished; nothing to resume",)),
        ("run_ended", (result,)),
    ]


def test_a_step_is_counted_from_the_beginning_of_the_run() -> None:
    assert StepReport(3, 5, 4, 10, 0.5, 0.5, 0.1, 1.0, 1.0).num_updates == 24


def test_a_listener_that_fails_is_told_of_and_left_out_and_the_run_goes_on(short: dict[str, Any]) -> None:
    bad, good = Failing("step_ended", OSError("no route\nto host")), Everything()
    result = train(**short, listener=Listeners(bad, good))
    assert bad.num_calls == 1
    assert good.heard_of() == ["run_started", *["step_ended"] * 10, "epoch_ended", "run_ended"]
    told = [values[0] for event, values in good.heard if event == "warning"]
    (text,) = [text for text in told if "Failing" in text]
    assert re.fullmatch(
        r"Failing failed with OSError: no route \(test_events\.py, line \d+\) in step_ended: "
        "it hears no more of this run, which goes on",
        text,
    )
    assert f"warning: {text}" in result.folder.log_file.read_text()
    assert result.scores["test"].top1.num_images == 359


def test_a_listener_that_fails_before_there_is_a_folder_ends_no_run(
    short: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bad = Failing("message", ValueError("no such project"))
    assert train(**short, listener=bad).folder.classifier_file.is_file()
    assert bad.num_calls == 1
    assert "warning: Failing failed with ValueError: no such project" in capsys.readouterr().err


def test_what_must_be_heard_is_raised_and_so_is_an_interrupt() -> None:
    def full(_: str) -> None:
        raise ResnetkitError(Code.IO, "the disk is full")

    other = Everything()
    with pytest.raises(ResnetkitError, match="disk is full"):
        Listeners(Logger(full), other).message("hello")
    assert other.heard == []
    with pytest.raises(KeyboardInterrupt):
        Listeners(Failing("message", KeyboardInterrupt()), other).message("hello")


def test_listeners_that_all_fail_leave_the_log(tmp_path: Path) -> None:
    lines: list[str] = []
    late = Failing("warning", ValueError("too"))
    late.message = lambda text: lines.append(f"heard {text}")  # type: ignore[method-assign]
    tee = Listeners(Logger(lines.append), Failing("message", ValueError()), late)
    tee.message("hello")
    tee.message("again")
    failures = [f"warning: Failing failed with ValueError: {what}" for what in ("ValueError", "too")]
    assert [line.partition(" (")[0] for line in lines] == ["hello", *failures, "again"]


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (Interrupted(15), "stopped by SIGTERM"),
        (ResnetkitError(Code.DIVERGED, "the loss became nan", fix="a lower rate"), "the loss became nan"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_a_run_that_ends_before_its_time_tells_why(
    short: dict[str, Any], monkeypatch: pytest.MonkeyPatch, error: BaseException, logged: str
) -> None:
    def stop(*_: object) -> None:
        raise error

    monkeypatch.setattr(run.Loop, "run_all", stop)
    listener = Everything()
    with pytest.raises(type(error)):
        train(**short, listener=listener)
    assert listener.heard_of() == ["run_started", "run_stopped"]
    assert listener.heard[-1] == ("run_stopped", (error,))
    (folder,) = short["out"].iterdir()
    assert f"the run ends before its time: {logged}\n" in (folder / "log.txt").read_text()


def test_a_full_disk_is_what_is_told_where_it_is_why_a_run_stops() -> None:
    def full(_: str) -> None:
        raise ResnetkitError(Code.IO, "cannot write the log")

    with pytest.raises(ResnetkitError, match="cannot write the checkpoint"), telling_of_a_stop(Logger(full)):
        raise ResnetkitError(Code.IO, "cannot write the checkpoint")


@pytest.fixture
def table_of_runs() -> Callable[[Path], Listener]:
    """The tracker of the documents."""
    code, _ = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(code.splitlines()) < 40, "a tracker is one small file"
    names: dict[str, Any] = {}
    exec(code, names)
    return names["TableOfRuns"]  # type: ignore[no-any-return]


def test_the_tracker_of_the_documents_follows_runs_by_their_events_alone(
    short: dict[str, Any], tmp_path: Path, table_of_runs: Callable[[Path], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "runs.csv"
    result = train(**short, listener=table_of_runs(table))
    (row,) = result.folder.events("epoch")
    resume(result.run, listener=table_of_runs(table))
    name = result.run.name
    began = "resnet20_b on digits, learning rate 0.1"
    end = [
        [name, "", f"{split}: {result.run / 'classifier.safetensors'}", str(result.scores[split].top1.value)]
        for split in ("val", "test")
    ]
    rows = [[name, "0", began, ""], [name, "10", "epoch ended", str(row["val_top1"])], *end]
    assert list(csv.reader(table.open(newline=""))) == [*rows, [name, "10", began, ""], *end]
