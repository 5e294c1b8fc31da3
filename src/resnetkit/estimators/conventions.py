"""Tags that both estimators give scikit-learn, and the device that both compute on."""

from __future__ import annotations

import copy
from typing import Any

import torch

from resnetkit.models.resnet import ResNet


def tag_images(tags: Any) -> Any:
    """Say in scikit-learn's tags that images are taken: arrays of three axes or four, and names of files; no tables."""
    tags.input_tags.two_d_array = False
    tags.input_tags.three_d_array = True
    tags.input_tags.string = True
    return tags


def on_device(network: ResNet, device: torch.device) -> ResNet:
    """The network where it is to compute; a fitted one stays on the CPU, so that it can be pickled for any machine."""
    if next(network.parameters()).device == device:
        return network
    return copy.deepcopy(network).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
