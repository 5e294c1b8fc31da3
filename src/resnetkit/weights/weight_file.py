"""Content that was read from a weight file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

Kind = Literal["torch", "safetensors", "npz", "hdf5", "keras"]


@dataclass(frozen=True)
class WeightFile:
    """Content of a weight file.

    Attributes:
        path: the file itself, also where a folder was given.
        format: what kind of file it is.
        tensors: by the file's own names, without what wraps them all; Keras' as ``layer/variable``.
        metadata: whatever else was there, as plain values; a model's ``config.json`` as ``config``.
        notes: what was unwrapped, chosen or converted, for people to read.
        choices: of these, what whoever uses the weights must be told: what was chosen or left aside.
    """

    path: Path
    format: Kind
    tensors: dict[str, Tensor]
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
