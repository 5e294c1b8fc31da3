"""Checkpoints: all that resuming needs, durable, self-checking, without pickle.

A checkpoint is a folder ``step-NNNNNNNN-epoch-NNNN`` of safetensors files, ``state.json`` and ``manifest.json`` with
the SHA-256 of each. It appears by one rename, so it is whole or absent; a damaged one is found out by its manifest
and passed over.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from resnetkit.config import read_object
from resnetkit.errors import Code, ResnetkitError, summarize
from resnetkit.files import durable_folder, sha256_of

MANIFEST = "manifest.json"
STATE = "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """Tensors in named groups and JSON-ready state, after ``step`` updates and ``epoch`` whole epochs."""

    step: int
    epoch: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    state: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Write ``folder/step-NNNNNNNN-epoch-NNNN`` durably, then remove all others but the ``keep - 1`` before it.

    Later ones are those that resuming passed over because they are damaged: they must not outlive this one.
    """
    path = folder / folder_name(checkpoint.step, checkpoint.epoch)
    if path.exists():  # a damaged one that resuming passed over
        shutil.rmtree(path)
    with durable_folder(path) as temporary:
        for group, tensors in checkpoint.tensors.items():
            cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
            # Not save_file: only the owner may read its files, and a full disk is no OSError there.
            (temporary / f"{group}.safetensors").write_bytes(save(cpu))
        (temporary / STATE).write_text(json.dumps(checkpoint.state))
        files = {file.name: sha256_of(file) for file in sorted(temporary.iterdir())}
        (temporary / MANIFEST).write_text(json.dumps({**_position(checkpoint), "sha256": files}))
    kept = [other for other in _paths(folder) if other <= path][:keep]
    for other in set(_paths(folder)) - set(kept):
        shutil.rmtree(other, ignore_errors=True)
    return path


def folder_name(step: int, epoch: int) -> str:
    """Name of the folder of a checkpoint."""
    return f"step-{step:08d}-epoch-{epoch:04d}"


def _position(checkpoint: Checkpoint) -> dict[str, int]:
    return {"step": checkpoint.step, "epoch": checkpoint.epoch}


def newest_checkpoint(
    folder: Path, misfit: Callable[[Checkpoint], str] = lambda _: ""
) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole and fits, and the reasons why newer ones were passed over.

    Args:
        misfit: why a whole one cannot be gone on with; an empty text where it can.

    Raises:
        ResnetkitError: where one cannot be read. It may be whole, and a run that passes over it would remove it later.
    """
    damaged: list[str] = []
    for path in _paths(folder):
        try:
            checkpoint = _load(path)
            reason = misfit(checkpoint)
            if not reason:
                return checkpoint, damaged
        except FileNotFoundError as error:
            reason = repr(error)
        except OSError as error:
            raise ResnetkitError(
                Code.IO,
                f"cannot read the checkpoint {path}",
                why=str(error),
                fix="make it readable, or remove that folder to go on from the one before",
            ) from error
        except ResnetkitError as error:
            reason = error.what
        except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
            reason = summarize(error)
        damaged.append(f"{path.name}: {reason}")
    return None, damaged


def remove_leftovers(folder: Path) -> None:
    """Remove temporary folders that a killed process left behind."""
    for path in folder.glob(".step-*"):
        shutil.rmtree(path, ignore_errors=True)


def _paths(folder: Path) -> list[Path]:
    """Checkpoint folders, newest first."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if re.fullmatch(r"step-\d+-epoch-\d+", p.name)), reverse=True)


def _load(path: Path) -> Checkpoint:
    """Read a checkpoint whose files are those of its manifest.

    Raises:
        ValueError, KeyError, TypeError, RecursionError, SafetensorError: for one that is damaged.
    """
    manifest = read_object(path / MANIFEST)
    step, epoch, digests = manifest["step"], manifest["epoch"], manifest["sha256"]
    if path.name != folder_name(step, epoch):
        raise ValueError(f"{MANIFEST} is of step {step!r} and epoch {epoch!r}")
    # Not by the manifest's names, which may lead anywhere; and never from a pipe, which may last for ever.
    found = {file.name: file for file in path.iterdir() if file.is_file() and file.name != MANIFEST}
    if set(found) != set(digests):
        raise ValueError(f"{MANIFEST} lists other files: {', '.join(sorted(set(found) ^ set(digests)))}")
    changed = [name for name, file in found.items() if sha256_of(file) != digests[name]]
    if changed:
        raise ValueError(f"{', '.join(changed)} changed since it was written")
    tensors = {file.stem: load_file(file) for file in found.values() if file.suffix == ".safetensors"}
    return Checkpoint(step, epoch, tensors, read_object(path / STATE))
