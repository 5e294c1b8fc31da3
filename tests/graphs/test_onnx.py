"""The ONNX graph against the network: every structure of the catalog, and every value of every axis."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import nn

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.prediction import Predictor
from resnetkit.errors import ResnetkitError
from resnetkit.inference.engines import ENGINES, open_kind
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.models.catalog import CATALOG
from resnetkit.models.spec import (
    ACT_AROUND_ADD,
    ACT_BEFORE_ADD,
    ACT_ONLY_PREACT,
    AVGPOOL_CONV_BN,
    BASIC,
    BASIC_PREACT,
    BOTTLENECK,
    CONV_OF_INPUT,
    NORM_AFTER_ADD,
    OWN_BN_ACT_CONV,
    STEM_3X3,
    SUBSAMPLE,
    ZERO_PAD,
    ZERO_PAD_AROUND,
    DropoutAdd,
    EfficientChannelAttention,
    GatedAdd,
    GroupNorm,
    NoSkip,
    ResNetSpec,
    ScaledAdd,
    SqueezeExcitation,
    Stem,
)

pytest.importorskip("onnx", reason="the extras onnxruntime and openvino install it")
from resnetkit.graphs.onnx import write_graph

SMALL = ResNetSpec(BASIC, (2, 2), (8, 16), (1, 2), stem=replace(STEM_3X3, widths=(8,)), num_classes=5)


def reduced(spec: ResNetSpec) -> ResNetSpec:
    """A spec with its structure and little else: two blocks a stage, narrow stages."""
    widths = tuple(32 << i for i in range(len(spec.widths)))
    stem = replace(spec.stem, widths=tuple(32 for _ in spec.stem.widths))
    return replace(
        spec, depths=(2,) * len(spec.depths), widths=widths, stem=stem, num_classes=5, stochastic_depth_rate=0.0
    )


STRUCTURES = {reduced(entry.spec): name for name, entry in reversed(CATALOG.items())}


def check(classifier: Classifier, pixels: np.ndarray, engine: str) -> None:
    if ENGINES[engine].missing:
        pytest.skip(ENGINES[engine].missing)
    expected = plain_predictor(classifier).probabilities(pixels)
    assert np.ptp(expected, axis=0).max() > 1e-4  # the images do not all get one answer
    opened = open_kind(
        ENGINES[engine],
        write_graph(classifier),
        image_shape=classifier.preprocessing.image_shape,
        batch_size=2,
        num_threads=1,
    )
    np.testing.assert_allclose(Predictor.of(classifier, opened).probabilities(pixels), expected, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("spec", STRUCTURES, ids=STRUCTURES.values())
def test_every_structure_of_the_catalog(spec: ResNetSpec, make: Callable[..., Any], noise: Callable[..., Any]) -> None:
    classifier = make(spec, size=45)  # odd on the way down, where paddings differ
    check(classifier, noise(classifier), "onnxruntime")


VARIANTS: dict[str, dict[str, Any]] = {
    "norm after addition": {"block": replace(BASIC, order=NORM_AFTER_ADD)},
    "act before addition": {"block": replace(BASIC, order=ACT_BEFORE_ADD)},
    "act around addition": {"block": replace(BASIC, order=ACT_AROUND_ADD)},
    "act-only pre-activation": {"block": replace(BASIC, order=ACT_ONLY_PREACT)},
    "full pre-activation": {"block": BASIC_PREACT},
    "scaled": {"block": replace(BASIC, join=ScaledAdd(0.3, 0.7))},
    "gated": {"block": replace(BASIC, join=GatedAdd(gate_bias=0.1))},
    "exclusively gated": {"block": replace(BASIC, join=GatedAdd(exclusive=True, gate_bias=0.1))},
    "dropout on the skip": {"block": replace(BASIC, join=DropoutAdd(0.5))},
    "plain": {"block": replace(BASIC, join=NoSkip())},
    "option A": {"block": replace(BASIC, projection=ZERO_PAD)},
    "option A, both sides": {"block": replace(BASIC, projection=ZERO_PAD_AROUND)},
    "option C": {"block": replace(BASIC, project="always")},
    "mean before the projection": {"block": replace(BASIC, projection=AVGPOOL_CONV_BN)},
    "projection of the input": {"block": replace(BASIC_PREACT, projection=CONV_OF_INPUT)},
    "projection with its own bn and act": {"block": replace(BASIC_PREACT, projection=OWN_BN_ACT_CONV)},
    "subsampled skip in the last block": {
        "block": replace(BOTTLENECK, shrink=SUBSAMPLE, conv_bias=("last", "projection")),
        "strided_block": "last",
    },
    "groups": {"block": replace(BOTTLENECK, groups=2, group_width=32)},
    "squeeze and excitation": {"block": replace(BASIC, attention=SqueezeExcitation())},
    "efficient channel attention": {"block": replace(BASIC, attention=EfficientChannelAttention())},
    "blurred": {"block": replace(BASIC, downsampling="blur")},
    "averaged": {"block": replace(BASIC, downsampling="avg")},
    "max-pooled": {"block": replace(BASIC, downsampling="max")},
    "dropout in the branch": {"block": replace(BASIC, drop_rate=0.3)},
    "biases": {"block": replace(BASIC, conv_bias=("inner", "last", "projection"))},
    "group norm": {"norm": GroupNorm(groups=4)},
    "weight standardisation": {"conv": "weight_standardized"},
    "TensorFlow's padding": {"padding": "same"},
    "TensorFlow's padding, standardised": {"padding": "same", "conv": "weight_standardized"},
    "pooled by maximum": {"pooling": "max"},
    "own tail": {"tail": ("bn", "act")},
    "stochastic depth": {"stochastic_depth_rate": 0.2},
    "grey": {"in_channels": 1},
    "another first block": {"first_block": replace(BASIC, project="always")},
    **{
        f"stem pool {pool}": {"stem": Stem((5,), (8,), 1, pool=pool), "padding": padding}
        for pool, padding in (
            ("max", "same"),
            ("zero_padded_max", "symmetric"),
            ("zero_padded_max", "same"),
            ("blurred_max", "symmetric"),
            ("avg", "symmetric"),
            ("conv", "same"),
        )
    },
    "deep stem": {"stem": Stem((3, 3, 3), (4, 4, 8), bias=True, pool="conv")},
}


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_axis(variant: str, engine: str, make: Callable[..., Any], noise: Callable[..., Any]) -> None:
    classifier = make(replace(SMALL, **VARIANTS[variant]), size=23)
    check(classifier, noise(classifier), engine)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "settings",
    [{"channel_order": "bgr"}, {"average_mirrored": True}, {"channel_order": "bgr", "average_mirrored": True}],
    ids=str,
)
def test_preprocessing_is_in_the_graph(
    settings: dict[str, Any], engine: str, make: Callable[..., Any], noise: Callable[..., Any]
) -> None:
    classifier = make(SMALL, **settings)
    plain = make(SMALL)
    pixels = noise(classifier)
    answers = [plain_predictor(one).probabilities(pixels) for one in (plain, classifier)]
    assert not np.allclose(*answers)
    check(classifier, pixels, engine)


def test_one_pixel_has_no_neighbours_to_mirror(make: Callable[..., Any], noise: Callable[..., Any]) -> None:
    spec = replace(
        SMALL, block=replace(BASIC, downsampling="blur"), depths=(1, 1, 1), widths=(8, 8, 8), strides=(2, 2, 2)
    )
    classifier = make(spec, size=8)
    check(classifier, noise(classifier), "onnxruntime")


def test_the_same_classifier_gives_the_same_graph(make: Callable[..., Any]) -> None:
    classifier = make()
    assert write_graph(classifier) == write_graph(classifier)


def test_an_unknown_layer_is_an_error(make: Callable[..., Any]) -> None:
    classifier = make()
    classifier.network.act1 = nn.GELU()
    with pytest.raises(ResnetkitError, match="kind GELU has no ONNX form"):
        write_graph(classifier)
