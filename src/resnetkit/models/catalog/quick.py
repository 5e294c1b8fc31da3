"""This project's own networks for a good result on small images within minutes."""

from __future__ import annotations

from dataclasses import replace

from resnetkit.models.catalog.entry import Entry, for_small_images
from resnetkit.models.spec import BASIC, STEM_3X3, Initialization, ResNetSpec

# Few, wide layers on small maps keep a processor busier than many narrow ones on large maps.
QUICK: dict[str, Entry] = {
    "quick_resnet8": for_small_images(
        ResNetSpec(
            BASIC,
            (1, 1, 1),
            widths=(32, 64, 128),
            strides=(1, 2, 2),
            stem=replace(STEM_3X3, widths=(32,), stride=2),
            num_classes=10,
            initialization=Initialization(stem="cosine_pairs"),
        ),
        "8 layers behind a stem of stride 2, for a result in a minute or two",
    ),
    "quick_resnet8_wide": for_small_images(
        ResNetSpec(
            replace(BASIC, antialias="avg"),
            (1, 1, 1),
            widths=(64, 256, 256),
            strides=(1, 2, 2),
            stem=replace(STEM_3X3, widths=(64,), pool="max"),
            num_classes=10,
            initialization=Initialization(stem="cosine_pairs"),
        ),
        "8 wide layers that pool instead of striding, for a result in minutes on colour images",
    ),
}
