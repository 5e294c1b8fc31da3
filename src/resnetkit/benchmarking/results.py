"""Results in figures that say how far to trust them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from resnetkit.benchmarking.plan import Case
from resnetkit.benchmarking.timing import MIN_FOR_TAIL, Figure, percentile
from resnetkit.pages.formatting import plain_percent

PASSES_OF_TRAINING = 3
"""Forward, the gradients of the maps and those of the weights: each costs as much."""


@dataclass(frozen=True)
class Row:
    """Result of a case; where it could not run, ``reason`` says why and there are no figures.

    Attributes:
        multiply_adds: of one image's forward pass.
        engine, precision: what computed, and in what; training has the loop's own.
        step_ms: of one batch; ``p95`` where enough steps were timed one by one.
        flops_per_second: achieved: 2 × multiply-adds × images/s, in training 3 times that; None where part of the
            network is frozen, which saves some of it.
        peak_share: of the peak measured in the same precision.
        peak_bytes: the most memory in use at once, of the whole process, or on a GPU of the tensors on it.
    """

    case: Case
    multiply_adds: int
    engine: str = "torch"
    precision: str = "fp32"
    reason: str = ""
    images_per_second: Figure | None = None
    step_ms: dict[str, float | None] | None = None
    num_steps: int = 0
    flops_per_second: float | None = None
    peak_share: float | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True)
class Benchmark:
    """All rows, and what they were measured on.

    Attributes:
        device: the GPU's name, or the processor's.
        peak_flops_per_second: measured by precision, of products of matrices.
        precision: of training.
        load_average: processes that wanted a core in the minute before.
    """

    subject: str
    recipe: dict[str, Any]
    environment: dict[str, Any]
    device: str
    measured_at: str
    precision: str
    compiled: bool
    load_average: float
    peak_flops_per_second: dict[str, float]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]

    def as_values(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rows = [{**(values := asdict(row)).pop("case"), **values} for row in self.rows]
        return {**asdict(self), "rows": rows, "warnings": list(self.warnings)}


def with_figures(
    row: Row, rounds: Sequence[Sequence[float]], *, peak: float, passes: int | None, one_by_one: bool = True
) -> Row:
    """A row with what its rounds say.

    Args:
        rounds: seconds of every step.
        peak: floating-point operations per second to compare with.
        passes: what an image costs, in forward passes; None where that is not known.
        one_by_one: whether every step was timed by itself; what some took together tells nothing of the slowest.
    """
    case = row.case
    images_per_second = Figure.of([case.batch_size * len(seconds) / sum(seconds) for seconds in rounds])
    steps = [1e3 * seconds for one in rounds for seconds in one]
    flops = None if passes is None else 2 * row.multiply_adds * passes * images_per_second.median
    return replace(
        row,
        images_per_second=images_per_second,
        step_ms={
            "p50": percentile(steps, 0.5),
            "p95": percentile(steps, 0.95) if one_by_one and len(steps) >= MIN_FOR_TAIL else None,
        },
        num_steps=len(steps),
        flops_per_second=flops,
        peak_share=None if flops is None else flops / peak,
    )


def warning_about_spread(rows: Iterable[Row]) -> str | None:
    """A sentence where rounds of the same work took different times."""
    figures = [row.images_per_second for row in rows if row.images_per_second is not None]
    unsteady = [figure.spread for figure in figures if not figure.is_steady]
    if not unsteady:
        return None
    return (
        f"{len(unsteady)} of {len(figures)} cases differ by up to {plain_percent(max(unsteady), 0)} from round to "
        "round: something else used the machine, so do not rely on their figures"
    )
