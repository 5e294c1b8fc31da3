"""Networks for photographs whose blocks end in an activation (v1 and v1.5), under timm's and torchvision's names."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from resnetkit.models.catalog.entry import Entry, for_photos
from resnetkit.models.spec import (
    AVGPOOL_CONV_BN,
    BASIC,
    BOTTLENECK,
    BOTTLENECK_V1,
    CONV_BN,
    STEM_7X7,
    STEM_DEEP,
    STEM_TIERED,
    ZERO_PAD,
    Block,
    EfficientChannelAttention,
    GroupNorm,
    NoSkip,
    Projection,
    ResNetSpec,
    SqueezeExcitation,
    Stem,
)

# arXiv:1512.03385, Table 1; the others as timm has them. The number counts the layers with weights.
DEPTHS: dict[int, tuple[Block, tuple[int, ...]]] = {
    10: (BASIC, (1, 1, 1, 1)),
    14: (BOTTLENECK, (1, 1, 1, 1)),
    18: (BASIC, (2, 2, 2, 2)),
    26: (BOTTLENECK, (2, 2, 2, 2)),
    34: (BASIC, (3, 4, 6, 3)),
    50: (BOTTLENECK, (3, 4, 6, 3)),
    101: (BOTTLENECK, (3, 4, 23, 3)),
    152: (BOTTLENECK, (3, 8, 36, 3)),
    200: (BOTTLENECK, (3, 24, 36, 3)),
    269: (BOTTLENECK, (3, 30, 48, 8)),
}


@dataclass(frozen=True)
class Tweak:
    """The meaning of the letter behind a depth (arXiv:1812.01187, Section 4)."""

    stem: Stem
    projection: Projection
    summary: str


TWEAKS = {
    "": Tweak(STEM_7X7, CONV_BN, ""),
    "c": Tweak(STEM_DEEP, CONV_BN, "stem of three 3×3"),
    "d": Tweak(STEM_DEEP, AVGPOOL_CONV_BN, "stem of three 3×3, projections behind a mean"),
    "s": Tweak(replace(STEM_DEEP, widths=(64, 64, 128)), CONV_BN, "stem of three wide 3×3"),
    "t": Tweak(STEM_TIERED, AVGPOOL_CONV_BN, "stem of three growing 3×3, projections behind a mean"),
}


def _family(prefix: str, names: str, what: str = "", *, pool: Any = "max", **block: Any) -> dict[str, Entry]:
    """One entry for each ``DEPTH[LETTER][_GROUPSxWIDTHd | _FACTOR]`` in a list such as ``"18 50d 101_32x4d 50_2"``.

    Args:
        pool, block: fields of the stem and of the block that the whole family shares.
    """
    family = {}
    for name in names.split():
        found = re.fullmatch(r"(\d+)([cdst]?)(?:_(\d+)x(\d+)d|_(\d+))?", name)
        assert found is not None
        depth, letter, groups, width, factor = found.groups()
        kind, depths = DEPTHS[int(depth)]
        tweak = TWEAKS[letter]
        kind = replace(kind, groups=int(groups or 1), group_width=int(width or 64) * int(factor or 1))
        stem = replace(tweak.stem, pool=pool)
        spec = ResNetSpec(replace(kind, projection=tweak.projection, **block), depths, stem=stem)
        parts = [
            f"{depth} layers",
            "bottlenecks" if kind.expansion > 1 else "basic blocks",
            f"3×3 in {groups} groups of {width}" if groups else "",
            f"3×3 {factor} × as wide" if factor else "",
            tweak.summary,
            what,
        ]
        family[prefix + name] = for_photos(spec, ", ".join(part for part in parts if part))
    return family


_SE, _ECA = SqueezeExcitation(), EfficientChannelAttention()
_BLURRED = {"pool": "blurred_max", "downsampling": "blur"}
_AVERAGED = {"pool": "avg", "downsampling": "avg"}

# arXiv:2103.07579, Table 8: blocks per stage, as timm has them.
_RS_DEPTHS = {
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
    270: (4, 29, 53, 4),
    350: (4, 36, 72, 4),
    420: (4, 44, 87, 4),
}
_RS_BLOCK = replace(BOTTLENECK, projection=AVGPOOL_CONV_BN, attention=SqueezeExcitation(1 / 4))
_AA_201 = ResNetSpec(
    replace(BOTTLENECK, projection=AVGPOOL_CONV_BN, groups=32, group_width=8, attention=_SE, downsampling="avg"),
    (3, 24, 36, 4),
    stem=replace(TWEAKS["s"].stem, pool="avg"),
)

IMAGENET: dict[str, Entry] = {
    **_family("resnet", "18 34"),
    **_family("resnet", "26 50 101 152 200", "v1.5: stride on the 3×3"),
    **{
        f"resnet{depth}_v1": for_photos(
            ResNetSpec(BOTTLENECK_V1, DEPTHS[depth][1]), f"{depth} layers, as in the paper: stride on the first 1×1"
        )
        for depth in (50, 101, 152)
    },
    # arXiv:1512.03385, Table 3: shortcut options of the 34-layer network; 18 layers have A in Table 2.
    **{
        f"resnet{depth}_a": for_photos(
            ResNetSpec(replace(BASIC, projection=ZERO_PAD), DEPTHS[depth][1]), f"{depth} layers, option A: no weights"
        )
        for depth in (18, 34)
    },
    "resnet34_c": for_photos(
        ResNetSpec(replace(BASIC, project="always"), DEPTHS[34][1]), "34 layers, option C: every skip projects"
    ),
    **{
        f"plain{depth}": for_photos(
            ResNetSpec(replace(BASIC, join=NoSkip()), DEPTHS[depth][1]), f"{depth} layers without skips, for photos"
        )
        for depth in (18, 34)
    },
    # arXiv:1812.01187, Section 4, and timm's tiered stem.
    **_family("resnet", "10t 14t 18d 26d 26t 34d 50c 50d 50s 50t 101c 101d 101s 152c 152d 152s 200d"),
    # arXiv:1605.07146 and arXiv:1611.05431.
    **_family("wide_resnet", "50_2 101_2"),
    **_family("resnext", "50_32x4d 50d_32x4d 101_32x4d 101_32x8d 101_32x16d 101_32x32d 101_64x4d"),
    "resnet50_gn": for_photos(
        ResNetSpec(BOTTLENECK, DEPTHS[50][1], norm=GroupNorm()), "50 layers, bottlenecks, group normalisation"
    ),
    # arXiv:1709.01507 and arXiv:1910.03151.
    **_family("seresnet", "18 34 50 50t 101 152 152d 200d 269d", "SE", attention=_SE),
    **_family(
        "seresnext",
        "26d_32x4d 26t_32x4d 50_32x4d 101_32x4d 101_32x8d 101d_32x8d 101_64x4d",
        "SE",
        attention=_SE,
    ),
    **_family("ecaresnet", "26t 50d 50t 101d 200d 269d", "ECA", attention=_ECA),
    "ecaresnetlight": for_photos(
        ResNetSpec(replace(BOTTLENECK, projection=AVGPOOL_CONV_BN, attention=_ECA), (1, 1, 11, 3)),
        "50 layers, bottlenecks mostly in stage 3, ECA",
    ),
    **_family("ecaresnext", "26t_32x4d 50t_32x4d", "ECA", attention=_ECA),
    # arXiv:1904.11486, and its cheaper cousin with means.
    **_family("resnetblur", "18 50 50d 101d", "anti-aliased by blurs", **_BLURRED),
    **_family("resnetaa", "34d 50 50d 101d", "anti-aliased by means", **_AVERAGED),
    **_family("seresnetaa", "50d", "SE, anti-aliased by means", attention=_SE, **_AVERAGED),
    **_family("seresnextaa", "101d_32x8d", "SE, anti-aliased by means", attention=_SE, **_AVERAGED),
    "seresnextaa201d_32x8d": for_photos(
        _AA_201, "203 layers, bottlenecks, 3×3 in 32 groups of 8, wide deep stem, SE, anti-aliased by means"
    ),
    **{
        f"resnetrs{depth}": for_photos(
            ResNetSpec(_RS_BLOCK, depths, stem=replace(STEM_DEEP, pool="conv")),
            f"{sum(depths) * 3 + 2} layers, bottlenecks, RS: SE with ratio 1/4, no pool in the stem",
        )
        for depth, depths in _RS_DEPTHS.items()
    },
}
