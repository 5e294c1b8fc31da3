"""Weights from files into networks: all or nothing, and nothing is executed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from resnetkit.errors import Code, ResnetkitError

HEAD = ("fc.weight", "fc.bias")


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file, or of a torch file (``.pt .pth .th .bin``) read without executing it.

    Raises:
        ResnetkitError: for a missing, damaged or unsafe file.
    """
    path = Path(path)
    if not path.is_file():
        raise ResnetkitError(Code.WEIGHTS, f"no weight file at {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the unpickler raise almost anything
        raise ResnetkitError(
            Code.WEIGHTS,
            f"{path} cannot be read as weights",
            why=_reason(error),
            fix="give a .safetensors file or a torch state dict",
        ) from None
    return _unwrap(content, path)


def _reason(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):
        return "it holds more than tensors, or is damaged; nothing in it was run"  # torch's text advises to run it
    if isinstance(error, OSError):
        return str(error)
    return f"it is damaged, or no weight file ({type(error).__name__}: {str(error).partition(chr(10))[0]})"


def _unwrap(content: object, path: Path) -> dict[str, Tensor]:
    """The state dict inside what a training script saved: nested, and prefixed by a parallel wrapper."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise ResnetkitError(Code.WEIGHTS, f"{path} holds no state dict", fix="save model.state_dict() into it")
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str, reset_head: bool = False) -> None:
    """Copy tensors into a network: every one fits, or none is copied.

    Args:
        reset_head: keep the network's own freshly drawn head, e.g. for other classes.

    Raises:
        ResnetkitError: listing missing, unexpected and mis-shaped tensors, with the likely reason.
    """
    own = network.state_dict()
    given = dict(tensors)
    if reset_head:
        own = {name: tensor for name, tensor in own.items() if name not in HEAD}
        given = {name: tensor for name, tensor in given.items() if name not in HEAD}
    # Batch counters are not weights, and old files lack them.
    needed = [name for name in own if not name.endswith("num_batches_tracked")]
    missing = [name for name in needed if name not in given]
    unexpected = [name for name in given if name not in own]
    mis_shaped = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in given and given[name].shape != own[name].shape
    ]
    if missing or unexpected or mis_shaped:
        lists = [("missing", missing), ("unexpected", unexpected), ("wrong shape", mis_shaped)]
        why = "; ".join(f"{len(names)} {kind}: {_shorten(names)}" for kind, names in lists if names)
        only_head = not missing and not unexpected and all(entry.startswith(HEAD) for entry in mis_shaped)
        fix = (
            "the classes differ: start with a new head (--reset-head)"
            if only_head
            else "choose the network these weights were made for (--model)"
        )
        raise ResnetkitError(Code.WEIGHTS, f"the weights in {source} do not fit the network", why=why, fix=fix)
    network.load_state_dict(given, strict=False)


def _shorten(names: list[str], limit: int = 4) -> str:
    return ", ".join(names[:limit]) + (f" … ({len(names) - limit} more)" if len(names) > limit else "")
