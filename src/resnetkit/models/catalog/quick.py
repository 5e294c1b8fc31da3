"""This project's own networks for a good result on small images within minutes."""

from __future__ import annotations

from dataclasses import replace

from resnetkit.models.catalog.entry import Entry, for_small_images
from resnetkit.models.spec import AVGPOOL_CONV_BN, BASIC, STEM_3X3, Initialization, ResNetSpec

# Few, wide layers on small maps keep a processor busier than many narrow ones on large maps. The stem is fit for use as
# it starts, so that the recipe quick need not train it: its filters whiten, which is why no norm follows.
WHITENING = Initialization(stem="cosine_pairs")
QUICK: dict[str, Entry] = {
    "quick_resnet8": for_small_images(
        ResNetSpec(
            BASIC,
            (1, 1, 1),
            widths=(32, 64, 128),
            strides=(1, 2, 2),
            stem=replace(STEM_3X3, widths=(32,), stride=2, steps=("act",)),
            num_classes=10,
            initialization=WHITENING,
        ),
        "8 layers behind a stem of stride 2, for a result in a minute or two",
    ),
    "quick_resnet8_wide": for_small_images(
        ResNetSpec(
            replace(BASIC, downsampling="max", projection=AVGPOOL_CONV_BN),
            (1, 1, 1),
            widths=(64, 256, 256),
            strides=(2, 2, 2),
            stem=replace(STEM_3X3, widths=(32,), steps=("act",)),
            num_classes=10,
            initialization=WHITENING,
        ),
        "8 wide layers that max-pool instead of striding, for a result in minutes on colour images",
    ),
}
