"""A run below a notebook's cell: one output that is written over, and in the end says how the run ended."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.html_page import HOSTILE, Page

from resnetkit import jupyter, terminal
from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.notebook_progress import MAX_EPOCHS, NotebookListener, usual_listener
from resnetkit.runs.result import Result

STEP = StepReport(2, 3, 5, 10, 0.25, 0.9, 0.1, 1234.5, 75.0)


class Outputs:
    """What a notebook would show: the last state of each output, and how often it was written over."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []
        self.num_updates = 0

    def display(self, content: dict[str, str], *, raw: bool, display_id: bool) -> SimpleNamespace:
        self.shown.append(content)
        place = len(self.shown) - 1

        def update(content: dict[str, str], *, raw: bool) -> None:
            self.shown[place] = content
            self.num_updates += 1

        return SimpleNamespace(update=update)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Outputs:
    """A kernel as far as it is asked: a shell that has one, and outputs."""
    outputs = Outputs()
    ipython: Any = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    ipython.display = ModuleType("IPython.display")
    ipython.display.display = outputs.display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    return outputs


def row(epoch: int, **values: Any) -> dict[str, Any]:
    usual = {"train_loss": 0.5, "train_top1": 0.8, "images_per_second": 900.0, "elapsed_seconds": 3.0}
    return {"epoch": epoch, **usual, **values}


def test_one_output_is_written_over(notebook: Outputs) -> None:
    listener = NotebookListener()
    listener.message("run folder runs/0001")
    listener.epoch_ended(row(1, val_loss=0.4, val_top1=0.875))
    listener.last_shown = 0.0
    listener.step_ended(STEP)
    (shown,) = notebook.shown
    page = Page(shown["text/html"])
    assert page.all("progress") == [{"value": "15", "max": "30"}]
    assert "1 0.5000 80.00 % 0.4000 87.50 % 900 3.0 s" in page.text
    assert "epoch 2 of 3, step 5 of 10, 1 min 15 s to go: loss 0.2500, top-1 90.0 %" in page.text
    assert shown["text/plain"] == "epoch 1: top-1 87.50 %"
    assert notebook.num_updates == 2


def test_steps_are_shown_now_and_then(notebook: Outputs) -> None:
    listener = NotebookListener()
    for _ in range(100):
        listener.step_ended(STEP)
    assert notebook.num_updates <= 5


@pytest.mark.parametrize(
    ("tell", "end"),
    [
        (lambda listener: listener.run_ended(Result(Path("run"), {}, 1.0)), "finished"),
        (lambda listener: listener.run_stopped(ValueError("no disk")), "ended before its time: no disk"),
    ],
)
def test_in_the_end_the_bar_is_gone(notebook: Outputs, tell: Callable[[Listener], None], end: str) -> None:
    listener = NotebookListener()
    listener.step_ended(STEP)
    listener.epoch_ended(row(1))
    tell(listener)
    page = Page(notebook.shown[-1]["text/html"])
    assert not page.all("progress")
    assert page.text.endswith(end)
    assert notebook.shown[-1]["text/plain"] == f"epoch 1: top-1 80.00 %, {end}"


def test_names_cannot_be_more_than_names(notebook: Outputs) -> None:
    listener = NotebookListener()
    listener.message(HOSTILE)
    listener.warning(HOSTILE)
    page = Page(notebook.shown[-1]["text/html"])
    assert not page.all("script")
    assert not page.all("img")


def test_a_long_run_shows_its_last_epochs_and_the_best_so_far(notebook: Outputs) -> None:
    listener = NotebookListener()
    for epoch in range(1, MAX_EPOCHS + 4):
        listener.epoch_ended(row(epoch, val_loss=0.1, val_top1=0.5 + 0.01 * (epoch % 7)))
    listener.epoch_ended(row(MAX_EPOCHS + 3, val_loss=0.1, val_top1=0.9))  # told of once more
    page = Page(notebook.shown[-1]["text/html"])
    assert "3 before" in page.text
    assert [row["class"] for row in page.all("th") if row.get("scope") == "row"] == ["number"] * MAX_EPOCHS
    assert "<b>90.00" in notebook.shown[-1]["text/html"]


def test_it_is_chosen_in_a_notebook_alone(notebook: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(usual_listener(), NotebookListener)
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace())  # IPython on a terminal
    assert type(usual_listener()) is Listener
    monkeypatch.delitem(sys.modules, "IPython")
    assert not jupyter.in_notebook()


def test_bars_of_other_work_are_there_too_and_leave_nothing(notebook: Outputs) -> None:
    with terminal.progress_bar("reading <b>", 40) as advance:
        advance(10)
        (shown,) = notebook.shown
        assert shown["text/html"].startswith('<progress value="0" max="40"></progress> reading &lt;b&gt; 0 of 40')
    assert notebook.shown == [{"text/html": "", "text/plain": ""}]
    with terminal.progress_bar("quiet", 40, wanted=False) as advance:
        advance(10)
    assert len(notebook.shown) == 1
