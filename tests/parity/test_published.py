"""Our tables of published weight files say what their publishers' own packages say."""

import importlib

import numpy as np
import pytest
import torch

from resnetkit.images.normalization import normalize
from resnetkit.models.catalog import CATALOG
from resnetkit.sources.published import KERAS_V1, KERAS_V2, PUBLISHED, PUBLISHED_BY_MD5

models = pytest.importorskip("torchvision.models")


def test_torchvisions_files_networks_sizes_statistics_and_scores() -> None:
    theirs = {}
    for name in models.list_models():
        if models.get_model_builder(name).__module__ != "torchvision.models.resnet":
            continue
        for weights in models.get_model_weights(name):
            preset = weights.transforms()
            (digest,) = (weights.url.removesuffix(".pth").rpartition("-")[2],)
            theirs[digest] = (
                name,
                weights.meta["_metrics"]["ImageNet-1K"]["acc@1"],
                (preset.crop_size[0], preset.resize_size[0], tuple(preset.mean), tuple(preset.std)),
                preset.interpolation.value,
            )
    ours = {
        digest: (
            published.model,
            round(100 * (published.top1 or 0), 3),
            (
                published.preprocessing.image_size_px,
                published.preprocessing.resize_px,
                published.preprocessing.mean,
                published.preprocessing.std,
            ),
            published.preprocessing.interpolation,
        )
        for digest, published in PUBLISHED.items()
        if published.origin == "torchvision"
    }
    assert ours == theirs
    assert {name for name, *_ in theirs.values()} <= set(CATALOG)


def test_keras_checksums_and_preparation_are_keras_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    applications = pytest.importorskip("keras.applications", exc_type=ImportError)
    hashes = importlib.import_module("keras.src.applications.resnet").WEIGHTS_HASHES
    ours = {digest: published.model.removeprefix("keras_") for digest, published in PUBLISHED_BY_MD5.items()}
    theirs = {digest: name for name, digests in hashes.items() for digest in digests if "resnet" in name}
    assert ours == theirs
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    for module, preprocessing in ((applications.resnet, KERAS_V1), (applications.resnet_v2, KERAS_V2)):
        expected = module.preprocess_input(pixels.astype("float32"), data_format="channels_last")
        given = normalize(torch.from_numpy(pixels).permute(0, 3, 1, 2), preprocessing).permute(0, 2, 3, 1)
        torch.testing.assert_close(given, torch.from_numpy(np.ascontiguousarray(expected)), rtol=1e-5, atol=1e-4)
