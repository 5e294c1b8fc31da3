"""Groups of images, such as photographs of one object, which stay on one side when images are held back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from resnetkit.data.splitting import NONE, SPLITS, hashes_of, num_held_back
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.images.types import Indices
from resnetkit.pages.formatting import set_percent
from resnetkit.terminal import first_few, listed, quoted

SHOWN_PATHS = 5
FORM = r"--group-by '([^/_]+)_\d+' takes what the pattern has in brackets: dog12 of train/dog/dog12_3.jpg"
TOO_LARGE = 2  # times the share that was asked for


def groups_by(pattern: str, identifiers: Sequence[str]) -> list[str]:
    r"""The group of each image: what a regular expression has in its first brackets, or finds where it has none.

    Brackets called ``group`` come before the first.

    >>> groups_by(r"([^/_]+)_\d+", ["dog/rex_1.jpg", "dog/rex_2.jpg", "cat/tom_1.jpg"])
    ['rex', 'rex', 'tom']
    >>> groups_by(r"^[^/]+/(?P<group>\w+?)_(left|right)", ["retina/anna_left.png"])
    ['anna']

    Raises:
        ResnetkitError: for no regular expression, and one that finds no group in some paths.
    """
    try:
        expression = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ResnetkitError(
            Code.USAGE, f"data.group_by is no regular expression: {pattern}", why=str(error), fix=FORM
        ) from None
    key: str | int = "group" if "group" in expression.groupindex else min(expression.groups, 1)
    found = [expression.search(identifier) for identifier in identifiers]
    groups = [match[key] or "" if match else "" for match in found]
    without = [identifier for identifier, group in zip(identifiers, groups, strict=True) if not group]
    require(
        not without,
        f"data.group_by={pattern} finds no group in {len(without):,} of {len(groups):,} paths",
        why=listed(without, SHOWN_PATHS),
        fix=f"give a pattern that fits every path: {FORM}",
        code=Code.DATA,
    )
    return groups


def split_groups(
    groups: Sequence[str],
    labels: Indices,
    *,
    seed: int,
    validation_fraction: float = 0.0,
    test_fraction: float = 0.0,
) -> dict[str, Indices]:
    """Positions of the images of ``train``, ``val`` and ``test``, where a group is on one side as a whole.

    As :func:`~resnetkit.data.splitting.split_indices`, which this is where each image is a group: groups are ordered by
    a hash of ``seed/group``, test takes from one end, val from the other. A group is taken where that brings its
    classes nearer to the shares asked for; a class that has nothing held back by then gives the group that is least
    too large. At least one group of every class stays in train.
    """
    numbers: dict[str, int] = {}
    group_of = np.array([numbers.setdefault(group, len(numbers)) for group in groups], np.int64)
    hashes = hashes_of(list(numbers), seed)
    order = np.lexsort((hashes[:, 1], hashes[:, 0])).tolist()
    sizes: list[Counter[int]] = [Counter() for _ in order]
    for group, label in zip(group_of.tolist(), labels.tolist(), strict=True):
        sizes[group][label] += 1
    totals, left = Counter(labels.tolist()), Counter(label for size in sizes for label in size)
    test = _hold_back(order, sizes, left, _wanted(totals, test_fraction))
    rest = [group for group in reversed(order) if group not in test]
    val = _hold_back(rest, sizes, left, _wanted(totals, validation_fraction))
    is_test, is_val = (np.isin(group_of, np.array([*taken], np.int64)) for taken in (test, val))
    masks = {"train": ~is_test & ~is_val, "val": is_val, "test": is_test}
    return {name: np.flatnonzero(masks[name]) if len(labels) else NONE for name in SPLITS}


def _wanted(totals: Mapping[int, int], fraction: float) -> Counter[int]:
    return Counter({label: num_held_back(number, fraction, number) for label, number in totals.items()})


def _hold_back(
    order: Iterable[int], sizes: Sequence[Counter[int]], left: Counter[int], missing: Counter[int]
) -> set[int]:
    """Groups to hold back.

    Args:
        sizes: by group, the number of its images of each class.
        left: by class, the number of groups that are in no other split yet; those held back are taken off.
        missing: by class, the number of images to hold back.
    """
    if not missing.total():
        return set()
    held: set[int] = set()
    by_class: dict[int, list[int]] = {}

    def leaves_some(group: int) -> bool:
        return all(left[label] > 1 for label in sizes[group])

    def change(group: int) -> int:
        """Images by which the classes of a group come further from what is asked."""
        return sum(abs(missing[label] - number) - abs(missing[label]) for label, number in sizes[group].items())

    def take(group: int) -> None:
        held.add(group)
        missing.subtract(sizes[group])
        left.subtract(sizes[group].keys())

    asked = dict(missing)
    for group in order:
        if leaves_some(group) and change(group) < 0:
            take(group)
        else:
            for label in sizes[group]:
                by_class.setdefault(label, []).append(group)
    for label, groups in by_class.items():
        if missing[label] == asked[label] and (fitting := [group for group in groups if leaves_some(group)]):
            take(min(fitting, key=change))
    return held


def about_held_back(
    class_names: Sequence[str], labels: Mapping[str, Indices], asked: Mapping[str, float]
) -> tuple[str, ...]:
    """Sentences about classes of which no, or far more images than asked are held back, because groups stay whole.

    Args:
        labels: by split, the classes of images that were divided.
        asked: by split, the share of them that was to be held back.

    Raises:
        ResnetkitError: where no image of any class could be.
    """
    counts = {name: np.bincount(some, minlength=len(class_names)) for name, some in labels.items()}
    total, found = np.sum(list(counts.values()), axis=0), list[str]()
    for name, share in ((name, share) for name, share in asked.items() if share):
        require(
            name in counts,
            f"no images can be held back for {name}",
            why="groups stay whole, one of each class is to train on, and no class has another left",
            fix="give data.group_by another pattern or column, that tells more groups apart",
            code=Code.DATA,
        )
        held = counts[name]
        none = [class_names[label] for label in np.flatnonzero((held == 0) & (total > 0)).tolist()]
        much = [
            f"{held[label]:,} of {total[label]:,} of {quoted(class_names[label])}"
            for label in np.flatnonzero(held > np.maximum(TOO_LARGE * share * total, 1)).tolist()
        ]
        found += [f"{name} has no images of class {listed(none)}: too few groups of it"] if none else []
        found += (
            [f"groups are large: {name} has {first_few(much)}, where {set_percent(share)} is asked"] if much else []
        )
    return tuple(found)


def tell_groups(groups: Mapping[str, Sequence[str]]) -> str:
    """A sentence with the number of groups; ``groups`` as in :func:`about_groups`.

    >>> tell_groups({"train": ["rex", "rex", "tom"], "val": ["ada"]})
    '3 groups of 4 images, held back whole'
    """
    return (
        f"{len(set().union(*groups.values())):,} groups of {sum(map(len, groups.values())):,} images, held back whole"
    )


def about_groups(groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Sentences about groups that do nothing, and those that the user's own splits share: a leak of objects.

    Args:
        groups: by split, the group of each image.
    """
    num_groups, num_images = len(set().union(*groups.values())), sum(map(len, groups.values()))
    if num_groups == num_images:
        return ("grouping has no effect: each image is in a group of its own",)
    if num_groups == 1:
        return (f"grouping has no effect: all {num_images:,} images are in one group",)
    return tuple(
        _tell_shared(earlier, later, groups)
        for earlier, later in combinations(groups, 2)
        if not set(groups[earlier]).isdisjoint(groups[later])
    )


def _tell_shared(earlier: str, later: str, groups: Mapping[str, Sequence[str]]) -> str:
    there = set(groups[earlier])
    both = [group for group in groups[later] if group in there]
    return (
        f"{len(set(both)):,} of {len(set(groups[later])):,} groups of {later} are also in {earlier}, with "
        f"{len(both):,} of its {len(groups[later]):,} images ({listed(dict.fromkeys(both), 3)}): a score on them says "
        "little of objects that are new"
    )


def groups_at(groups: Sequence[str] | None, rows: Indices) -> Sequence[str] | None:
    """The groups of the images at some rows, where they have any."""
    return None if groups is None else [groups[row] for row in rows]
