"""A network's weights under the names, and in the layout, that other libraries read."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save as save_safetensors
from torch import Tensor

from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.files import write_durably
from resnetkit.models.catalog import CATALOG
from resnetkit.models.catalog.imagenet import IMAGENET
from resnetkit.models.catalog.preactivation import PREACTIVATION
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import Initialization, ResNetSpec
from resnetkit.weights.conventions import Row, rename_module
from resnetkit.weights.keras_writing import to_keras

Naming = Literal["torchvision", "timm", "keras"]
NAMINGS = ("torchvision", "timm", "keras")
# Networks of the catalog that compute as the library's own of that name.
PEERS: dict[str, tuple[str, ...]] = {
    "torchvision": ("resnet18", "resnet50"),
    "timm": tuple(name for name in (*IMAGENET, *PREACTIVATION) if not re.search(r"_v1$|_a$|_c$|^plain", name)),
}
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


def save_weights(network: ResNet, path: str | Path, naming: Naming = "torchvision") -> None:
    """Write a network's weights durably: ``.safetensors``, ``.pth`` or Keras' ``.weights.h5``, by the path's end.

    Args:
        naming: whose names: torchvision's; timm's, which are the same for v1 networks and those of ``resnetv2`` for
            pre-activated ones; or those of ``keras.applications``.

    Raises:
        ResnetkitError: for a network that the other library has no names for, or a suffix that is none of these.
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
        return
    tensors = _renamed(network, naming)
    _require_same_network(network.spec, naming)
    if path.suffix == ".safetensors":
        write_durably(path, save_safetensors(tensors, metadata={"format": "pt"}))
    else:
        buffer = io.BytesIO()
        torch.save(tensors, buffer)
        write_durably(path, buffer.getvalue())


def _require_same_network(spec: ResNetSpec, naming: Naming) -> None:
    """Refuse a network that would load into the other library's and compute something else there.

    Where a stride or a filter stands shows neither in names nor in shapes.
    """
    ours = _without_size(spec)
    if any(_without_size(CATALOG[name].spec) == ours for name in PEERS[naming]):
        return
    raise ResnetkitError(
        Code.WEIGHTS,
        f"{naming} has no network that computes as this one does",
        why="under its names the weights might load into another network, and answer wrongly",
        fix="save it as a classifier",
    )


def _without_size(spec: ResNetSpec) -> ResNetSpec:
    """A spec with all that shapes show, and that only training uses, set to fixed values."""
    return replace(
        spec,
        block=replace(spec.block, groups=1, group_width=64),
        depths=(1,) * len(spec.depths),
        widths=(64,) * len(spec.widths),
        stem=replace(spec.stem, widths=(64,) * len(spec.stem.widths)),
        num_classes=None,
        in_channels=3,
        stochastic_depth_rate=0.0,
        initialization=Initialization(),
    )


def _renamed(network: ResNet, naming: Naming) -> dict[str, Tensor]:
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
        if theirs is None:
            fix = "choose naming='timm'" if naming == "torchvision" else "save it as a classifier"
            raise ResnetkitError(Code.WEIGHTS, f"{naming} has no name for this network's '{module}'", fix=fix)
        value = tensor.detach().cpu()
        if is_v2 and name == "fc.weight":
            value = value[:, :, None, None]  # timm's head is a 1×1 conv
        # A copy each: safetensors refuses tensors that share memory.
        tensors[f"{theirs}.{variable}"] = value.clone(memory_format=torch.contiguous_format)
    return tensors
