"""Customs that both estimators keep: their tags for scikit-learn, the way of images to pixels, warnings, the device."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch

from resnetkit.images.image_inputs import take_images
from resnetkit.images.prepared_inputs import iter_prepared, stack_readable
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import UInt8Images
from resnetkit.models.resnet import ResNet

NOBODYS_LINES = ("resnetkit", "sklearn", "joblib")  # where a warning helps no one: packages between a user and a fit


def tag_images(tags: Any) -> Any:
    """Say in scikit-learn's tags that images are taken: arrays of three axes or four, and names of files; no tables."""
    tags.input_tags.two_d_array = False
    tags.input_tags.three_d_array = True
    tags.input_tags.string = True
    return tags


def iter_pixels(images: Any, preprocessing: Preprocessing, limits: Limits, *, batch_size: int) -> Iterator[UInt8Images]:
    """Yield what a network takes of images, uint8 ``(n, C, S, S)``, and warn of what of them it does not see.

    Raises:
        ResnetkitError: for what are no images, and for the first one that cannot be read.
    """
    taken = list(take_images(images))
    notes: Counter[str] = Counter()
    for batch in iter_prepared(taken, preprocessing, limits, batch_size=batch_size):
        yield stack_readable(batch, fix="leave it out")
        notes.update(image.note for image in batch if image.note)
    for note, number in notes.items():
        warn(f"{number:,} of {len(taken):,} images: each {note}")


def warn(text: str) -> None:
    """Warn, of the user's line that led here."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in NOBODYS_LINES:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)


def on_device(network: ResNet, device: torch.device) -> ResNet:
    """The network where it is to compute; a fitted one stays on the CPU, so that it can be pickled for any machine."""
    if next(network.parameters()).device == device:
        return network
    return copy.deepcopy(network).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
