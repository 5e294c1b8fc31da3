"""The network among a state dict's names: it stands under some prefix, and losses, metrics, others beside it.

A training script saves everything that it holds. Names under one prefix that a naming convention explains, all of
them, are a network; what stands elsewhere is left aside and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from resnetkit.errors import did_you_mean
from resnetkit.terminal import listed
from resnetkit.weights.conventions import HEADS
from resnetkit.weights.limits import Unreadable
from resnetkit.weights.naming import read_names

# Modules that stand in a network's own class and are no part of it: what trains it, what measures it.
NOT_NETWORK = re.compile(
    r"(\w+_)?(criterion|loss(es|_fn|_func|_function)?|metrics?|acc|accuracy|auroc|f1|precision|recall|confusion\w*)(_?\w+)?"
    r"|(train|training|val|valid|validation|test)_\w+"
)
AVERAGED = re.compile(r"(^|[._])(ema|averaged?|swa)([._]|$)")  # in a prefix: what its authors report
MAX_DEPTH = 8  # of modules around a network
FEWEST_CONVS = 2

Names = Mapping[str, str]  # a tensor's name below a prefix, and its whole name


@dataclass(frozen=True)
class Group:
    """One network in a state dict.

    Attributes:
        prefix: what stands before its names; a head may stand beside it.
        names: its tensors, by the name below the prefix; the value is the whole name.
    """

    prefix: str
    names: Names


def choose_network(tensors: Mapping[str, Tensor], entry: str | None) -> tuple[Group, list[str], list[str]]:
    """The network in a state dict, notes, and what a user of it must be told: choices, and what is left aside.

    Everything is taken as one where nothing in it is a network whose naming is known.

    Args:
        entry: the prefix of one of several networks.

    Raises:
        Unreadable: where there are several and nothing says which, or no names under ``entry``.
    """
    whole = {name: name for name in tensors}
    start = "" if entry is None else entry.rstrip(".") + "."
    below = {name.removeprefix(start): name for name in whole if name.startswith(start)}
    if not below:
        known = [group.prefix.rstrip(".") for group in _networks("", whole, tensors)]
        fix = did_you_mean(str(entry), known) if any(known) else "leave --entry out"
        raise Unreadable(f"it has no entry '{entry}', and no names that begin so", fix)
    found = _networks(start, below, tensors) or [Group(start, below)]
    group, said = _choose(found)
    taken = set(group.names.values())
    aside = _summaries([name for name in tensors if name not in taken], taken)
    notes = [f"took the prefix '{group.prefix}' off the names"] if group.prefix else []
    said += [f"left aside, as no part of the network: {', '.join(aside)}"] if aside else []
    return group, notes, said


def _choose(found: list[Group]) -> tuple[Group, list[str]]:
    """The one network, or of several the averaged one.

    Whole networks are not told apart by their size: of a student and its teacher, either may be meant.
    """
    if len(found) == 1:
        return found[0], []
    names = [group.prefix.rstrip(".") for group in found]
    averaged = [group for group in found if AVERAGED.search(group.prefix)]
    if len(averaged) != 1:
        raise Unreadable(
            f"it holds several networks: {listed(names)}",
            f"name one of them with --entry, in Python with entry=, e.g. --entry {names[0]}",
        )
    own = averaged[0].prefix.rstrip(".")
    others = [name for name in names if name != own]
    return averaged[0], [f"took '{own}', the averaged weights; --entry reads {listed(others)} instead"]


def _networks(prefix: str, names: Names, tensors: Mapping[str, Tensor], depth: int = 0) -> list[Group]:
    """The outermost networks below a prefix."""
    own = {name: whole for name, whole in names.items() if not NOT_NETWORK.fullmatch(name.partition(".")[0])}
    for part in (names, own):
        if _is_network(part, tensors):
            return [Group(prefix, part)]
    if depth == MAX_DEPTH:
        return []
    found = [
        group
        for child, inside in _children(names)
        if sum(tensors[whole].ndim == 4 for whole in inside.values()) >= FEWEST_CONVS
        for group in _networks(f"{prefix}{child}.", inside, tensors, depth + 1)
    ]
    return [_with_head(found[0], names, tensors)] if len(found) == 1 else found


def _is_network(names: Names, tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether some convention explains all names, and they are those of a stem and blocks."""
    readings = read_names({name: tensors[whole] for name, whole in names.items()})
    return bool(readings) and all(
        any(our.startswith(part) for our in reading.names.values())
        for reading in readings
        for part in ("conv1.", "layer1.")
    )


def _children(names: Names) -> Iterator[tuple[str, Names]]:
    children: dict[str, dict[str, str]] = {}
    for name, whole in names.items():
        child, dot, rest = name.partition(".")
        if dot and rest:
            children.setdefault(child, {})[rest] = whole
    yield from children.items()


def _with_head(group: Group, beside: Names, tensors: Mapping[str, Tensor]) -> Group:
    """A network without a head, together with one that stands beside it."""
    taken = set(group.names.values())
    heads = {name: whole for name, whole in beside.items() if HEADS.match(name) and whole not in taken}
    if not heads:
        return group
    both = {**group.names, **heads}
    if len(both) == len(group.names) + len(heads) and _is_network(both, tensors):
        return Group(group.prefix, both)
    raise Unreadable(
        f"it has two heads: one in '{group.prefix.rstrip('.')}', and beside it {listed(list(heads.values())[:2])}",
        f"--entry {group.prefix.rstrip('.')} reads the first and leaves the other aside",
    )


def _summaries(names: Iterable[str], kept: Iterable[str]) -> list[str]:
    """Names in short: those of one module together, where nothing of it was kept."""
    inside = {beginning for name in kept for beginning in _beginnings(name)}
    modules: dict[str, list[str]] = {}
    for name in names:
        outermost = next((beginning for beginning in _beginnings(name) if beginning not in inside), name)
        modules.setdefault(outermost, []).append(name)
    return [
        f"'{module}' ({len(members)} tensors)" if len(members) > 1 else f"'{members[0]}'"
        for module, members in modules.items()
    ]


def _beginnings(name: str) -> Iterator[str]:
    """The modules that hold a tensor, from the outermost."""
    parts = name.split(".")
    yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))
