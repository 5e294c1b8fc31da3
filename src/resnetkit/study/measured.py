"""Read from a run what the analysis of its network measures, once: the figures are kept beside the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from resnetkit.config import read_object
from resnetkit.errors import ResnetkitError
from resnetkit.files import sha256_of, write_durably
from resnetkit.models.spec import ResNetSpec
from resnetkit.runs.folder import RunFolder
from resnetkit.study.study import MeasuredReading

Numbers = Mapping[str, float]

# By reading, the figure of the analysis that it is of, and how it follows from that figure's numbers.
MEASURED: dict[MeasuredReading, tuple[str, Callable[[Numbers], float]]] = {
    "response_std": ("responses", lambda numbers: numbers["mean_std"]),
    "lesion_rise": ("lesions", lambda numbers: 100 * (numbers["top1"] - numbers["median_top1_without_one"])),
}


def read_measured(run: RunFolder, beside: Path, reading: MeasuredReading) -> float:
    """A reading of a finished run's network, on up to 1,000 of its test images.

    Args:
        beside: the folder in which the figure's numbers are kept; they are measured anew for another classifier.
    """
    figure, follow = MEASURED[reading]
    return follow(_read_numbers(run, beside / f"analysis-{figure}.json", figure))


def _read_numbers(run: RunFolder, file: Path, figure: str) -> Numbers:
    known_by = sha256_of(run.classifier_file)
    if file.is_file():
        try:
            kept = read_object(file)
            if kept["classifier_sha256"] == known_by:
                return {str(name): float(value) for name, value in kept["numbers"].items()}
        except (ResnetkitError, ValueError, KeyError, TypeError, AttributeError):
            pass  # damaged: measured anew
    from resnetkit.analysis.analyses import analyze

    numbers = analyze(run.path, figures=(figure,)).figures[0].numbers
    content = {"classifier_sha256": known_by, "numbers": numbers}
    write_durably(file, (json.dumps(content, indent=2) + "\n").encode())
    return numbers


@cache
def memory_bytes(spec: ResNetSpec, image_size_px: int) -> float:
    """Bytes that training keeps for the gradients of one image."""
    from resnetkit.anatomy.memory import measure_memory

    return float(measure_memory(spec, image_size_px).kept_bytes)
