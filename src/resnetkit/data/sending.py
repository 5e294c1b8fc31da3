"""Arrays sent to a device."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor


def send(values: npt.NDArray[Any], device: torch.device) -> Tensor:
    """A tensor of them on the device, without waiting for the device: CUDA has taken a copy when this returns."""
    return torch.from_numpy(values).to(device, non_blocking=True)
