"""Fingerprint of loaded data, and what the user should know about them."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from resnetkit.data.datasets import DATASETS
from resnetkit.data.types import DataAudit, Split
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import Indices, mean_middle_share
from resnetkit.pages.formatting import plain_percent
from resnetkit.terminal import first_few, quoted, shown

FEW_IMAGES = 10
MUCH_LOST = 0.1  # of a class
SHOWN_FILES = 5
SHOWN_CLASSES = 5
CUT_OFF_SHARE = 0.65  # of photographs that are 4 : 3 or 3 : 2, more is in the middle square; of 16 : 9, less
SHOWS_THEM = "shows them, and those that only look the same"

Reasons = Mapping[int, str]


def fingerprint(class_names: Sequence[str], splits: Mapping[str, Split], sha256: Mapping[str, Sequence[bytes]]) -> str:
    """SHA-256 over class names and every split's identifiers, labels and contents (by their own SHA-256).

    It does not depend on how the images are preprocessed, nor on whether they are kept in memory.
    """
    total = hashlib.sha256("\0".join(class_names).encode("utf-8", "surrogateescape"))
    for name, split in splits.items():
        total.update(f"\0{name}\0{len(split)}\0".encode())
        for identifier, label, content in zip(split.identifiers, split.labels, sha256[name], strict=True):
            total.update(f"{identifier}\0{label}\0".encode("utf-8", "surrogateescape") + content)
    return total.hexdigest()


def warnings_about(
    class_names: Sequence[str], splits: Mapping[str, Split], trained: Sequence[str] = ("train",)
) -> tuple[str, ...]:
    """A sentence about images that are in two splits, one about such in two classes, and on classes with few images.

    Args:
        trained: the splits that are trained on; how many images a class has for scoring is told by the interval.
    """
    names = list(splits)
    pairs = [(splits[other], splits[name]) for place, name in enumerate(names) for other in names[:place]]
    shared = [text for earlier, later in pairs for text in _shared_images(earlier, later)]
    doubtful = [text for split in splits.values() for text in _images_of_two_classes(split)]
    found = ["; ".join(texts) for texts in (shared, doubtful) if texts]
    return (*found, *about_small_classes(class_names, splits, trained))


def audit_splits(class_names: Sequence[str], splits: Mapping[str, Split]) -> DataAudit:
    """Count what the digests and labels of some splits, in their order, tell."""
    parts = list(splits.values())
    if not parts:
        return DataAudit(0, 0, 0, {})
    numbers = np.repeat(np.arange(len(parts)), [len(split) for split in parts])
    labels = np.concatenate([split.labels for split in parts])
    pictures = np.unique(np.concatenate([split.digests for split in parts]), return_inverse=True)[1]
    num_pictures = int(pictures.max(initial=-1)) + 1
    earliest = np.full(num_pictures, len(parts))
    np.minimum.at(earliest, pictures, numbers)
    by_class = np.unique(np.stack([pictures, labels], 1), axis=0)
    by_place = np.unique(np.stack([pictures, labels, numbers], 1), axis=0)
    return DataAudit(
        num_leaks=int((numbers > earliest[pictures]).sum()),
        num_conflicts=int((np.bincount(by_class[:, 0], minlength=num_pictures) > 1).sum()),
        num_duplicates=len(labels) - len(by_place),
        class_sizes={
            name: tuple(np.bincount(split.labels, minlength=len(class_names)).tolist())
            for name, split in splits.items()
        },
    )


def audit_advice(source: str) -> str:
    """A sentence on what shows images that are in two splits or classes, to be typed where the command is run.

    What is no data set, folder or list has been given by a program, which then has to ask.

    >>> audit_advice("digits")
    'resnetkit audit digits shows them, and those that only look the same'
    >>> audit_advice("given-images")
    'resnetkit.audit.auditing.audit_data shows them, and those that only look the same'
    """
    if source not in DATASETS and not Path(source).expanduser().exists():
        return f"resnetkit.audit.auditing.audit_data {SHOWS_THEM}"
    near = os.path.relpath(source) if os.path.isabs(source) else source
    place = source if near.startswith(os.pardir) else near
    return f"resnetkit audit {shlex.quote(place)} {SHOWS_THEM}"


def about_small_classes(
    class_names: Sequence[str], splits: Mapping[str, Split], trained: Sequence[str]
) -> tuple[str, ...]:
    """Sentences about classes with few images to train on."""
    found: list[str] = []
    for name in (name for name in splits if name in trained):
        counts = np.bincount(splits[name].labels, minlength=len(class_names))
        found += _class_sizes(class_names, counts.tolist())
    return tuple(found)


def what_is_cut_off(preprocessing: Preprocessing, splits: Mapping[str, Split]) -> tuple[str, ...]:
    """A sentence about long images of which only the middle is seen."""
    if preprocessing.fit != "crop" or not splits:
        return ()
    share = mean_middle_share(np.concatenate([split.aspect_ratios for split in splits.values()]))
    if share >= CUT_OFF_SHARE:
        return ()
    return (
        f"the middle square is {plain_percent(share, 0)} of the pixels of these images, and the rest is cut off "
        "(preprocessing.fit=crop; squeeze and pad keep all of it)",
    )


def what_is_left_out(
    class_names: Sequence[str], listed: Mapping[str, tuple[Sequence[str], Indices]], reasons: Mapping[str, Reasons]
) -> tuple[str, ...]:
    """A sentence about files that are left out because they cannot be read, and the classes that lose much by it.

    Args:
        listed: by split, the identifiers and labels of all files.
        reasons: by split, why the files at some positions cannot be read.
    """
    bad = [(listed[name], index, reason) for name, found in reasons.items() for index, reason in found.items()]
    if not bad:
        return ()
    lost = Counter(int(labels[index]) for (_, labels), index, _ in bad)
    sizes = Counter(int(label) for _, labels in listed.values() for label in labels)
    first = [f"{shown(identifiers[index])} {reason}" for (identifiers, _), index, reason in bad[:SHOWN_FILES]]
    first += [f"{len(bad) - SHOWN_FILES:,} more"] if len(bad) > SHOWN_FILES else []
    text = f"{len(bad):,} of {sizes.total():,} image files are left out: {'; '.join(first)}"
    heavy = [label for label, number in lost.most_common() if number >= MUCH_LOST * sizes[label]]
    shares = [f"{lost[label]:,} of {sizes[label]:,} of {quoted(class_names[label])}" for label in heavy[:SHOWN_CLASSES]]
    return (text + (f"; among them {', '.join(shares)}" if shares else ""),)


def _shared_images(earlier: Split, later: Split) -> list[str]:
    first_seen = {digest: index for index, digest in reversed(list(enumerate(earlier.digests.tolist())))}
    pairs = [(index, first_seen[digest]) for index, digest in enumerate(later.digests.tolist()) if digest in first_seen]
    if not pairs:
        return []
    examples = [f"{later.identifiers[new]} = {earlier.identifiers[old]}" for new, old in pairs[:3]]
    num_other_class = sum(later.labels[new] != earlier.labels[old] for new, old in pairs)
    verb = "image of {} is" if len(pairs) == 1 else "images of {} are"
    text = f"{len(pairs)} {verb.format(later.name)} also in {earlier.name}: {', '.join(examples)}"
    text += ", …" if len(pairs) > len(examples) else ""
    return [text + (f" ({num_other_class} under another class)" if num_other_class else "")]


def _images_of_two_classes(split: Split) -> list[str]:
    """The same pixels under two classes: at least one of the labels is wrong."""
    order = np.lexsort((split.labels, split.digests))
    digests, labels = split.digests[order], split.labels[order]
    # Equal digests stand side by side, and among these equal labels.
    differs = np.flatnonzero((digests[1:] == digests[:-1]) & (labels[1:] != labels[:-1]))
    if not len(differs):
        return []
    num_images = int(np.isin(split.digests, digests[differs]).sum())
    pairs = [(split.identifiers[order[i]], split.identifiers[order[i + 1]]) for i in differs[:3]]
    examples = ", ".join(f"{shown(one)} = {shown(other)}" for one, other in pairs)
    more = ", …" if len(differs) > len(pairs) else ""
    return [f"{num_images:,} images of {split.name} have the same pixels under two classes: {examples}{more}"]


def _class_sizes(class_names: Sequence[str], counts: list[int]) -> list[str]:
    found = []
    order = sorted(range(len(counts)), key=counts.__getitem__)
    few = [f"'{class_names[index]}' ({counts[index]})" for index in order if counts[index] < FEW_IMAGES]
    if few:
        found.append(f"classes with fewer than {FEW_IMAGES} training images: {first_few(few, 5)}")
    return found
