"""The state dict inside what a training script saved: nested, averaged, prefixed by wrappers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from resnetkit.errors import did_you_mean
from resnetkit.terminal import listed
from resnetkit.weights.grouping import choose_network
from resnetkit.weights.limits import Unreadable, check_names

# Where training scripts keep weights, best first: averaged ones are what their authors report.
AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema")
CURRENT = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params")
NOT_WEIGHTS = ("optimizer", "optim", "optimizer_state_dict", "scheduler", "lr_scheduler", "scaler", "amp", "criterion")
MAX_DEPTH = 3
MAX_VALUES = 200_000  # of metadata

COUNTERS = ("total_ops", "total_params", "n_averaged")  # of profilers and of torch's averaged model


@dataclass(frozen=True)
class Unwrapped:
    """A network's state dict, taken out of what a script saved.

    Attributes:
        metadata: what else was there as plain values.
        notes: what was taken and taken off.
        choices: of these, what a user of the weights must be told: what was chosen or left aside.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, Any]
    notes: tuple[str, ...]
    choices: tuple[str, ...]


def unwrap(content: object, entry: str | None) -> Unwrapped:
    """The network's state dict in anything a script saved.

    Args:
        entry: the name of an entry, or in a state dict a prefix of names, where there are several networks.

    Raises:
        Unreadable: where there is no state dict, none of that name, or several and nothing says which.
    """
    metadata: dict[str, Any] = {}
    notes, choices = list[str](), list[str]()
    for _ in range(MAX_DEPTH):
        candidates = _candidates(content)
        if not candidates:
            break
        assert isinstance(content, Mapping)
        name, entry = _choose(candidates, entry)
        others = [other for other in candidates if other != name]
        aside = [key for key in content if isinstance(key, str) and key in NOT_WEIGHTS]
        note = f"took the entry '{name}'" + (f"; --entry reads {listed(others)} instead" if others else "")
        notes.append(note)
        choices += [note] if others else []
        notes += [f"left aside: {listed(aside)}"] if aside else []
        metadata |= _plain_items(content, leave=[*candidates, *aside])
        content = candidates[name]
    if not _is_state_dict(content):
        raise Unreadable("it holds no state dict", "save model.state_dict() into it")
    assert isinstance(content, Mapping)
    metadata |= _plain_items(content, leave=())
    tensors = {str(name): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    check_names(tensors)
    tensors, counted = _without_counters(tensors)
    notes += [f"left out {counted} counters that are no weights"] if counted else []
    if not tensors:
        raise Unreadable("it holds no state dict", "save model.state_dict() into it")
    group, found, said = choose_network(tensors, entry)
    network = {name: tensors[whole] for name, whole in group.names.items()}
    return Unwrapped(network, metadata, (*notes, *found, *said), (*choices, *said))


def _is_state_dict(content: object) -> bool:
    return (
        isinstance(content, Mapping)
        and all(isinstance(name, str) for name in content)
        and any(isinstance(value, Tensor) for value in content.values())
    )


def _holds_state_dict(content: object, seen: set[tuple[int, int]], depth: int = MAX_DEPTH) -> bool:
    """Tell whether a state dict is inside; ``seen`` are mappings without, by identity and depth: each is looked
    through once, however often a pickle repeats it."""
    if _is_state_dict(content):
        return True
    if depth == 1 or not isinstance(content, Mapping) or (id(content), depth) in seen:
        return False
    seen.add((id(content), depth))
    return any(_holds_state_dict(value, seen, depth - 1) for value in content.values())


def _candidates(content: object) -> dict[str, object]:
    """The entries that hold weights, best first."""
    if not isinstance(content, Mapping):
        return {}
    seen: set[tuple[int, int]] = set()
    names = [str(k) for k, v in content.items() if k not in NOT_WEIGHTS and _holds_state_dict(v, seen)]
    order = {name: i for i, name in enumerate(AVERAGED + CURRENT)}
    return {name: content[name] for name in sorted(names, key=lambda name: order.get(name, len(order)))}


def _choose(candidates: Mapping[str, object], entry: str | None) -> tuple[str, str | None]:
    """The entry to read, and what of the wanted one's name is still to be found inside it."""
    names = list(candidates)
    named = next((name for name in names if entry is not None and f"{entry}.".startswith(f"{name}.")), None)
    if named is not None:
        assert entry is not None
        return named, entry[len(named) + 1 :] or None
    if entry is not None and len(names) > 1:
        raise Unreadable(f"it has no entry '{entry}'", did_you_mean(entry, names))
    if len(names) > 1 and names[0] not in AVERAGED + CURRENT:
        raise Unreadable(
            f"it holds several networks: {listed(names)}", "name one of them with --entry, in Python with entry="
        )
    return names[0], entry


def _without_counters(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    kept = {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[2] not in COUNTERS}
    return kept, len(tensors) - len(kept)


def _plain_items(content: Mapping[Any, Any], leave: Any) -> dict[str, Any]:
    items = {str(k): v for k, v in content.items() if k not in leave and not isinstance(v, Tensor)}
    budget = Budget(MAX_VALUES)
    return {name: plain for name, value in items.items() if (plain := _plain(value, budget)) is not None}


@dataclass
class Budget:
    """Number of values yet to be copied at most: a pickle can repeat a list a thousand times, level after level."""

    left: int


def _plain(value: object, budget: Budget, depth: int = 6) -> Any:
    """Numbers, texts, and lists and dicts of them; None for anything else, and beyond the budget."""
    budget.left -= 1
    if budget.left < 0:
        return None
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, argparse.Namespace):
        value = vars(value)
    if depth and isinstance(value, Mapping):
        return {str(k): _plain(v, budget, depth - 1) for k, v in value.items() if budget.left > 0}
    if depth and isinstance(value, list | tuple):
        return [_plain(v, budget, depth - 1) for v in value if budget.left > 0]
    return None
