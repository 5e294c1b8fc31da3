"""What loaded data are, as a fingerprint, and what the user should know about them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from resnetkit.data.source import Split, mean_middle_share
from resnetkit.data.spec import Preprocessing

FEW_IMAGES = 10
STRONG_IMBALANCE = 10
CUT_OFF_SHARE = 0.65  # of photographs that are 4 : 3 or 3 : 2, more is in the middle square; of 16 : 9, less


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


def warnings_about(class_names: Sequence[str], splits: Mapping[str, Split]) -> tuple[str, ...]:
    """Sentences about images that are in two splits, classes with few images, and unequal classes."""
    found = []
    for position, name in enumerate(splits):
        for other in list(splits)[:position]:
            found += _shared_images(splits[other], splits[name])
    if "train" in splits:
        counts = np.bincount(splits["train"].labels, minlength=len(class_names))
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
        f"the middle square is {100 * share:.0f} % of the pixels of these images, and the rest is cut off "
        "(preprocessing.fit=crop; squeeze and pad keep all of it)",
    )


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


def _class_sizes(class_names: Sequence[str], counts: list[int]) -> list[str]:
    found = []
    order = sorted(range(len(counts)), key=counts.__getitem__)
    few = [f"'{class_names[index]}' ({counts[index]})" for index in order if counts[index] < FEW_IMAGES]
    if few:
        shown = ", ".join(few[:5]) + (", …" if len(few) > 5 else "")
        found.append(f"classes with fewer than {FEW_IMAGES} training images: {shown}")
    smallest, largest = order[0], order[-1]
    if counts[largest] > STRONG_IMBALANCE * counts[smallest]:
        found.append(
            f"classes are very unequal: '{class_names[largest]}' has {counts[largest]:,} training images, "
            f"'{class_names[smallest]}' {counts[smallest]:,}; class weights may help"
        )
    return found
