"""Wrongly classified images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Mistake:
    """A wrongly classified image.

    Attributes:
        pixels: uint8 (C, H, W); of other than one or three channels only the first is shown.
        probability: what the classifier gave the predicted class.
        true_probability: what it gave the true one.
    """

    identifier: str
    pixels: npt.NDArray[np.uint8]
    true_name: str
    predicted_name: str
    probability: float
    true_probability: float
