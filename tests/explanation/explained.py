"""Explanations made by hand: an image, a window, a map."""

import numpy as np

from resnetkit.explanation.explanation import Explanation, HeatMap
from resnetkit.images.preprocessing import Window


def explained(
    shape: tuple[int, int] = (100, 140),
    window: Window = Window(30, 10, 80, 80),  # noqa: B008 - a value
    values: np.ndarray | None = None,
    *,
    source: str = "cat.png",
    names: tuple[str, ...] = ("cat", "dog", "fish"),
    against: str | None = None,
    light: int = 200,
) -> Explanation:
    """A readable image of one grey, and a Grad-CAM map; left out, one that is strongest in the upper left corner."""
    if values is None:
        values = np.zeros((8, 8))
        values[:2, :2] = 3
    heat = HeatMap("grad_cam", "stage2", names[0], against, values.astype(np.float32))
    image = np.full((*shape, 3), light, np.uint8)
    probabilities = np.linspace(0.6, 0.1, len(names), dtype=np.float32)
    return Explanation(source, "ok", "", image, window, probabilities, names, (heat,))
