"""A loss landscape as a figure, and how rough it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resnetkit.analysis.figure import Figure, Line, Lines, Matrix
from resnetkit.analysis.landscape import WHOLE, Floats, Landscape, Plane
from resnetkit.analysis.landscape_points import Progress, compute_landscape
from resnetkit.analysis.subject import Subject
from resnetkit.pages.formatting import percent

NOT_CONVEX = 0.1
NEAR_NATS = 1.0
SHOWN_NATS = 100.0  # a loss above it says only that the answers are nonsense
LEAST_SHOWN_NATS = 1e-3


@dataclass(frozen=True)
class Roughness:
    """Unevenness of a landscape; each number grows with it.

    Attributes:
        not_convex: share of the inner points where it curves downwards in some direction, by more than a tenth of how
            much it curves in any: the surface is no bowl there. The paper asks the same of the whole Hessian
            (Section 6); a surface that is not convex in two directions is not convex in all.
        num_minima: inner points lower than their eight neighbours, but for the middle.
        far: share of all points whose loss is more than 1 nat above that of the network.
    """

    not_convex: float
    num_minima: int
    far: float


def measure_roughness(landscape: Landscape) -> Roughness:
    """Measure a landscape; a point whose loss is not finite is far, and those about it are not convex."""
    losses = landscape.losses
    least, greatest = _curvatures(losses)
    is_bowl = least >= -NOT_CONVEX * np.maximum(np.abs(least), np.abs(greatest))  # never of NaN
    size, middle = len(losses), len(losses) // 2 - 1
    around = [losses[i : size - 2 + i, j : size - 2 + j] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    is_minimum = losses[1:-1, 1:-1] < np.fmin.reduce(around)
    is_minimum[middle, middle] = False
    is_near = losses <= landscape.centre.loss + NEAR_NATS
    return Roughness(float(1 - is_bowl.mean()), int(is_minimum.sum()), float(1 - is_near.mean()))


def _curvatures(losses: Floats) -> tuple[Floats, Floats]:
    """Least and greatest curvature of the surface at the inner points, by differences, per squared grid step."""
    middle = losses[1:-1, 1:-1]
    along = losses[1:-1, 2:] - 2 * middle + losses[1:-1, :-2]
    across = losses[2:, 1:-1] - 2 * middle + losses[:-2, 1:-1]
    mixed = (losses[2:, 2:] - losses[2:, :-2] - losses[:-2, 2:] + losses[:-2, :-2]) / 4
    mean, half = (along + across) / 2, np.hypot((along - across) / 2, mixed)
    return mean - half, mean + half


def show_landscape(
    subject: Subject, plane: Plane = WHOLE, folder: Path | None = None, progress: Progress | None = None
) -> Figure:
    """Compute and draw the landscape about a subject's weights, as :func:`compute_landscape` does."""
    return draw_landscape(compute_landscape(subject, plane, folder, progress=progress))


def draw_landscape(landscape: Landscape) -> Figure:
    """The figure: the two lines through the network, and the plane."""
    plane, rough, centre = landscape.plane, measure_roughness(landscape), landscape.centre
    steps = tuple(plane.steps.tolist())
    finite = landscape.losses[np.isfinite(landscape.losses)]
    ends = tuple(f"{step:g}" for step in (-plane.span, 0.0, plane.span))
    lines = tuple(
        Line(name, *_known(steps, losses))
        for name, losses in zip(("first direction", "second direction"), landscape.lines(), strict=True)
    )
    minima = {0: "is no other minimum", 1: "is one other minimum"}
    others = minima.get(rough.num_minima, f"are {rough.num_minima} other minima")
    return Figure(
        name="landscape",
        title="Loss landscape",
        source="arXiv:1712.09913, Figures 1 and 5",
        expected="A deep network with skips lies in a wide, smooth bowl. About one without, the surface is chaotic: it "
        "rises steeply, and much of it is not convex.",
        seen=f"The network's loss is {centre.loss:.3g} nats. It rises by more than 1 nat at {percent(rough.far, 0)} "
        f"of the points and up to {finite.max():.3g}; {percent(rough.not_convex, 0)} of the inner points are not "
        f"convex, and there {others} among them.",
        panels=(
            Lines("along two random directions", "step, in lengths of the filters", "loss, nats", lines, is_log=True),
            Matrix(
                "over the plane of both",
                "loss, nats",
                ends,
                ends,
                tuple(
                    tuple(None if not np.isfinite(loss) else loss for loss in row) for row in landscape.losses.tolist()
                ),
                low=float(np.clip(finite.min(), LEAST_SHOWN_NATS, SHOWN_NATS / 10)),
                high=float(np.clip(finite.max(), LEAST_SHOWN_NATS * 10, SHOWN_NATS)),
                spread="log",
            ),
        ),
        numbers={
            "loss": centre.loss,
            "error": centre.error,
            "not_convex": rough.not_convex,
            "other_minima": rough.num_minima,
            "far": rough.far,
            "highest_loss": float(finite.max()),
        },
        notes=(
            "biases, norms and their running statistics stay as they are, as in the authors' code",
            f"the loss is that of {landscape.num_images:,} images at {plane.grid} × {plane.grid} points: across, steps "
            f"along the first direction, down, along the second; losses above {SHOWN_NATS:g} nats have one colour",
        ),
    )


def _known(steps: tuple[float, ...], losses: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The steps and losses where these are finite."""
    known = [(step, loss) for step, loss in zip(steps, losses.tolist(), strict=True) if np.isfinite(loss)]
    return tuple(step for step, _ in known), tuple(loss for _, loss in known)
