"""Conventions by which others name the parts of a residual network, as tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Row = tuple[str, str]  # a regular expression for a module's whole name, and our name for that module

TORCH_VARIABLES = {name: name for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}
TENSORFLOW_VARIABLES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@dataclass(frozen=True)
class Convention:
    """One project's names.

    Attributes:
        rows: the first that fits a module's name gives ours. Named groups stand in braces; ``{stage:-1}`` counts
            one less.
        marks: each must be found in some module's name; they tell conventions apart that share most names.
        unless: no module's name may hold this.
        layout: of conv kernels: torch's ``(out, in, H, W)`` or TensorFlow's ``(H, W, in, out)``.
    """

    name: str
    rows: tuple[Row, ...]
    marks: tuple[str, ...]
    unless: str = ""
    layout: Literal["torch", "tensorflow"] = "torch"

    @property
    def separator(self) -> str:
        """Prefix before the variable's name."""
        return "." if self.layout == "torch" else "/"

    @property
    def variables(self) -> dict[str, str]:
        """The variables of a module, and ours."""
        return TORCH_VARIABLES if self.layout == "torch" else TENSORFLOW_VARIABLES

    def is_marked(self, modules: list[str]) -> bool:
        """Tell whether the names tell this convention from its neighbours."""
        return all(any(re.search(mark, m) for m in modules) for mark in self.marks) and not (
            self.unless and any(re.search(self.unless, m) for m in modules)
        )

    def rename(self, tensor: str) -> str | None:
        """Our name for a tensor; None where this convention has no such name."""
        module, _, variable = tensor.rpartition(self.separator)
        if variable not in self.variables:
            return None
        found = rename_module(module, self.rows)
        return None if found is None else f"{found}.{self.variables[variable]}"


class _Number(str):
    """A group of digits that formats with an offset."""

    def __format__(self, offset: str) -> str:
        return str(int(self) + int(offset)) if offset else str(self)


def rename_module(module: str, rows: tuple[Row, ...]) -> str | None:
    """Translate a name by the first row that fits.

    >>> rename_module("conv3_block2_1_bn", KERAS_V1)
    'layer2.1.bn1'
    """
    for pattern, template in rows:
        if found := re.fullmatch(pattern, module):
            return template.format(**{name: _Number(text) for name, text in found.groupdict().items()})
    return None


# What others call the head, where it stands outside a convention's own names: the classes' layer, alone or as the
# last of a few.
HEADS = re.compile(r"(?:(?:model_|final_|last_|cls_)?(?:head|fc|classifier|linear)\.)+")

# torchvision's names and timm's for v1 networks; they are ours.
OWN: tuple[Row, ...] = (
    (r"(?P<stem>conv1(?:\.\d)?|bn1|maxpool\.[01])", "{stem}"),
    (r"(?P<part>layer\d+\.\d+\.(?:conv\d|bn\d|downsample\.\d|(?:se|joiner)(?:\.\w+)*))", "{part}"),
    (r"(?P<end>norm|fc)", "{end}"),
)

_TIMM_V2_BLOCK = r"stages\.(?P<stage>\d+)\.blocks\.(?P<block>\d+)\."
_TIMM_V2_BODY: tuple[Row, ...] = (
    (_TIMM_V2_BLOCK + r"norm(?P<i>\d)", "layer{stage:+1}.{block}.bn{i}"),
    (_TIMM_V2_BLOCK + r"conv(?P<i>\d)", "layer{stage:+1}.{block}.conv{i}"),
    (r"norm", "norm"),
    (r"head\.fc", "fc"),
)
TIMM_V2: tuple[Row, ...] = (
    (r"stem\.conv", "conv1"),
    (r"stem\.norm", "bn1"),
    (_TIMM_V2_BLOCK + r"downsample\.conv", "layer{stage:+1}.{block}.downsample.0"),
    (_TIMM_V2_BLOCK + r"downsample\.norm", "layer{stage:+1}.{block}.downsample.1"),
    *_TIMM_V2_BODY,
)
# Three convs in the stem come with a mean pool before the projection's conv (ResNet-D).
TIMM_V2_DEEP: tuple[Row, ...] = (
    (r"stem\.conv1", "conv1.0"),
    (r"stem\.norm1", "conv1.1"),
    (r"stem\.conv2", "conv1.3"),
    (r"stem\.norm2", "conv1.4"),
    (r"stem\.conv3", "conv1.6"),
    (r"stem\.norm3", "bn1"),
    (_TIMM_V2_BLOCK + r"downsample\.conv", "layer{stage:+1}.{block}.downsample.1"),
    (_TIMM_V2_BLOCK + r"downsample\.norm", "layer{stage:+1}.{block}.downsample.2"),
    *_TIMM_V2_BODY,
)

_HF_LAYER = r"(?:resnet\.)?encoder\.stages\.(?P<stage>\d+)\.layers\.(?P<block>\d+)\."
TRANSFORMERS: tuple[Row, ...] = (
    (r"(?:resnet\.)?embedder\.embedder\.convolution", "conv1"),
    (r"(?:resnet\.)?embedder\.embedder\.normalization", "bn1"),
    (_HF_LAYER + r"layer\.(?P<i>\d)\.convolution", "layer{stage:+1}.{block}.conv{i:+1}"),
    (_HF_LAYER + r"layer\.(?P<i>\d)\.normalization", "layer{stage:+1}.{block}.bn{i:+1}"),
    (_HF_LAYER + r"shortcut\.convolution", "layer{stage:+1}.{block}.downsample.0"),
    (_HF_LAYER + r"shortcut\.normalization", "layer{stage:+1}.{block}.downsample.1"),
    (r"classifier\.1", "fc"),
)

_BLOCK = r"(?P<block>layer\d+\.\d+)\."
_MMPRETRAIN_STEM: tuple[Row, ...] = (
    (r"stem\.0\.conv", "conv1.0"),
    (r"stem\.0\.(?:bn|gn)", "conv1.1"),
    (r"stem\.1\.conv", "conv1.3"),
    (r"stem\.1\.(?:bn|gn)", "conv1.4"),
    (r"stem\.2\.conv", "conv1.6"),
    (r"stem\.2\.(?:bn|gn)", "bn1"),
    (r"conv1", "conv1"),
    (r"(?:bn|gn|norm)1", "bn1"),
)
_MMPRETRAIN_BODY: tuple[Row, ...] = (
    (_BLOCK + r"conv(?P<i>\d)", "{block}.conv{i}"),
    (_BLOCK + r"(?:bn|gn|norm)(?P<i>\d)", "{block}.bn{i}"),
    (_BLOCK + r"se_layer\.conv(?P<i>[12])\.conv", "{block}.se.fc{i}"),
    (_BLOCK + r"downsample\.(?P<i>\d)", "{block}.downsample.{i}"),
    (r"head\.fc", "fc"),
)
MMPRETRAIN: tuple[Row, ...] = (*_MMPRETRAIN_STEM, *_MMPRETRAIN_BODY)
# With a mean pool in the projections (ResNet-D), the first stage has none, and its projection counts from 0.
MMPRETRAIN_AVG_DOWN: tuple[Row, ...] = (
    *_MMPRETRAIN_STEM,
    (r"layer1\.0\.downsample\.(?P<i>[01])", "layer1.0.downsample.{i:+1}"),
    *_MMPRETRAIN_BODY,
)

# github.com/akamaster/pytorch_resnet_cifar10 and github.com/kuangliu/pytorch-cifar, v1 and v2
LINEAR_SHORTCUT: tuple[Row, ...] = (
    (r"(?P<stem>conv1|bn1)", "{stem}"),
    (_BLOCK + r"(?P<part>conv\d|bn\d)", "{block}.{part}"),
    (_BLOCK + r"shortcut\.(?P<i>\d)", "{block}.downsample.{i}"),
    (r"bn", "norm"),
    (r"linear", "fc"),
)

# github.com/weiaicunzai/pytorch-cifar100, resnet.py
_CIFAR100 = r"conv(?P<stage>[2-5])_x\.(?P<block>\d+)\."
CIFAR100: tuple[Row, ...] = (
    (r"conv1\.0", "conv1"),
    (r"conv1\.1", "bn1"),
    *(
        (_CIFAR100 + rf"residual_function\.{position}", f"layer{{stage:-1}}.{{block}}.{ours}")
        for position, ours in ((0, "conv1"), (1, "bn1"), (3, "conv2"), (4, "bn2"), (6, "conv3"), (7, "bn3"))
    ),
    (_CIFAR100 + r"shortcut\.(?P<i>[01])", "layer{stage:-1}.{block}.downsample.{i}"),
    (r"fc", "fc"),
)
# … and preactresnet.py
_CIFAR100_V2 = r"stage(?P<stage>\d)\.(?P<block>\d+)\."
CIFAR100_V2: tuple[Row, ...] = (
    (r"pre\.0", "conv1"),
    (r"pre\.1", "bn1"),
    *(
        (_CIFAR100_V2 + rf"residual\.{position}", f"layer{{stage}}.{{block}}.{ours}")
        for position, ours in ((0, "bn1"), (2, "conv1"), (3, "bn2"), (5, "conv2"), (6, "bn3"), (8, "conv3"))
    ),
    (_CIFAR100_V2 + r"shortcut", "layer{stage}.{block}.downsample.0"),
    (r"linear", "fc"),
)

# github.com/google-research/big_transfer
_UNIT = r"(?:resnet/)?block(?P<stage>\d)/unit(?P<block>\d+)/"
BIG_TRANSFER: tuple[Row, ...] = (
    (r"(?:resnet/)?root_block/standardized_conv2d", "conv1"),
    *(
        row
        for i, letter in enumerate("abc", start=1)
        for row in (
            (_UNIT + f"{letter}/standardized_conv2d", f"layer{{stage}}.{{block:-1}}.conv{i}"),
            (_UNIT + f"{letter}/group_norm", f"layer{{stage}}.{{block:-1}}.bn{i}"),
        )
    ),
    (_UNIT + r"a/proj/standardized_conv2d", "layer{stage}.{block:-1}.downsample.0"),
    (r"(?:resnet/)?group_norm", "norm"),
    (r"(?:resnet/)?head/conv2d", "fc"),
)

_KERAS_BLOCK = r"conv(?P<stage>\d)_block(?P<block>\d+)_"
_KERAS_HEAD: Row = (r"predictions|probs|dense(?:_\d+)?", "fc")
KERAS_V1: tuple[Row, ...] = (
    (r"conv1_conv", "conv1"),
    (r"conv1_bn", "bn1"),
    (_KERAS_BLOCK + r"0_conv", "layer{stage:-1}.{block:-1}.downsample.0"),
    (_KERAS_BLOCK + r"0_bn", "layer{stage:-1}.{block:-1}.downsample.1"),
    (_KERAS_BLOCK + r"(?P<i>[123])_conv", "layer{stage:-1}.{block:-1}.conv{i}"),
    (_KERAS_BLOCK + r"(?P<i>[123])_bn", "layer{stage:-1}.{block:-1}.bn{i}"),
    _KERAS_HEAD,
)
KERAS_V2: tuple[Row, ...] = (
    (r"conv1_conv", "conv1"),
    (r"conv1_bn", "bn1"),
    (_KERAS_BLOCK + r"0_conv", "layer{stage:-1}.{block:-1}.downsample.0"),
    (_KERAS_BLOCK + r"preact_bn", "layer{stage:-1}.{block:-1}.bn1"),
    (_KERAS_BLOCK + r"(?P<i>[123])_conv", "layer{stage:-1}.{block:-1}.conv{i}"),
    (_KERAS_BLOCK + r"(?P<i>[12])_bn", "layer{stage:-1}.{block:-1}.bn{i:+1}"),
    (r"post_bn", "norm"),
    _KERAS_HEAD,
)

# The tutorials' own classes; docs/tutorials.md says which is which.
_STAGE = r"layer(?P<stage>\d)\.(?P<block>\d+)\."
TUTORIAL_BOTTLENECKS: tuple[Row, ...] = (
    (r"conv1\.0", "conv1"),
    (r"conv1\.1", "bn1"),
    *(
        (_STAGE + rf"bottleneck\.{position}", f"layer{{stage}}.{{block}}.{ours}")
        for position, ours in ((0, "conv1"), (1, "bn1"), (3, "conv2"), (4, "bn2"), (6, "conv3"), (7, "bn3"))
    ),
    (_STAGE + r"downsample\.(?P<i>[01])", "layer{stage}.{block}.downsample.{i}"),
    (r"liner|fc", "fc"),
)


def _identity_and_conv_blocks(*, side_is_branch: bool, first: int) -> tuple[Row, ...]:
    """Two paths a block, one of them called ``side``; stages count from ``first``."""
    block, ours = r"stage(?P<stage>\d)\.(?P<block>\d+)\.", f"layer{{stage:{1 - first:+d}}}.{{block}}."
    other = r"(?!side\b)[a-z]\w*"
    branch, skip = ("side", other) if side_is_branch else (other, "side")
    return (
        (r"fc|linear|liner|classifier|dense|out", "fc"),
        *(
            (block + rf"{branch}\.{position}", f"{ours}{layer}")
            for position, layer in ((0, "conv1"), (1, "bn1"), (3, "conv2"), (4, "bn2"))
        ),
        *(() if side_is_branch else ((block + r"(?P<same>(?:conv|bn)[12])", ours + "{same}"),)),
        (block + rf"{skip}\.(?P<i>[01])", ours + "downsample.{i}"),
        (r"(?:[a-z]\w*\.)?(?:0|conv1?)", "conv1"),
        (r"(?:[a-z]\w*\.)?(?:1|bn1?)", "bn1"),
    )


_STACK = r"conv(?P<stage>[2-5])\.conv\.(?P<block>\d+)\."
TUTORIAL_V2: tuple[Row, ...] = (
    (r"conv1\.conv", "conv1"),
    (r"conv1\.bn", "bn1"),
    *(
        (_STACK + theirs, f"layer{{stage:-1}}.{{block}}.{ours}")
        for theirs, ours in (
            *((r"preact\.0", "bn1"), (r"conv1\.0", "conv1"), (r"conv1\.1", "bn2"), (r"conv2\.0", "conv2")),
            *((r"conv2\.1", "bn3"), (r"conv3(?:\.0)?", "conv3"), (r"short(?:cut)?(?:\.0)?", "downsample.0")),
        )
    ),
    (r"post\.bn", "norm"),
    (r"post\.fc", "fc"),
)
# A subclassed Keras model, two blocks a stage, which Keras numbers from the network's first to its last.
KERAS_SUBCLASSED: tuple[Row, ...] = (
    (r"conv_initial", "conv1"),
    *(
        (rf"blocks/layers/res_?net_block{f'_{i}' if i else ''}/{theirs}", f"layer{i // 2 + 1}.{i % 2}.{ours}")
        for i in range(8)
        for theirs, ours in (
            *((r"(?P<same>(?:conv|bn)[12])", "{same}"), ("down_bn", "downsample.0"), ("down_conv", "downsample.2")),
        )
    ),
    (r"final_bn", "norm"),
    (r"fc", "fc"),
)

_MMPRETRAIN_MARK = r"^stem\.\d\.conv|^head\.fc|\.se_layer\.|(^|\.)(gn|norm)\d"
CONVENTIONS: tuple[Convention, ...] = (
    Convention("torchvision / timm v1", OWN, marks=(r"^conv1|^layer\d",)),
    Convention("timm resnetv2", TIMM_V2, marks=(r"^stages\.",), unless=r"^stem\.conv1"),
    Convention("timm resnetv2 with a deep stem", TIMM_V2_DEEP, marks=(r"^stem\.conv1",)),
    Convention("Hugging Face transformers", TRANSFORMERS, marks=(r"embedder\.convolution",)),
    Convention(
        "MMPretrain",
        MMPRETRAIN,
        marks=(_MMPRETRAIN_MARK,),
        unless=r"downsample\.2",
    ),
    Convention("MMPretrain with average pooling", MMPRETRAIN_AVG_DOWN, marks=(_MMPRETRAIN_MARK, r"downsample\.2")),
    Convention("akamaster / kuangliu", LINEAR_SHORTCUT, marks=(r"^linear|\.shortcut\.",)),
    Convention("weiaicunzai", CIFAR100, marks=(r"\.residual_function\.",)),
    Convention("weiaicunzai, pre-activation", CIFAR100_V2, marks=(r"^stage\d\.\d+\.residual\.",)),
    Convention("Big Transfer", BIG_TRANSFER, marks=(r"root_block/standardized_conv2d",), layout="tensorflow"),
    Convention("keras.applications v1", KERAS_V1, marks=(r"_block\d+_3_bn$",), layout="tensorflow"),
    Convention("keras.applications v2", KERAS_V2, marks=(r"_preact_bn$",), layout="tensorflow"),
    Convention("the ResNet-50 tutorial", TUTORIAL_BOTTLENECKS, marks=(r"\.bottleneck\.0$",)),
    *(
        Convention(
            "the tutorial of identity and conv blocks",
            _identity_and_conv_blocks(side_is_branch=is_branch, first=first),
            marks=(r"\.side\.3$" if is_branch else r"\.side\.0$", rf"^stage{first}\.\d+\.\w"),
            unless="|".join([*([] if is_branch else [r"\.side\.3$"]), *([] if first == 0 else [r"^stage0\.\d+\.\w"])]),
        )
        for is_branch in (True, False)
        for first in (0, 1)
    ),
    Convention("the ResNet50V2 tutorial", TUTORIAL_V2, marks=(r"^conv2\.conv\.0\.preact\.0$",)),
    Convention(
        "the Fashion-MNIST tutorial's subclassed Keras model",
        KERAS_SUBCLASSED,
        marks=(r"^blocks/layers/res_?net_block/bn1$", r"^conv_initial$"),
        layout="tensorflow",
    ),
)
