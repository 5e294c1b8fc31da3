"""Pre-activated networks for photographs (v2, arXiv:1603.05027), under timm's names."""

from __future__ import annotations

from dataclasses import replace

from resnetkit.models.catalog.entry import Entry, for_photos
from resnetkit.models.catalog.imagenet import DEPTHS
from resnetkit.models.spec import (
    AVGPOOL_CONV_OF_PREACT,
    BASIC_PREACT,
    BOTTLENECK_PREACT,
    CONV_OF_PREACT,
    STEM_7X7,
    STEM_DEEP,
    STEM_TIERED,
    GroupNorm,
    ResNetSpec,
)

_TWEAKS = {
    "": (STEM_7X7, CONV_OF_PREACT, ""),
    "d": (STEM_DEEP, AVGPOOL_CONV_OF_PREACT, ", stem of three 3×3, projections behind a mean"),
    "t": (STEM_TIERED, AVGPOOL_CONV_OF_PREACT, ", stem of three growing 3×3, projections behind a mean"),
}


def _preactivated(depth: int, letter: str) -> Entry:
    stem, projection, what = _TWEAKS[letter]
    is_basic = depth in (18, 34)
    block = BASIC_PREACT if is_basic else BOTTLENECK_PREACT
    spec = ResNetSpec(replace(block, projection=projection), DEPTHS[depth][1], stem=stem)
    return for_photos(spec, f"{depth} layers, {'basic' if is_basic else 'bottleneck'} blocks, pre-activated{what}")


def _big_transfer(depth: int, factor: int) -> Entry:
    """arXiv:1912.11370, Section 3.2: group norm and standardised weights instead of batch norm."""
    spec = ResNetSpec(
        BOTTLENECK_PREACT,
        DEPTHS[depth][1],
        widths=tuple(width * factor for width in (64, 128, 256, 512)),
        stem=replace(STEM_7X7, widths=(64 * factor,), pool="zero_padded_max"),
        norm=GroupNorm(),
        conv="weight_standardized",
    )
    return for_photos(spec, f"Big Transfer: {depth} layers, {factor} × as wide, group norm, standardised weights")


PREACTIVATION: dict[str, Entry] = {
    **{
        f"resnetv2_{depth}{letter}": _preactivated(depth, letter)
        for depth in (18, 34, 50, 101, 152)
        for letter in (("", "d", "t") if depth == 50 else ("", "d"))
    },
    "resnetv2_50d_gn": for_photos(
        replace(_preactivated(50, "d").spec, norm=GroupNorm()), "resnetv2_50d with group normalisation"
    ),
    **{
        f"resnetv2_{depth}x{factor}_bit": _big_transfer(depth, factor)
        for depth, factor in ((50, 1), (50, 3), (101, 1), (101, 3), (152, 2), (152, 4))
    },
}
