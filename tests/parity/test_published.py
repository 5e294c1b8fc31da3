"""Our tables of published weight files say what their publishers' own packages say."""

import importlib

import numpy as np
import pytest
import torch

from resnetkit.images.normalization import normalize
from resnetkit.models.catalog import CATALOG
from resnetkit.sources.published import KERAS_V1, KERAS_V2, published_files

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
                weights.url,
                round(weights.meta["_file_size"] * 2**20),
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
            published.url,
            published.num_bytes,
        )
        for published in published_files()
        if published.origin == "torchvision" and (digest := (published.digest or "").removeprefix("sha256:"))
    }
    assert ours == theirs
    assert {name for name, *_ in theirs.values()} <= set(CATALOG)


def test_keras_checksums_and_preparation_are_keras_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    applications = pytest.importorskip("keras.applications", exc_type=ImportError)
    hashes = importlib.import_module("keras.src.applications.resnet").WEIGHTS_HASHES
    ours = {
        file.digest.removeprefix("md5:"): file.model.removeprefix("keras_")
        for file in published_files()
        if file.origin == "keras.applications" and file.digest is not None
    }
    theirs = {digest: name for name, digests in hashes.items() for digest in digests if "resnet" in name}
    assert ours == theirs
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    for module, preprocessing in ((applications.resnet, KERAS_V1), (applications.resnet_v2, KERAS_V2)):
        expected = module.preprocess_input(pixels.astype("float32"), data_format="channels_last")
        given = normalize(torch.from_numpy(pixels).permute(0, 3, 1, 2), preprocessing).permute(0, 2, 3, 1)
        torch.testing.assert_close(given, torch.from_numpy(np.ascontiguousarray(expected)), rtol=1e-5, atol=1e-4)


def test_timms_networks_preparation_licences_and_files_are_timms_own() -> None:
    """Every row of timm's, the hub's and its own releases, says what timm's configuration of that name says."""
    timm = pytest.importorskip("timm", exc_type=ImportError)
    for file in published_files():
        if file.origin != "timm":
            continue
        cfg = timm.get_pretrained_cfg(file.name, allow_unregistered=False)
        wanted = file.preprocessing
        size = cfg.input_size[1]
        assert (wanted.image_size_px, wanted.resize_px) == (size, max(size, int(size / cfg.crop_pct))), file.name
        assert (wanted.mean, wanted.std) == (tuple(cfg.mean), tuple(cfg.std)), file.name
        assert (wanted.interpolation, file.licence) == (cfg.interpolation, cfg.license), file.name
        assert file.url in (f"hf://{cfg.hf_hub_id}/model.safetensors", cfg.url), file.name
        assert file.model == file.name.partition(".")[0]
