"""A network's weights under the names, and in the layout, that other libraries read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save as save_safetensors
from torch import Tensor

from resnetkit.errors import did_you_mean, require
from resnetkit.files import write_durably
from resnetkit.models.resnet import ResNet
from resnetkit.weights.conventions import Row, rename_module
from resnetkit.weights.keras_writing import to_keras
from resnetkit.weights.peers import Peer, require_peer

Naming = Literal["torchvision", "timm", "keras"]
NAMINGS = ("torchvision", "timm", "keras")
KERAS_SUFFIX = ".weights.h5"

TORCHVISION: tuple[Row, ...] = ((r"(?P<same>conv1|bn1|fc|layer\d+\.\d+\.(?:conv\d|bn\d|downsample\.[01]))", "{same}"),)
TIMM_V1: tuple[Row, ...] = (
    *TORCHVISION,
    (r"(?P<same>conv1\.\d|maxpool\.[01]|layer\d+\.\d+\.(?:downsample\.2|se\.fc[12]|se\.conv))", "{same}"),
)
_BLOCK = r"layer(?P<stage>\d+)\.(?P<block>\d+)\."
_TIMM_V2_BODY: tuple[Row, ...] = (
    (_BLOCK + r"conv(?P<i>\d)", "stages.{stage:-1}.blocks.{block}.conv{i}"),
    (_BLOCK + r"bn(?P<i>\d)", "stages.{stage:-1}.blocks.{block}.norm{i}"),
    (r"norm", "norm"),
    (r"fc", "head.fc"),
)
TIMM_V2: tuple[Row, ...] = (
    (r"conv1", "stem.conv"),
    (_BLOCK + r"downsample\.0", "stages.{stage:-1}.blocks.{block}.downsample.conv"),
    *_TIMM_V2_BODY,
)
# A deep stem goes with a mean before the projection's conv, as in reading.
TIMM_V2_DEEP: tuple[Row, ...] = (
    (r"conv1\.0", "stem.conv1"),
    (r"conv1\.1", "stem.norm1"),
    (r"conv1\.3", "stem.conv2"),
    (r"conv1\.4", "stem.norm2"),
    (r"conv1\.6", "stem.conv3"),
    (_BLOCK + r"downsample\.1", "stages.{stage:-1}.blocks.{block}.downsample.conv"),
    *_TIMM_V2_BODY,
)


def save_weights(network: ResNet, path: str | Path, naming: Naming = "torchvision") -> Peer | None:
    """Write a network's weights durably: ``.safetensors``, ``.pth`` or Keras' ``.weights.h5``, by the path's end.

    Args:
        naming: whose names: torchvision's; timm's, which are the same for v1 networks and those of ``resnetv2`` for
            pre-activated ones; or those of ``keras.applications``.

    Returns:
        The network of torchvision or timm that the file is for; None for Keras.

    Raises:
        ResnetkitError: for a network that the other library does not have, with what differs from its nearest, or a
            suffix that is none of these.
    """
    path = Path(path)
    require(naming in NAMINGS, f"unknown naming '{naming}'", fix=did_you_mean(naming, NAMINGS))
    is_keras = path.name.endswith(KERAS_SUFFIX)
    require(
        is_keras or path.suffix in (".safetensors", ".pth", ".pt"),
        f"{path.name} says no format for weights",
        fix=f"end the name in .safetensors, .pth or {KERAS_SUFFIX}",
    )
    require(
        is_keras == (naming == "keras"),
        f"{path.name} and the names of {naming} do not go together",
        fix=f"Keras reads its own names from {KERAS_SUFFIX}, and the others from .safetensors or .pth",
    )
    if is_keras:
        write_durably(path, to_keras(network))
        return None
    peer = require_peer(network.spec, naming)
    # A copy each: safetensors refuses tensors that share memory.
    tensors = {
        name: tensor.cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in rename(network, naming).items()
    }
    if path.suffix == ".safetensors":
        write_durably(path, save_safetensors(tensors, metadata={"format": "pt"}))
    else:
        buffer = io.BytesIO()
        torch.save(tensors, buffer)
        write_durably(path, buffer.getvalue())
    return peer


def rename(network: ResNet, naming: Naming) -> dict[str, Tensor]:
    """The tensors of a network that torchvision or timm has, under its names and in its layout."""
    spec = network.spec
    is_v2 = naming == "timm" and spec.block.order.preact == ("bn", "act")
    if is_v2:
        rows = TIMM_V2 if len(spec.stem.widths) == 1 else TIMM_V2_DEEP
    else:
        rows = TORCHVISION if naming == "torchvision" else TIMM_V1
    tensors = {}
    for name, tensor in network.state_dict().items():
        module, _, variable = name.rpartition(".")
        theirs = rename_module(module, rows)
        assert theirs is not None, f"{naming} has this network, but no name for its {module}"
        value = tensor.detach()
        if is_v2 and name == "fc.weight":
            value = value[:, :, None, None]  # timm's head is a 1×1 conv
        tensors[f"{theirs}.{variable}"] = value
    return tensors
