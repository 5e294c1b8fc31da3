"""Networks for images of about 32 pixels."""

from __future__ import annotations

from dataclasses import replace

from resnetkit.models.catalog.entry import Entry, for_small_images
from resnetkit.models.catalog.imagenet import DEPTHS
from resnetkit.models.spec import (
    BASIC,
    BASIC_PREACT,
    BOTTLENECK,
    BOTTLENECK_PREACT,
    BOTTLENECK_V1,
    CONV_OF_INPUT,
    STEM_3X3,
    ZERO_PAD,
    ZERO_PAD_AROUND,
    Block,
    NoSkip,
    ResNetSpec,
    cifar_resnet,
)

_BASIC_A = replace(BASIC, projection=ZERO_PAD)
_PREACT_A = replace(BASIC_PREACT, projection=ZERO_PAD)
_BOTTLENECK_PREACT_V1 = replace(BOTTLENECK_PREACT, strided_conv=0)
_CIFAR_DEPTHS = (20, 32, 44, 56, 110)


def _preact_a(depth: int) -> Entry:
    # The paper activates the stem's output before the first block forks (arXiv:1603.05027, Appendix).
    spec = cifar_resnet(depth, _PREACT_A, first_block=replace(_PREACT_A, identity_reads="preact"))
    return for_small_images(spec, f"full pre-activation, {depth} layers, option A")


def _wide(depth: int, factor: int) -> Entry:
    """arXiv:1605.07146, Table 1: pre-activated, ``factor`` times as wide; dropout is ``block.drop_rate``."""
    # Four layers lie outside the blocks: stem, head and, as the paper counts, the projections of two stages.
    depths = ((depth - 4) // 6,) * 3
    spec = ResNetSpec(
        BASIC_PREACT,
        depths,
        widths=(16 * factor, 32 * factor, 64 * factor),
        strides=(1, 2, 2),
        stem=STEM_3X3,
        num_classes=10,
    )
    return for_small_images(
        spec, f"wide network: {depth} layers as its paper counts, {factor} × as wide, pre-activated"
    )


def _imagenet_width(depth: int, basic: Block, bottleneck: Block) -> ResNetSpec:
    """Four stages as wide as for ImageNet behind a 3×3 stem that keeps the size."""
    kind, depths = DEPTHS[depth]
    block = basic if kind is BASIC else bottleneck
    return ResNetSpec(block, depths, stem=replace(STEM_3X3, widths=(64,)), num_classes=10)


def _kuangliu_preact(depth: int) -> Entry:
    spec = replace(_imagenet_width(depth, BASIC_PREACT, BOTTLENECK_PREACT), tail=())
    return for_small_images(
        spec, f"{depth} layers, pre-activated: projections read the pre-activation, no norm at the end"
    )


def _weiaicunzai_preact(depth: int) -> Entry:
    def read_input(block: Block) -> Block:
        return replace(block, projection=CONV_OF_INPUT, conv_bias=("inner", "last", "projection"))

    spec = _imagenet_width(depth, read_input(BASIC_PREACT), read_input(_BOTTLENECK_PREACT_V1))
    spec = replace(spec, stem=replace(spec.stem, bias=True, steps=("bn", "act")), tail=(), num_classes=100)
    return for_small_images(spec, f"{depth} layers, pre-activated: projections read the input, a bias on every conv")


SMALL_IMAGES: dict[str, Entry] = {
    # --- arXiv:1512.03385, Section 4.2: 6n+2 layers ---
    **{
        f"resnet{depth}": for_small_images(cifar_resnet(depth, _BASIC_A), f"6n+2 = {depth} layers, option A")
        for depth in (*_CIFAR_DEPTHS, 1202)
    },
    **{
        f"resnet{depth}_b": for_small_images(cifar_resnet(depth), f"6n+2 = {depth} layers, option B")
        for depth in _CIFAR_DEPTHS
    },
    **{
        f"resnet{depth}_c": for_small_images(
            cifar_resnet(depth, replace(BASIC, project="always")), f"6n+2 = {depth} layers, option C"
        )
        for depth in _CIFAR_DEPTHS
    },
    **{
        f"plain{depth}": for_small_images(
            cifar_resnet(depth, replace(BASIC, join=NoSkip())), f"{depth} layers without skips"
        )
        for depth in _CIFAR_DEPTHS
    },
    # --- arXiv:1603.05027, Tables 2 and 3: 9n+2 layers are bottlenecks ---
    **{
        f"resnet{depth}": for_small_images(
            cifar_resnet(depth, BOTTLENECK_V1), f"9n+2 = {depth} layers, bottlenecks, option B"
        )
        for depth in (164, 1001)
    },
    **{f"preact_resnet{depth}": _preact_a(depth) for depth in _CIFAR_DEPTHS},
    **{
        f"preact_resnet{depth}": for_small_images(
            cifar_resnet(depth, _BOTTLENECK_PREACT_V1), f"full pre-activation, {depth} layers, bottlenecks"
        )
        for depth in (164, 1001)
    },
    # --- arXiv:1605.07146 ---
    **{
        f"wrn_{depth}_{factor}": _wide(depth, factor)
        for depth, factor in ((16, 4), (16, 8), (28, 10), (40, 2), (40, 4))
    },
    # --- the CIFAR repositories that everyone starts from ---
    # The same tensors as option A, but half of the zero channels come first.
    **{
        f"akamaster_resnet{depth}": for_small_images(
            cifar_resnet(depth, replace(BASIC, projection=ZERO_PAD_AROUND)),
            f"6n+2 = {depth} layers, option A with zeros on both sides, as akamaster's published weights expect",
        )
        for depth in (*_CIFAR_DEPTHS, 1202)
    },
    **{
        f"cifar_resnet{depth}": for_small_images(
            _imagenet_width(depth, BASIC, BOTTLENECK), f"{depth} layers of ImageNet's width, 3×3 stem"
        )
        for depth in (18, 34, 50, 101, 152)
    },
    **{f"kuangliu_preact_resnet{depth}": _kuangliu_preact(depth) for depth in (18, 34, 50, 101, 152)},
    **{f"weiaicunzai_preact_resnet{depth}": _weiaicunzai_preact(depth) for depth in (18, 34, 50, 101, 152)},
}
