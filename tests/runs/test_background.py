"""A run waits for no listener in the background, and loses none of what it tells to one that keeps up."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from resnetkit.runs import background
from resnetkit.runs.background import InBackground
from resnetkit.runs.events import Listener, Listeners, StepReport
from resnetkit.training.run import train

REPORT = StepReport(1, 1, 1, 10, 0.5, 0.5, 0.1, 1.0, 1.0)


class Noting(Listener):
    """Notes what it hears and in which thread, after waiting until it may."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.threads: set[threading.Thread] = set()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def note(self, value: Any) -> None:
        self.may_go_on.wait()
        self.threads.add(threading.current_thread())
        self.heard.append(value)

    def message(self, text: str) -> None:
        self.note(text)

    def step_ended(self, report: StepReport) -> None:
        self.note(report)

    def epoch_ended(self, row: dict[str, Any]) -> None:
        self.note(row["epoch"])

    def run_ended(self, result: Any) -> None:
        self.note(result)

    def run_stopped(self, error: BaseException) -> None:
        self.note(error)


class Warned(Listener):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def test_all_is_heard_in_order_in_another_thread_by_the_end_of_a_run() -> None:
    noting = Noting()
    listener = InBackground(noting)
    for number in range(50):
        listener.message(str(number))
    listener.run_ended("end")  # type: ignore[arg-type]
    assert noting.heard == [*map(str, range(50)), "end"]
    (thread,) = noting.threads
    assert thread is not threading.current_thread()
    assert not thread.is_alive()
    listener.run_stopped(stop := KeyboardInterrupt())  # of another run
    assert noting.heard[-1] is stop


def test_a_run_does_not_wait_and_a_slow_listener_misses_steps_but_no_epoch() -> None:
    noting = Noting()
    noting.may_go_on.clear()
    listener, others = InBackground(noting), 3
    for _ in range(background.MOST_WAITING + others):
        listener.step_ended(REPORT)  # returns, though the listener waits
    listener.epoch_ended({"epoch": 1})
    noting.may_go_on.set()
    listener.run_ended("end")  # type: ignore[arg-type]
    assert noting.heard[-2:] == [1, "end"]
    assert background.MOST_WAITING <= noting.heard.count(REPORT) < background.MOST_WAITING + others


@pytest.mark.parametrize("error", [OSError("no route"), SystemExit(1)])
def test_what_a_listener_raises_is_told_once_with_its_name_and_place(error: BaseException) -> None:
    class Failing(Listener):
        def message(self, text: str) -> None:
            raise error

    warned = Warned()
    listeners = Listeners(warned, InBackground(Failing()))
    listeners.message("one")
    for _ in range(100):  # it is told of at an event after that
        listeners.step_ended(REPORT)
        time.sleep(0.001)
    listeners.run_ended(None)  # type: ignore[arg-type]
    (told,) = warned.warnings
    assert told.startswith("Failing failed with ")
    assert str(error) in told
    assert ("(test_background.py, line " in told) == isinstance(error, Exception)
    assert told.endswith("it hears no more of this run, which goes on")


def test_a_listener_that_fails_at_the_end_is_told_of() -> None:
    class Failing(Listener):
        def run_ended(self, result: object) -> None:
            raise ValueError("too large")

    warned = Warned()
    Listeners(warned, InBackground(Failing())).run_ended(None)  # type: ignore[arg-type]
    (told,) = warned.warnings
    assert "Failing failed with ValueError: too large" in told


def test_a_listener_that_hangs_is_given_up_within_its_deadline_in_a_run_and_at_its_end() -> None:
    noting, late, warned = Noting(), Noting(), Warned()
    noting.may_go_on.clear()
    late.may_go_on.clear()
    listeners = Listeners(warned, InBackground(noting, deadline_seconds=0.05))
    listeners.message("hangs")
    started = time.monotonic()
    while not warned.warnings and time.monotonic() - started < 5:
        listeners.step_ended(REPORT)
        time.sleep(0.01)
    assert warned.warnings == [
        "Noting failed with TimeoutError: it was not done within 0.05 s in step_ended: it hears no more of this run, "
        "which goes on"
    ]
    at_end = Listeners(warned, InBackground(late, deadline_seconds=0.05))
    at_end.run_ended(None)  # type: ignore[arg-type]
    assert "it was not done within 0.05 s in run_ended" in warned.warnings[1]
    noting.may_go_on.set()
    late.may_go_on.set()


def test_a_run_goes_on_to_its_end_with_a_listener_that_hangs(tiny_settings: dict[str, object], tmp_path: Path) -> None:
    noting, warned = Noting(), Warned()
    noting.may_go_on.clear()
    listener = Listeners(warned, InBackground(noting, deadline_seconds=0.05))
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0}
    result = train("digits", model="resnet20_b", settings=settings, out=tmp_path, listener=listener)
    assert result.folder.report_file.is_file()
    assert len([text for text in warned.warnings if "Noting failed with TimeoutError" in text]) == 1
    assert noting.heard == []
    noting.may_go_on.set()
