"""The networks of the tutorials this project began with; tutorial d is among the Keras networks."""

from __future__ import annotations

from dataclasses import replace

from resnetkit.models.catalog.entry import Entry, for_photos
from resnetkit.models.spec import (
    BASIC,
    BOTTLENECK,
    FULL_PREACT,
    OWN_BN_ACT_CONV,
    STEM_3X3,
    STEM_7X7,
    BatchNorm,
    GlorotUniform,
    Initialization,
    Normal,
    ResNetSpec,
)

TUTORIALS: dict[str, Entry] = {
    "tutorial_resnet50": for_photos(
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
    "tutorial_resnet18_bias": for_photos(
        ResNetSpec(
            replace(BASIC, conv_bias=("inner", "last", "projection")),
            (2, 2, 2, 2),
            stem=replace(STEM_7X7, bias=True),
        ),
        "tutorial c: identity and conv blocks, a bias on every conv",
    ),
    "tutorial_resnet18_block_bias": for_photos(
        ResNetSpec(replace(BASIC, conv_bias=("inner", "last")), (2, 2, 2, 2)),
        "tutorial c: identity and conv blocks, a bias on the convs of the branches only",
    ),
}
