"""How rough a surface is, of surfaces whose shape is known; and what the figure says."""

import numpy as np
import pytest

from resnetkit.analysis.figure import Figure, Lines, Matrix
from resnetkit.analysis.landscape import Floats, Landscape, Plane
from resnetkit.analysis.landscape_figure import Roughness, draw_landscape, measure_roughness
from resnetkit.config import from_dict, to_dict

PLANE = Plane(21, 1.0)
A, B = np.meshgrid(PLANE.steps, PLANE.steps)


def landscape(losses: Floats) -> Landscape:
    return Landscape(PLANE, losses, np.zeros_like(losses), 10)


def test_a_bowl_is_convex_and_has_one_minimum() -> None:
    is_far = A**2 + B**2 > 0.5
    assert measure_roughness(landscape(2 * (A**2 + B**2))) == Roughness(0.0, 0, pytest.approx(is_far.mean()))
    raised = measure_roughness(landscape(5 + 2.1 * (A**2 + B**2)))
    assert raised.far == pytest.approx((2.1 * (A**2 + B**2) > 1).mean())  # above the middle
    assert measure_roughness(landscape(0.4 * A**2 + 0.3 * B**2)) == Roughness(0.0, 0, 0.0)


def test_a_saddle_is_convex_nowhere() -> None:
    assert measure_roughness(landscape(A**2 - B**2)).not_convex == 1.0
    assert measure_roughness(landscape(A * B)).not_convex == 1.0  # which the axes alone do not show


def test_a_valley_that_bends_down_a_little_is_still_convex() -> None:
    assert measure_roughness(landscape(A**2 - 0.09 * B**2)).not_convex == 0.0
    assert measure_roughness(landscape(A**2 - 0.11 * B**2)).not_convex == 1.0


def test_minima_beside_the_middle_are_counted() -> None:
    dents = A**2 + B**2
    dents[3, 3] -= 1
    dents[15, 4] -= 1
    dents[0, 7] -= 3  # at the edge nobody knows
    assert measure_roughness(landscape(dents)).num_minima == 2


def test_a_loss_that_is_no_number_is_far_and_no_bowl() -> None:
    bowl = 0.1 * (A**2 + B**2)
    bowl[5, 5] = np.nan
    rough = measure_roughness(landscape(bowl))
    assert rough.not_convex == pytest.approx(9 / 19**2)
    assert rough.far == pytest.approx(1 / 21**2)
    assert rough.num_minima == 0


def test_the_figure_holds_the_plane_and_the_two_lines_through_the_network() -> None:
    losses = 0.5 + 300 * A**2 + 2 * B**2
    losses[10, 20] = np.nan
    figure = draw_landscape(landscape(losses))
    lines, matrix = figure.panels
    assert isinstance(lines, Lines)
    assert isinstance(matrix, Matrix)
    assert [len(line.x) for line in lines.lines] == [20, 21]
    assert lines.lines[1].y[10] == 0.5
    assert matrix.values[10][20] is None
    assert (matrix.low, matrix.high, matrix.spread) == (0.5, 100.0, "log")
    assert "0.5 nats" in figure.seen
    assert "no other minimum" in figure.seen
    assert from_dict(Figure, to_dict(figure)) == figure
