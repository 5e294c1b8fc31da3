"""Networks as keras.applications builds them."""

from __future__ import annotations

from dataclasses import replace

from resnetkit.models.catalog.entry import Entry, for_photos
from resnetkit.models.catalog.imagenet import DEPTHS
from resnetkit.models.spec import (
    BOTTLENECK_PREACT,
    BOTTLENECK_V1,
    STEM_7X7,
    SUBSAMPLE,
    BatchNorm,
    GlorotUniform,
    Initialization,
    ResNetSpec,
)

_NORM = BatchNorm(eps=1.001e-5, momentum=0.01)
_INITIALIZATION = Initialization(conv=GlorotUniform(), head=GlorotUniform())
_STEM = replace(STEM_7X7, bias=True, pool="zero_padded_max")


def _v1(depth: int) -> ResNetSpec:
    return ResNetSpec(
        replace(BOTTLENECK_V1, conv_bias=("inner", "last", "projection")),
        DEPTHS[depth][1],
        stem=_STEM,
        norm=_NORM,
        initialization=_INITIALIZATION,
    )


def _v2(depth: int) -> ResNetSpec:
    # A bias on every conv that no batch norm follows, and a bare subsampling where only the size changes.
    return ResNetSpec(
        replace(BOTTLENECK_PREACT, shrink=SUBSAMPLE, conv_bias=("last", "projection")),
        DEPTHS[depth][1],
        strides=(2, 2, 2, 1),
        strided_block="last",
        stem=_STEM,
        norm=_NORM,
        initialization=_INITIALIZATION,
    )


_NO_PREACT = replace(_v2(50), stem=replace(_STEM, steps=("bn", "act")), tail=())

KERAS: dict[str, Entry] = {
    **{
        f"keras_resnet{depth}": for_photos(
            _v1(depth), f"{depth} layers in the Keras manner: v1, stride on the first 1×1, a bias on every conv"
        )
        for depth in (50, 101, 152)
    },
    "keras_resnet50v2": for_photos(
        _v2(50), "50 layers, pre-activation in the Keras manner (tutorial_resnet50v2 is its PyTorch tutorial's)"
    ),
    "keras_resnet50v2_no_preact": for_photos(
        _NO_PREACT, "the same built with preact=False: BN-ReLU in the stem, none at the end"
    ),
    **{
        f"keras_resnet{depth}v2": for_photos(_v2(depth), f"{depth} layers, pre-activation in the Keras manner")
        for depth in (101, 152)
    },
}
