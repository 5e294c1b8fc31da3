"""The classifier file without its network: where it is, and what it says about itself (no torch here)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open

from resnetkit.classifier.description import Description, from_sections, parse
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.foreign_json import check_safetensors_head

LEAST_SIDE = 1_024  # smaller numbers are never refused: a small network has few tensors, and kernels beside channels
FILE_NAME = "classifier.safetensors"
BEST_FILE_NAME = "best_so_far.safetensors"  # of a run that has not finished


def find_classifier(path: str | Path) -> Path:
    """The classifier file of a run folder, or the file itself.

    Raises:
        ResnetkitError: where there is none, saying what the folder is instead.
    """
    path = Path(path)
    if path.is_dir():
        file = path / FILE_NAME
        if not file.exists():
            raise _no_classifier(path)
        return file
    if not path.exists():
        raise ResnetkitError(
            Code.WEIGHTS, f"no run folder or classifier file at {path}", fix="resnetkit train prints the run's folder"
        )
    return path


def find_best(run: str | Path) -> Path:
    """The classifier file of a run as far as it has come: of the epoch that it keeps so far, until it has finished.

    Raises:
        ResnetkitError: where this is no run, or none of its epochs has ended.
    """
    folder = Path(run)
    require((folder / "recipe.json").is_file(), f"{run} is no run folder", fix="give the folder that train printed")
    best = folder / BEST_FILE_NAME
    return best if best.is_file() and not (folder / FILE_NAME).is_file() else find_classifier(folder)


def _no_classifier(folder: Path) -> ResnetkitError:
    """The error for a folder without a classifier, saying what there is instead."""
    what, best = f"no {FILE_NAME} in {folder}", folder / BEST_FILE_NAME
    if not (folder / "recipe.json").is_file():
        return ResnetkitError(
            Code.WEIGHTS, what, why="it is not a run folder", fix="give a run folder or a classifier file"
        )
    has_diverged = _has_diverged(folder)
    usable = (
        f"{best} is what it has come to so far (predict and evaluate: --checkpoint best); " if best.is_file() else ""
    )
    on = "start it again with a lower learning rate" if has_diverged else f"resnetkit train --resume {folder} goes on"
    why = "the run has diverged" if has_diverged else "the run has not finished"
    return ResnetkitError(Code.WEIGHTS, what, why=why, fix=usable + on)


def _has_diverged(run: Path) -> bool:
    metrics = run / "metrics.jsonl"
    lines = metrics.read_text(errors="replace").splitlines() if metrics.is_file() else []
    return bool(lines) and lines[-1].startswith('{"event": "diverged"')


def find_description(file: Path) -> Description | None:
    """Read what a file says of itself if it is a classifier of ours, by its head alone; None where it is none.

    Raises:
        ResnetkitError: for one of ours whose description does not hold.
    """
    try:
        head = _read_head(file)
    except (SafetensorError, OSError, ValueError):
        return None
    return None if head is None else _describe(file, head)


def read_description(file: Path) -> Description:
    """Read what a classifier file says about itself; its weights are not read.

    Raises:
        ResnetkitError: for a file that is damaged or of another kind.
    """
    try:
        head = _read_head(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise unreadable(file, error) from None
    if head is None:
        raise ResnetkitError(
            Code.WEIGHTS,
            f"{file} holds weights, but no network, preprocessing and class names",
            fix="give the classifier.safetensors of a run",
        )
    return _describe(file, head)


class _Head(NamedTuple):
    """The description's text, and the shapes of the tensors."""

    text: str
    shapes: list[list[int]]


def _read_head(file: Path) -> _Head | None:
    """The head of a classifier file; None for another safetensors file."""
    check_safetensors_head(file)
    # Opened for numpy, so that reading the head loads no torch.
    with safe_open(file, framework="np") as opened:
        text = (opened.metadata() or {}).get("resnetkit")
        return None if text is None else _Head(text, [opened.get_slice(n).get_shape() for n in opened.keys()])  # noqa: SIM118


def _describe(file: Path, head: _Head) -> Description:
    try:
        sections = parse(head.text, str(file))
        _check_claims(sections["model"], head.shapes)
        return from_sections(sections, file)
    except ResnetkitError as error:
        raise error if error.code is Code.WEIGHTS else invalid(file, error) from None
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ResnetkitError(Code.WEIGHTS, f"the description in {file} is damaged", why=repr(error)) from None


def _check_claims(model: object, shapes: list[list[int]]) -> None:
    """Refuse a network that is larger than the file's own tensors, before anything of it is made.

    Raises:
        ValueError: for more blocks or stages than there are tensors, or more channels, classes or pixels of a kernel
            than the longest of their sides.
    """
    longest = max([LEAST_SIDE, *(side for shape in shapes for side in shape)])
    waiting: list[object] = [model]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list):
            if len(item) > max(LEAST_SIDE, len(shapes)):
                raise ValueError(f"its network has a list of {len(item):,}, the file {len(shapes):,} tensors")
            waiting += item.values() if isinstance(item, dict) else item
        elif isinstance(item, int | float) and not abs(item) <= longest:  # NaN too
            raise ValueError(f"its network has the number {item:.6g}, its tensors at most {longest:,} on a side")
    depths = model.get("depths") if isinstance(model, dict) else None
    if isinstance(depths, list) and sum(depth for depth in depths if isinstance(depth, int)) > len(shapes):
        raise ValueError(f"its network has {sum(depths):,} blocks, the file {len(shapes):,} tensors")


def unreadable(file: Path, error: Exception) -> ResnetkitError:
    """The error for a file that is damaged as a whole."""
    return ResnetkitError(
        Code.WEIGHTS, f"{file} is not a readable classifier", why=str(error), fix="give the file that train wrote"
    )


def invalid(file: Path, error: ResnetkitError) -> ResnetkitError:
    """The error for a description whose parts do not hold, or do not fit each other."""
    return ResnetkitError(
        Code.WEIGHTS,
        f"the description in {file} is not valid",
        why=error.what,
        fix="give the file that train wrote",
    )
