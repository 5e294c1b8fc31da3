"""The state dict inside what a training script saved: nested, averaged, prefixed by wrappers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from resnetkit.errors import did_you_mean
from resnetkit.models.weights.limits import Unreadable

# Where training scripts keep weights, best first: averaged ones are what their authors report.
AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema")
CURRENT = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params")
NOT_WEIGHTS = ("optimizer", "optim", "optimizer_state_dict", "scheduler", "lr_scheduler", "scaler", "amp", "criterion")
MAX_DEPTH = 3

# Modules that hold the whole network as their one child, and so prefix every name.
WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")
BESIDE_BACKBONE = ("head.", "fc.", "classifier.", "linear.")

COUNTERS = ("total_ops", "total_params", "n_averaged")  # of profilers and of torch's averaged model


def unwrap(content: object, entry: str | None) -> tuple[dict[str, Tensor], dict[str, Any], list[str]]:
    """State dict, what else was there as plain values, and notes.

    Raises:
        Unreadable: where there is no state dict, or no entry of that name.
    """
    metadata: dict[str, Any] = {}
    notes: list[str] = []
    for _ in range(MAX_DEPTH):
        candidates = _candidates(content)
        if not candidates:
            break
        assert isinstance(content, Mapping)
        name = _choose(list(candidates), entry)
        entry = None if name == entry else entry
        others = [other for other in candidates if other != name]
        aside = [key for key in content if isinstance(key, str) and key in NOT_WEIGHTS]
        notes.append(f"took the entry '{name}'" + (f"; --entry reads {_quoted(others)} instead" if others else ""))
        notes += [f"left aside: {_quoted(aside)}"] if aside else []
        metadata |= _plain_items(content, leave=[*candidates, *aside])
        content = candidates[name]
    if entry is not None:
        raise Unreadable(f"it has no entry '{entry}': it is one state dict", "leave --entry out")
    if not _is_state_dict(content):
        raise Unreadable("it holds no state dict", "save model.state_dict() into it")
    assert isinstance(content, Mapping)
    metadata |= _plain_items(content, leave=())
    tensors = {str(name): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    tensors, counted = _without_counters(tensors)
    stripped, prefix = strip_wrappers(tensors)
    notes += [f"left out {counted} counters that are no weights"] if counted else []
    notes += [f"took the prefix '{prefix}' off the names"] if prefix else []
    return stripped, metadata, notes


def _is_state_dict(content: object) -> bool:
    return (
        isinstance(content, Mapping)
        and all(isinstance(name, str) for name in content)
        and any(isinstance(value, Tensor) for value in content.values())
    )


def _holds_state_dict(content: object, depth: int = MAX_DEPTH) -> bool:
    if _is_state_dict(content):
        return True
    return depth > 1 and isinstance(content, Mapping) and any(_holds_state_dict(v, depth - 1) for v in content.values())


def _candidates(content: object) -> dict[str, object]:
    """The entries that hold weights, best first."""
    if not isinstance(content, Mapping):
        return {}
    names = [str(k) for k, v in content.items() if k not in NOT_WEIGHTS and _holds_state_dict(v)]
    order = {name: i for i, name in enumerate(AVERAGED + CURRENT)}
    return {name: content[name] for name in sorted(names, key=lambda name: order.get(name, len(order)))}


def _choose(names: list[str], entry: str | None) -> str:
    if entry is not None and len(names) > 1 and entry not in names:
        raise Unreadable(f"it has no entry '{entry}'", did_you_mean(entry, names))
    if entry in names:
        assert entry is not None
        return entry
    if len(names) > 1 and names[0] not in AVERAGED + CURRENT:
        raise Unreadable(
            f"it holds several networks: {_quoted(names)}", "name one of them with --entry, in Python with entry="
        )
    return names[0]


def _without_counters(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    kept = {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[2] not in COUNTERS}
    return kept, len(tensors) - len(kept)


def strip_wrappers(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The tensors without the prefixes that all of them carry, and what was taken off.

    A backbone's prefix goes too where only heads stand beside it.
    """
    names, taken = list(tensors), ""
    while prefix := next((p for p in WRAPPERS if _all_carry(p, names)), ""):
        names = [name.removeprefix(prefix) for name in names]
        taken += prefix
    return dict(zip(names, tensors.values(), strict=True)), taken


def _all_carry(prefix: str, names: list[str]) -> bool:
    others = [name for name in names if not name.startswith(prefix)]
    allowed = BESIDE_BACKBONE if prefix == "backbone." else ()
    return len(others) < len(names) and all(name.startswith(allowed) for name in others)


def _plain_items(content: Mapping[Any, Any], leave: Any) -> dict[str, Any]:
    items = {str(k): v for k, v in content.items() if k not in leave and not isinstance(v, Tensor)}
    return {name: plain for name, value in items.items() if (plain := _plain(value)) is not None}


def _plain(value: object, depth: int = 6) -> Any:
    """Numbers, texts, and lists and dicts of them; None for anything else."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, argparse.Namespace):
        value = vars(value)
    if depth and isinstance(value, Mapping):
        return {str(k): _plain(v, depth - 1) for k, v in value.items()}
    if depth and isinstance(value, list | tuple):
        return [_plain(v, depth - 1) for v in value]
    return None


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
