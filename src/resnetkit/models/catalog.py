"""Named networks: every name is one value (no torch here)."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, replace

from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.models.spec import (
    BASIC,
    BASIC_PREACT,
    BOTTLENECK,
    BOTTLENECK_PREACT,
    BOTTLENECK_V1,
    FULL_PREACT,
    OWN_BN_ACT_CONV,
    STEM_3X3,
    STEM_7X7,
    SUBSAMPLE,
    ZERO_PAD,
    BatchNorm,
    GlorotUniform,
    Initialization,
    Normal,
    NoSkip,
    ResNetSpec,
    cifar_resnet,
)


@dataclass(frozen=True)
class Entry:
    """A named network: its spec, the image size it was made for (pixels), and what it is."""

    spec: ResNetSpec
    image_size_px: int
    summary: str


def _imagenet(spec: ResNetSpec, summary: str) -> Entry:
    return Entry(spec, 224, summary)


def _cifar(spec: ResNetSpec, summary: str) -> Entry:
    return Entry(spec, 32, summary)


_BASIC_A = replace(BASIC, projection=ZERO_PAD)
_PREACT_A = replace(BASIC_PREACT, projection=ZERO_PAD)

# Keras' v2 block: a bias on every conv that no batch norm follows, and a bare subsampling where only the size changes.
_KERAS_V2 = replace(BOTTLENECK_PREACT, shrink=SUBSAMPLE, conv_bias=("last", "projection"))
_KERAS_RESNET50V2 = ResNetSpec(
    _KERAS_V2,
    (3, 4, 6, 3),
    strides=(2, 2, 2, 1),
    strided_block="last",
    stem=replace(STEM_7X7, bias=True, pool="zero_padded_max"),
    norm=BatchNorm(eps=1.001e-5, momentum=0.01),
    initialization=Initialization(conv=GlorotUniform(), head=GlorotUniform()),
)

CATALOG: dict[str, Entry] = {
    # --- ImageNet, v1 and v1.5 (arXiv:1512.03385, Table 1) ---
    "resnet18": _imagenet(ResNetSpec(BASIC, (2, 2, 2, 2)), "18 layers, basic blocks"),
    "resnet34": _imagenet(ResNetSpec(BASIC, (3, 4, 6, 3)), "34 layers, basic blocks"),
    "resnet50": _imagenet(ResNetSpec(BOTTLENECK, (3, 4, 6, 3)), "50 layers, bottlenecks, v1.5: stride on the 3×3"),
    "resnet101": _imagenet(ResNetSpec(BOTTLENECK, (3, 4, 23, 3)), "101 layers, bottlenecks, v1.5"),
    "resnet152": _imagenet(ResNetSpec(BOTTLENECK, (3, 8, 36, 3)), "152 layers, bottlenecks, v1.5"),
    "resnet50_v1": _imagenet(ResNetSpec(BOTTLENECK_V1, (3, 4, 6, 3)), "as in the paper: stride on the first 1×1"),
    # --- ImageNet, v2 (arXiv:1603.05027) ---
    "resnetv2_50": _imagenet(ResNetSpec(BOTTLENECK_PREACT, (3, 4, 6, 3)), "pre-activation, as timm has it"),
    "keras_resnet50v2": _imagenet(
        _KERAS_RESNET50V2, "tutorial d: pre-activation in the Keras manner, stride in a stage's last block"
    ),
    "keras_resnet50v2_no_preact": _imagenet(
        replace(_KERAS_RESNET50V2, stem=replace(_KERAS_RESNET50V2.stem, steps=("bn", "act")), tail=()),
        "tutorial d with preact off: BN-ReLU in the stem, none at the end",
    ),
    # --- small images (arXiv:1512.03385, Section 4.2) ---
    **{f"resnet{d}": _cifar(cifar_resnet(d, _BASIC_A), f"6n+2 = {d} layers, option A") for d in (20, 32, 44, 56, 110)},
    **{f"resnet{d}_b": _cifar(cifar_resnet(d), f"6n+2 = {d} layers, option B") for d in (20, 32, 44, 56, 110)},
    **{
        f"plain{d}": _cifar(cifar_resnet(d, replace(BASIC, join=NoSkip())), f"{d} layers without skips")
        for d in (20, 56)
    },
    # The paper activates the stem's output before the first block forks (arXiv:1603.05027, Section 4.1).
    "preact_resnet110": _cifar(
        cifar_resnet(110, _PREACT_A, first_block=replace(_PREACT_A, identity_reads="preact")),
        "full pre-activation, 110 layers, option A",
    ),
    "preact_resnet164": _cifar(
        cifar_resnet(164, replace(BOTTLENECK_PREACT, strided_conv=0)), "full pre-activation, 164 layers, bottlenecks"
    ),
    # --- the tutorials this project began with ---
    "tutorial_resnet50": _imagenet(
        ResNetSpec(BOTTLENECK, (3, 4, 6, 3)), "tutorial a: ResNet-50 from bottlenecks, but for any image size"
    ),
    "tutorial_preact": Entry(
        ResNetSpec(
            replace(BASIC, order=FULL_PREACT, projection=OWN_BN_ACT_CONV),
            (2, 2, 2),
            widths=(16, 32, 64),
            strides=(1, 2, 2),
            stem=STEM_3X3,
            num_classes=10,
            in_channels=1,
            norm=BatchNorm(eps=1e-3, momentum=0.01),
            padding="same",
            initialization=Initialization(conv=Normal(0.05), head=GlorotUniform()),
        ),
        28,
        "tutorial b: pre-activation [2,2,2] for Fashion-MNIST, as Keras trains it",
    ),
    "tutorial_resnet18_bias": _imagenet(
        ResNetSpec(
            replace(BASIC, conv_bias=("inner", "last", "projection")),
            (2, 2, 2, 2),
            stem=replace(STEM_7X7, bias=True),
        ),
        "tutorial c: identity and conv blocks, a bias on every conv",
    ),
    "tutorial_resnet18_block_bias": _imagenet(
        ResNetSpec(replace(BASIC, conv_bias=("inner", "last")), (2, 2, 2, 2)),
        "tutorial c: identity and conv blocks, a bias on the convs of the branches only",
    ),
}


def find_entry(name: str) -> Entry:
    """The named network.

    Raises:
        ResnetkitError: for an unknown name, with the nearest one.
    """
    if name not in CATALOG:
        raise ResnetkitError(
            Code.USAGE,
            f"unknown network '{name}'",
            fix=did_you_mean(name, CATALOG) + " (resnetkit models lists them all)",
        )
    return CATALOG[name]


def find_names(pattern: str = "*") -> list[str]:
    """Names that match a shell pattern, or whose name or summary contains the text.

    >>> find_names("resnet5*")
    ['resnet50', 'resnet50_v1', 'resnet56', 'resnet56_b']
    """
    if any(sign in pattern for sign in "*?["):
        return fnmatch.filter(CATALOG, pattern)
    return [name for name, entry in CATALOG.items() if pattern in name or pattern in entry.summary]
