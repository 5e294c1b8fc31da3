"""Answers in files: answers.npz for whatever asks about a run later, predictions.csv for people.

``answers.npz`` is numpy's own format, uncompressed and without pickles. For each split it holds the arrays
``val.labels``, ``val.digests``, ``val.trained_on`` and ``val.probabilities``, which are those of
:class:`~resnetkit.evaluation.answers.Answers`, and ``val.familiarity`` where it was kept; ``val.identifiers`` and
``class_names`` are JSON as bytes.

A split's probabilities are kept whole, as float32, up to :data:`MAX_NUMBERS` of them (64 MiB): sixteen thousand images
of a thousand classes. In a larger split of more than :data:`NUM_KEPT` classes, each image keeps its :data:`NUM_KEPT`
highest (``val.top_classes``, ``val.top_probabilities``) and that of its true class (``val.true_probabilities``): 40 MB
for the 50,000 validation images of ImageNet instead of 200. When they are read, the other classes share what remains
evenly. All scores stay what they were, to the last digit.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.evaluation.answers import Answers
from resnetkit.files import durable_file, write_durably
from resnetkit.foreign_json import parse_json
from resnetkit.images.types import Indices
from resnetkit.terminal import csv_line

FORMAT = 1
MAX_NUMBERS = 1 << 24
NUM_KEPT = 100
ROWS_TOGETHER = 4096
COLUMNS = (
    *("image", "split", "true_class", "predicted_class", "probability", "true_probability"),
    *("correct", "trained_on"),
)

Arrays = dict[str, npt.NDArray[Any]]


def save_answers(path: Path, answers: Iterable[Answers]) -> None:
    """Write answers to a new file, as its name says: ``.npz`` for :func:`write_answers`, ``.csv`` for a table.

    Raises:
        ResnetkitError: see :func:`check_new_file`.
    """
    check_new_file(path)
    WRITERS[path.suffix](path, answers)


def check_new_file(path: Path) -> None:
    """Refuse a file for answers that is there already, or whose name does not say what it is to be."""
    require(
        path.suffix in WRITERS,
        f"cannot tell from its name what to write to {path}",
        fix="end it in .csv for a table, or in .npz for all probabilities",
    )
    require(not path.exists(), f"{path} is there already", fix="give a new name, or remove it first")


def write_answers(path: Path, answers: Iterable[Answers]) -> None:
    """Write one classifier's answers on some splits durably; the same answers always give the same bytes."""
    arrays: Arrays = {"format": np.array(FORMAT)}
    for one in answers:
        arrays |= {"class_names": _as_bytes(one.class_names)}
        own: Arrays = {"identifiers": _as_bytes(one.identifiers), "digests": one.digests, "labels": one.labels}
        own |= {"trained_on": one.trained_on, **_kept(one)}
        own |= {} if one.familiarity is None else {"familiarity": one.familiarity}
        arrays |= {f"{one.split}.{name}": array for name, array in own.items()}
    with durable_file(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # one could be called allow_pickle, for all mypy knows


def read_answers(path: Path) -> dict[str, Answers]:
    """The answers in a file of :func:`write_answers`, by split.

    Raises:
        ResnetkitError: for a file that is missing, damaged, or of a later version.
    """
    require(
        path.is_file(),
        f"no answers at {path}",
        why="the run has not ended, or is of a version that kept none",
        fix="go on with it: resnetkit train --resume RUN; or evaluate anew: resnetkit evaluate RUN --answers FILE.npz",
        code=Code.WEIGHTS,
    )
    try:
        arrays = _read_arrays(path)
        if arrays["format"] != FORMAT:
            raise ValueError(f"it is of format {arrays['format']}, this version reads {FORMAT}")
        splits = [name.removesuffix(".labels") for name in arrays if name.endswith(".labels")]
        class_names = _as_names(arrays["class_names"]) if splits else ()
        return {split: _read_split(split, class_names, arrays) for split in splits}
    except DAMAGE as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error) or repr(error)
        fix = "evaluate anew: resnetkit evaluate RUN --answers FILE.npz"
        raise ResnetkitError(Code.WEIGHTS, f"the answers in {path} are damaged", why=why, fix=fix) from None


# What reading a damaged archive of arrays raises, and what is wrong with what was read.
DAMAGE: tuple[type[Exception], ...] = (
    *(OSError, ValueError, KeyError, TypeError, IndexError, EOFError, SyntaxError, zipfile.BadZipFile),
    *(RecursionError, MemoryError, NotImplementedError, RuntimeError),
)


def write_predictions(path: Path, answers: Iterable[Answers]) -> None:
    """Write a row of CSV for each image: what it is, what it was taken for, and how probable both were.

    Names stand as they are, also where a spreadsheet would take them for a formula.
    """
    rows = [COLUMNS, *(row for one in answers for row in _rows(one))]
    write_durably(path, "".join(map(csv_line, rows)).encode("utf-8", "surrogateescape"))


WRITERS: Mapping[str, Callable[[Path, Iterable[Answers]], None]] = {".npz": write_answers, ".csv": write_predictions}


def _rows(answers: Answers) -> Iterable[tuple[str, ...]]:
    words, names = ("false", "true"), answers.class_names
    for row, identifier in enumerate(answers.identifiers):
        yield (
            identifier,
            answers.split,
            names[answers.labels[row]],
            names[answers.predicted[row]],
            f"{answers.confidences[row]:.6f}",
            f"{answers.true_probabilities[row]:.6f}",
            words[int(answers.is_right[row])],
            words[int(answers.trained_on[row])],
        )


def _as_bytes(names: Iterable[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(list(names)).encode(), np.uint8)


def _as_names(array: npt.NDArray[Any]) -> tuple[str, ...]:
    names = parse_json(array.tobytes())
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("its names are no list of texts")
    return tuple(names)


def _read_arrays(path: Path) -> Arrays:
    """The arrays of a file of ours, which takes no more memory than it has bytes."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("it is compressed")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise ValueError("its parts are larger than the whole")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _read_split(split: str, class_names: tuple[str, ...], arrays: Arrays) -> Answers:
    """One split's answers, checked.

    Raises:
        ValueError: where something does not fit.
        KeyError: where something is missing.
    """
    own = {name.removeprefix(f"{split}."): array for name, array in arrays.items() if name.startswith(f"{split}.")}
    identifiers, labels = _as_names(own["identifiers"]), own["labels"]
    size, num_classes = len(identifiers), len(class_names)
    wanted = {"labels": (np.int64, (size,)), "digests": (np.uint64, (size,)), "trained_on": (np.bool_, (size,))}
    for name, (kind, shape) in wanted.items():
        if own[name].dtype != kind or own[name].shape != shape:
            raise ValueError(f"{split}.{name} is {own[name].dtype} {own[name].shape}, not {np.dtype(kind)} {shape}")
    if size and not (labels.min() >= 0 and labels.max() < num_classes):
        raise ValueError(f"{split}.labels are not all positions of one of {num_classes} classes")
    probabilities = own["probabilities"] if "probabilities" in own else _spread(own, num_classes)
    if probabilities.dtype != np.float32 or probabilities.shape != (size, num_classes):
        raise ValueError(f"{split}.probabilities are {probabilities.dtype} {probabilities.shape}")
    is_sound = bool((probabilities >= 0).all() and (np.abs(probabilities.sum(1, dtype=np.float64) - 1) < 1e-3).all())
    if not is_sound:  # NaN is not
        raise ValueError(f"{split}.probabilities do not all sum to 1")
    familiar = own.get("familiarity")
    if familiar is not None and (familiar.dtype != np.float32 or familiar.shape != (size,)):
        raise ValueError(f"{split}.familiarity is {familiar.dtype} {familiar.shape}, not float32 {(size,)}")
    num_exact = None if "probabilities" in own else own["top_classes"].shape[1]
    digests, old = own["digests"], own["trained_on"]
    return Answers(split, class_names, identifiers, digests, labels, old, probabilities, num_exact, familiar)


def _kept(answers: Answers) -> Arrays:
    """The probabilities that are kept, by the rule above."""
    probabilities = answers.probabilities
    if probabilities.size <= MAX_NUMBERS or probabilities.shape[1] <= NUM_KEPT:
        return {"probabilities": probabilities}
    parts = [probabilities[start : start + ROWS_TOGETHER] for start in range(0, len(answers), ROWS_TOGETHER)]
    classes = np.concatenate([_highest(part) for part in parts])
    return {
        "top_classes": classes.astype(np.int32),
        "top_probabilities": np.take_along_axis(probabilities, classes, axis=1),
        "true_probabilities": answers.true_probabilities,
    }


def _highest(probabilities: npt.NDArray[np.float32]) -> Indices:
    """The :data:`NUM_KEPT` most probable classes ``(N, NUM_KEPT)``, best first; of equal ones, the first."""
    least = -np.partition(-probabilities, NUM_KEPT - 1, axis=1)[:, NUM_KEPT - 1, None]
    is_above, is_equal = probabilities > least, probabilities == least
    num_missing = NUM_KEPT - is_above.sum(1, keepdims=True)
    is_kept = is_above | (is_equal & (is_equal.cumsum(1) <= num_missing))
    classes = np.nonzero(is_kept)[1].reshape(len(probabilities), NUM_KEPT)  # in the order of classes
    order = np.argsort(-np.take_along_axis(probabilities, classes, axis=1), axis=1, kind="stable")
    return np.take_along_axis(classes, order, axis=1)


def _spread(own: Arrays, num_classes: int) -> npt.NDArray[np.float32]:
    """All probabilities ``(N, K)``: those that were kept, and between the other classes evenly what remains."""
    classes, values, true_values = own["top_classes"], own["top_probabilities"], own["true_probabilities"]
    labels: Indices = own["labels"]
    size, rows = len(labels), np.arange(len(labels))
    is_sound = values.dtype == true_values.dtype == np.float32 and classes.dtype == np.int32 and values.ndim == 2
    if not is_sound or values.shape != classes.shape or (len(values), *true_values.shape) != (size, size):
        raise ValueError("its most probable classes have other shapes or types than their probabilities")
    if classes.size == 0 or classes.min() < 0 or classes.max() >= num_classes:
        raise ValueError(f"its most probable classes are not all positions of one of {num_classes} classes")
    is_kept = (classes == labels[:, None]).any(1)
    remaining = 1 - values.sum(1, dtype=np.float64) - np.where(is_kept, 0, true_values)
    num_others = np.maximum(num_classes - classes.shape[1] - ~is_kept, 1)
    # Below all that are kept, also where these were rounded, so that no class comes before another than it did.
    below = np.nextafter(values[:, -1], np.float32(0))
    others = np.clip((remaining / num_others).astype(np.float32), 0, below)
    whole = np.repeat(others[:, None], num_classes, axis=1)
    whole[rows[:, None], classes] = values
    whole[rows, labels] = true_values
    return whole
