"""Whoever listens to a run hears of all of it."""

from pathlib import Path

import pytest

from resnetkit.runs.events import EVENTS, Listener, Listeners
from resnetkit.training.run import train


class Everything(Listener):
    """Notes every event and what came with it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, tuple[object, ...]]] = []
        for event in EVENTS:
            setattr(self, event, lambda *values, event=event: self.heard.append((event, values)))


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_reaches_every_listener_in_order(event: str) -> None:
    one, two = Everything(), Everything()
    getattr(Listeners(one, Listeners(two)), event)("value", 2)
    assert one.heard == two.heard == [(event, ("value", 2))]


def test_a_run_tells_of_its_start_its_epochs_and_its_end(tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    listener = Everything()
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0}
    result = train("digits", model="resnet20_b", settings=settings, out=tmp_path, listener=listener)
    told = [event for event, _ in listener.heard if event not in ("message", "warning")]
    assert told == ["run_started", *["step_ended"] * 10, "epoch_ended", "run_ended"]
    (folder, recipe), (scores,) = (dict(listener.heard)[event] for event in ("run_started", "run_ended"))
    assert folder == result.run
    assert recipe.epochs == 1
    assert scores == result.scores
