"""The networks of the tutorials this project began with: each computes what the tutorial's own code does.

docs/tutorials.md goes through them one by one.
"""

from __future__ import annotations

from dataclasses import replace

from resnetkit.models.catalog.entry import Entry, for_photos
from resnetkit.models.catalog.keras import KERAS
from resnetkit.models.spec import (
    ACT_AROUND_ADD,
    BASIC,
    BOTTLENECK,
    FULL_PREACT,
    OWN_BN_ACT_CONV,
    STEM_3X3,
    STEM_7X7,
    BatchNorm,
    FanInUniform,
    GlorotUniform,
    Initialization,
    Normal,
    ResNetSpec,
)

_TORCHS_OWN = Initialization(conv=FanInUniform(), head=FanInUniform())  # what torch draws where nobody says otherwise


def _in_torch(keras: ResNetSpec) -> ResNetSpec:
    """A network of keras.applications as the PyTorch tutorial writes it: with torch's own values, and fewer biases."""
    return replace(
        keras,
        block=replace(keras.block, conv_bias=()),
        stem=replace(keras.stem, pool="max"),
        norm=BatchNorm(),
        initialization=_TORCHS_OWN,
        num_classes=100,
    )


TUTORIALS: dict[str, Entry] = {
    "tutorial_resnet50": for_photos(
        ResNetSpec(BOTTLENECK, (3, 4, 6, 3)), "tutorial 'ResNet-50 from bottlenecks' (PyTorch), but for any image size"
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
        "tutorial 'Fashion-MNIST' (Keras): pre-activation, blocks [2,2,2]",
    ),
    "tutorial_resnet18_bias": for_photos(
        ResNetSpec(
            replace(BASIC, conv_bias=("inner", "last", "projection")),
            (2, 2, 2, 2),
            stem=replace(STEM_7X7, bias=True),
            initialization=_TORCHS_OWN,
        ),
        "tutorial 'Fashion-MNIST', the ResNet-18 in its comments (PyTorch): a bias on every conv",
    ),
    "tutorial_resnet18_block_bias": for_photos(
        ResNetSpec(
            replace(BASIC, conv_bias=("inner", "last"), order=ACT_AROUND_ADD),
            (2, 2, 2, 2),
            initialization=_TORCHS_OWN,
        ),
        "tutorial 'ResNet-18 of identity and conv blocks' (PyTorch): ReLU before the addition and behind it",
    ),
    "tutorial_resnet50v2": for_photos(
        _in_torch(KERAS["keras_resnet50v2"].spec), "tutorial 'ResNet50V2' (PyTorch): pre-activation, 100 classes"
    ),
    "tutorial_resnet50v2_no_preact": for_photos(
        _in_torch(KERAS["keras_resnet50v2_no_preact"].spec), "tutorial 'ResNet50V2' with preact=False (PyTorch)"
    ),
}
