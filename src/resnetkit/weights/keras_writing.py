"""Keras' ``.weights.h5`` of the networks that ``keras.applications`` has."""

from __future__ import annotations

import io
from collections.abc import Iterator

from torch import Tensor

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import FULL_PREACT, ORIGINAL, BatchNorm
from resnetkit.weights.keras_files import VARIABLES, import_h5py

VARIABLE_OF = {"kernel": "weight", "gamma": "weight", "beta": "bias"} | {
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def to_keras(network: ResNet) -> bytes:
    """The file that ``keras.Model.load_weights`` reads into its ResNet50, ResNet101V2 …

    Raises:
        ResnetkitError: for a network that is none of ``keras.applications``, with what differs.
    """
    layers = list(_layers(network))
    tensors = {
        name: t.detach().float().cpu() for name, t in network.state_dict().items() if not name.endswith("_tracked")
    }
    expected = {
        f"{ours}.{VARIABLE_OF[variable]}"
        for ours, _, kind, biased in layers
        for variable in VARIABLES[kind]
        if biased or variable != "bias"
    }
    differing = sorted(expected ^ set(tensors))
    if differing:
        raise _not_in_keras(f"it {'has no' if differing[0] in expected else 'has a'} '{differing[0]}'")
    h5py = import_h5py()
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        counts = dict.fromkeys(VARIABLES, 0)
        for ours, theirs, kind, biased in layers:
            container = f"{kind}_{counts[kind]}" if counts[kind] else kind
            counts[kind] += 1
            group = file.create_group(f"layers/{container}/vars")
            group.attrs["name"] = theirs
            variables = [v for v in VARIABLES[kind] if biased or v != "bias"]
            for i, variable in enumerate(variables):
                group[str(i)] = _to_tensorflow_layout(tensors[f"{ours}.{VARIABLE_OF[variable]}"]).numpy()
    return buffer.getvalue()


Layer = tuple[str, str, str, bool]  # our name, Keras' name, its class, whether it has a bias


def _layers(network: ResNet) -> Iterator[Layer]:
    """The layers with weights in the order in which Keras counts them: by their distance from the output."""
    spec = network.spec
    is_v2 = spec.block.order == FULL_PREACT
    same = {
        "bottlenecks": spec.block.kernel_sizes == (1, 3, 1) and spec.block.expansion == 4,
        "one 7×7 conv in the stem": spec.stem.kernel_sizes == (7,),
        "the stride on the first conv" if not is_v2 else "the stride on the 3×3 conv": (
            spec.block.strided_conv == (1 if is_v2 else 0)
        ),
        "the stride in a stage's last block" if is_v2 else "the stride in a stage's first block": (
            spec.strided_block == ("last" if is_v2 else "first")
        ),
        "batch norm with an epsilon of 1.001e-5": isinstance(spec.norm, BatchNorm) and spec.norm.eps == 1.001e-5,
        "v1 or full pre-activation": is_v2 or spec.block.order == ORIGINAL,
    }
    for trait, holds in same.items():
        if not holds:
            raise _not_in_keras(f"Keras' network has {trait}")
    has_stem_norm = not is_v2 or any(name.startswith("bn1.") for name in network.state_dict())
    yield "conv1", "conv1_conv", "conv2d", True
    if has_stem_norm:
        yield "bn1", "conv1_bn", "batch_normalization", True
    for stage, depth in enumerate(spec.depths, start=1):
        for block in range(depth):
            yield from _block(f"layer{stage}.{block}", f"conv{stage + 1}_block{block + 1}", block == 0, is_v2)
    if any(name.startswith("norm.") for name in network.state_dict()):
        yield "norm", "post_bn", "batch_normalization", True
    if spec.num_classes is not None:
        yield "fc", "predictions", "dense", True


def _block(ours: str, theirs: str, projects: bool, is_v2: bool) -> Iterator[Layer]:
    conv, norm = "conv2d", "batch_normalization"
    if is_v2:
        yield f"{ours}.bn1", f"{theirs}_preact_bn", norm, True
    for i in (1, 2):
        yield f"{ours}.conv{i}", f"{theirs}_{i}_conv", conv, not is_v2
        yield f"{ours}.bn{i + is_v2}", f"{theirs}_{i}_bn", norm, True
    if projects:
        yield f"{ours}.downsample.0", f"{theirs}_0_conv", conv, True
        if not is_v2:
            yield f"{ours}.downsample.1", f"{theirs}_0_bn", norm, True
    yield f"{ours}.conv3", f"{theirs}_3_conv", conv, True
    if not is_v2:
        yield f"{ours}.bn3", f"{theirs}_3_bn", norm, True


def _to_tensorflow_layout(tensor: Tensor) -> Tensor:
    return tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T if tensor.ndim == 2 else tensor


def _not_in_keras(why: str) -> ResnetkitError:
    return ResnetkitError(
        Code.WEIGHTS,
        "keras.applications has no such network",
        why=why,
        fix="choose a network whose name begins with keras_, or naming='timm'",
    )
