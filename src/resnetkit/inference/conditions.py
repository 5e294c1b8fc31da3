"""Conditions that an engine is chosen under: all that its speed and answers depend on, beside the classifier."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from resnetkit.classifier.prediction import BATCH_SIZE
from resnetkit.config import frozen, to_dict
from resnetkit.errors import require
from resnetkit.inference.engines import AUTO, check_names, find_kinds
from resnetkit.machine.precision import UsePrecision
from resnetkit.machine.processor import processor_name
from resnetkit.machine.threads import find_num_threads, may_have_gpu, version_of

# Pixels computed at once: 4 photographs of 224 × 224 for each thread. More gain no speed on a CPU and cost memory.
MAX_PIXELS_PER_THREAD = 4 * 224 * 224
# Settings that change how fast an engine is, or which instructions it uses.
VARIABLES = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_AFFINITY")


@frozen
class Conditions:
    """Conditions that a choice of engine holds under; :func:`find_conditions` finds those of this machine.

    Attributes:
        engines: names of those that may be taken; several only where the fastest of them is wanted.
        precision: what convs and matrix products are computed in.
        calibrate: in int8, the folder of images that ranges are measured on; empty for the run's own training images.
        batch_size: how many images are given at once; with :meth:`for_images`, how many are computed at once.
        num_threads: to compute with, but for torch, which has one number for the process.
        device: where to compute, as torch calls it.
        device_name: what a GPU calls itself; ``cpu`` for the processor.
        variables: of the environment, those that change instructions or speed.
        versions: of all packages that take part.
    """

    engines: tuple[str, ...]
    precision: UsePrecision
    calibrate: str
    batch_size: int
    num_threads: int
    device: str
    device_name: str
    processor: str
    num_cores: int | None
    variables: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def on_cpu(self) -> bool:
        """Tell whether the processor computes."""
        return self.device == "cpu"

    @property
    def is_choice(self) -> bool:
        """Tell whether something is to be measured or checked: torch alone in float32 is not."""
        return self.precision != "fp32" or self.engines != ("torch",)

    def for_images(self, image_size_px: int) -> Conditions:
        """Return the conditions for images of that size, of which a processor computes a few at once."""
        if not self.on_cpu:
            return self
        return replace(self, batch_size=chunk_size(self.batch_size, image_size_px, self.num_threads))

    def for_choice(self, image_size_px: int) -> Conditions:
        """Return the conditions that an engine is chosen under for images of that size.

        In int8 they are those for many images whatever the number: calibrating takes long, and is done once.
        """
        number = BATCH_SIZE if self.precision == "int8" else self.batch_size
        return replace(self, batch_size=number).for_images(image_size_px)

    def as_dict(self) -> dict[str, Any]:
        """All of them as plain values."""
        values: dict[str, Any] = to_dict(self)
        return values

    def digest(self) -> str:
        """SHA-256 of all of them."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()


def find_conditions(
    engine: str = AUTO,
    *,
    precision: UsePrecision = "fp32",
    calibrate: str | Path | None = None,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
) -> Conditions:
    """Find the conditions here for an engine of that name.

    A mistyped name is told before anything is loaded; torch is loaded only where there may be a GPU.

    Args:
        engine: a name of :data:`~resnetkit.inference.engines.NAMES`; ``auto``: any of those that can run here.
        precision: ``bf16`` and ``int8`` give other probabilities.
        calibrate: for ``int8``, a folder of images; None: training images of the classifier's own run.
        batch_size: how many images will be given at once; the fastest engine can depend on it.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ResnetkitError: for an unknown engine, precision or device, or an engine that cannot run here.
    """
    check_names(engine, precision)
    require(
        calibrate is None or precision == "int8",
        "images to calibrate on are for int8",
        fix="add --precision int8, or leave out --calibrate",
    )
    folder = "" if calibrate is None else os.path.realpath(os.path.expanduser(calibrate))
    require(not folder or os.path.isdir(folder), f"no folder of images at {calibrate}", fix="give one to --calibrate")
    require(batch_size >= 1, f"batch_size must be at least 1, got {batch_size}")
    num_threads = find_num_threads()  # before torch is loaded and after it the same, or nothing would be found again
    found, name = _find_device(device)
    kinds = find_kinds(engine, precision, on_cpu=found == "cpu")
    packages = sorted({"resnetkit", "numpy", "torch", *(package for kind in kinds for package in kind.packages)})
    return Conditions(
        engines=tuple(kind.name for kind in kinds),
        precision=precision,
        calibrate=folder,
        batch_size=batch_size,
        num_threads=num_threads,
        device=found,
        device_name=name,
        processor=f"{platform.machine()} {processor_name()}",
        num_cores=os.cpu_count(),
        variables={name: os.environ[name] for name in VARIABLES if name in os.environ},
        versions={package: version_of(package) for package in packages},
    )


def _find_device(device: str) -> tuple[str, str]:
    """The device as torch calls it, and its own name; without torch where there is no GPU to ask for."""
    if device == "cpu" or (device == "auto" and not may_have_gpu()):
        return "cpu", "cpu"
    from resnetkit.machine.device import device_name, find_device

    found = find_device(device)
    return str(found), device_name(found)


def chunk_size(batch_size: int, image_size_px: int, num_threads: int) -> int:
    """Number of images that are computed at once: a power of two, so that a choice serves nearby sizes too.

    >>> [chunk_size(n, 224, 2) for n in (1, 3, 64)], chunk_size(256, 32, 2)
    ([1, 2, 8], 256)
    """
    most = max(1, num_threads * MAX_PIXELS_PER_THREAD // image_size_px**2)
    return 1 << (min(batch_size, most).bit_length() - 1)
