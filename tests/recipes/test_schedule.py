"""The learning rate is a pure function of the step."""

import itertools

import pytest

from resnetkit.recipes.recipe import Schedule
from resnetkit.recipes.schedule import learning_rate_share


def shares(schedule: Schedule, num_steps: int = 100) -> list[float]:
    return [learning_rate_share(schedule, step, num_steps) for step in range(num_steps)]


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_decay_starts_full_falls_evenly_and_ends_near_its_final_share(shape: str) -> None:
    values = shares(Schedule(shape=shape, final_share=0.1))
    assert values[0] == 1.0
    assert all(later < earlier for earlier, later in itertools.pairwise(values))
    assert 0.1 < values[-1] < 0.12


def test_cosine_is_half_way_down_in_the_middle() -> None:
    assert learning_rate_share(Schedule(), 50, 100) == pytest.approx(0.5)


def test_warmup_rises_evenly_to_the_full_rate() -> None:
    values = shares(Schedule(warmup_share=0.2))
    assert values[:20] == pytest.approx([(i + 1) / 20 for i in range(20)])
    assert values[20] == 1.0


def test_step_divides_at_the_papers_milestones() -> None:
    schedule = Schedule("step", milestones=(0.5, 0.75))
    values = [learning_rate_share(schedule, s, 64_000) for s in (0, 31_999, 32_000, 47_999, 48_000)]
    assert values == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_a_warmup_of_nearly_the_whole_run_still_leaves_a_last_step() -> None:
    values = shares(Schedule(warmup_share=0.99), num_steps=10)
    assert values[-1] == pytest.approx(1.0)
