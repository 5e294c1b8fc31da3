"""Computing a landscape's points, each kept on the disk as soon as it is known: what was killed goes on there."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import perf_counter

import torch
from safetensors.torch import save

from resnetkit.analysis.landscape import WHOLE, Height, Landscape, Plane, Point, Terrain
from resnetkit.analysis.subject import Subject
from resnetkit.config import to_dict
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import append_durably, io_errors, locked, make_folder, write_durably

Progress = Callable[[int, int, float], None]
"""Called with how many points are known, of how many, and the seconds that the rest will take."""


def compute_landscape(
    subject: Subject, plane: Plane = WHOLE, folder: Path | None = None, *, progress: Progress | None = None
) -> Landscape:
    """Compute the landscape of a subject that is shown images; its weights stay as they are.

    A call that is killed and made again goes on where it was, and the file is the same at the end. Its name holds a
    digest of everything that decides the numbers (:func:`digest_of`), so another plane, other images or other weights
    have a file of their own.

    Args:
        folder: where the points are kept, in ``landscape-….jsonl``; None: nowhere.

    Raises:
        ResnetkitError: where another process is at work there, the file is not one of ours, or the loss of the network
            as it is is no number.
    """
    sample = subject.shown()
    digest = digest_of(subject, plane)
    file = None if folder is None else folder / f"landscape-{digest[:12]}.jsonl"
    head = _line({"kind": "landscape", "digest": digest, **to_dict(plane), "seed": subject.seed, "images": len(sample)})
    with nullcontext() if folder is None else _alone_in(folder):
        known = {} if file is None else _read(file, head, plane)
        points = plane.points()[len(known) :]
        terrain = Terrain(subject.network, sample, seed=subject.seed)
        start = perf_counter()
        for number, (i, j) in enumerate(points, start=1):
            known[i, j] = height = terrain.height(plane.steps[j], plane.steps[i])
            is_usable = len(known) > 1 or math.isfinite(height.loss)
            require(is_usable, "the network's own loss is no number", code=Code.WEIGHTS)
            if file is not None:
                append_durably(file, _line([i, j, height.loss if math.isfinite(height.loss) else None, height.error]))
            if progress is not None:
                progress(len(known), plane.grid**2, (perf_counter() - start) / number * (len(points) - number))
    return Landscape.of(plane, known, len(sample))


def digest_of(subject: Subject, plane: Plane) -> str:
    """SHA-256 of everything that decides a landscape: network and weights, images, plane, seed, what computes it."""
    sample = subject.shown()
    words = [*map(to_dict, (subject.spec, sample.preprocessing, plane)), subject.seed, sample.pixels.shape]
    words += [torch.__version__, subject.device.type]
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in subject.network.state_dict().items()}
    for content in (save(tensors), sample.pixels.tobytes(), sample.labels.tobytes()):
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _alone_in(folder: Path) -> AbstractContextManager[None]:
    """Make the folder, and keep other processes out of its points."""
    with io_errors(f"make {folder}"):
        make_folder(folder)
    taken = ResnetkitError(
        Code.IO, f"another process computes a landscape in {folder}", fix="wait for it, or choose another folder"
    )
    return locked(folder, if_taken=taken)


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _read(file: Path, head: bytes, plane: Plane) -> dict[Point, Height]:
    """The points that a file holds; what a power cut left of a line is taken out, and a file that is missing begun."""
    with io_errors(f"read {file}"):
        content = file.read_bytes() if file.exists() else b""
    first, *lines = content[: content.rfind(b"\n") + 1].splitlines(keepends=True) or [head]
    points, heights = plane.points()[: len(lines)], []
    try:
        rows = [json.loads(line) for line in lines]
        heights = [Height(math.nan if loss is None else loss, error) for _, _, loss, error in rows]
        is_ours = first == head and [(i, j) for i, j, _, _ in rows] == points
    except (ValueError, TypeError):
        is_ours = False
    if not is_ours:
        raise ResnetkitError(
            Code.IO, f"{file} does not hold the points of this landscape", fix="move it away; it is computed anew then"
        )
    if content != b"".join([head, *lines]):
        write_durably(file, b"".join([head, *lines]))
    return dict(zip(points, heights, strict=True))
