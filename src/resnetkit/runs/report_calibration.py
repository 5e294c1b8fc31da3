"""Calibration as a report draws it: before and after the temperature was fitted."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from resnetkit.evaluation.calibration import Calibration
from resnetkit.pages.charts import Series, line_chart
from resnetkit.pages.formatting import percent


@dataclass(frozen=True)
class DrawnCalibration:
    """Calibration on the images that a report is about; ``before`` is None of runs that did not measure it."""

    after: Calibration
    before: Calibration | None = None

    @property
    def named(self) -> list[tuple[str, Calibration]]:
        """Those that there are, by their names."""
        if self.before is None:
            return [("as answered", self.after)]
        return [("before", self.before), ("after", self.after)]

    def diagram(self) -> Markup:
        """Reliability diagram: how often answers are right, by the probability that they state."""
        lines = [
            Series(
                name,
                [100 * one.confidence for one in measured.bins],
                [one.accuracy for one in measured.bins],
                colour=0 if measured is self.after else 1,
            )
            for name, measured in self.named
        ]
        perfect = Series("perfect", [0, 100], [0, 1], colour=7, is_dashed=True)
        return line_chart([*lines, perfect], "stated probability, %", "Right", percent)
