"""Rounds, figures and how far to trust them."""

import pytest

from resnetkit.benchmarking.timing import Figure, percentile, time_rounds


class FakeWork:
    """Steps that each take as long as told, noted in a journal."""

    def __init__(self, name: str, seconds: float, journal: list[tuple[str, int]]) -> None:
        self.name, self.seconds, self.journal = name, seconds, journal

    def __call__(self, num_steps: int) -> list[float]:
        self.journal.append((self.name, num_steps))
        return [self.seconds] * num_steps


def test_works_take_turns_and_share_the_time() -> None:
    journal: list[tuple[str, int]] = []
    works = {name: FakeWork(name, seconds, journal) for name, seconds in (("quick", 0.01), ("slow", 9.0))}
    times = time_rounds(works, rounds=3, seconds=6.0)
    assert journal == [("quick", 1), ("slow", 1)] + [("quick", 100), ("slow", 1)] * 3
    assert [len(seconds) for seconds in times["quick"]] == [100] * 3
    assert times["slow"] == [[9.0]] * 3


def test_no_work_takes_no_time() -> None:
    assert time_rounds({}, rounds=3, seconds=1.0) == {}


def test_a_figure_is_steady_up_to_a_spread_of_a_fifth() -> None:
    assert Figure.of([90.0, 100.0, 110.0]).is_steady
    disturbed = Figure.of([89.0, 100.0, 110.0])
    assert not disturbed.is_steady
    assert disturbed.spread == pytest.approx(0.21)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 10.0), (0.95, 19.0), (1.0, 20.0), (0.0, 1.0)])
def test_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(20, 0, -1)], share) == expected
