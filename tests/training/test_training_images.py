"""Training images look as they do in use, unless they are cropped at random."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from resnetkit.data.batches import Shard
from resnetkit.data.loading import open_data
from resnetkit.data.source import DataSource
from resnetkit.data.spec import Augmentation, DataSpec
from resnetkit.data.types import LoadedData
from resnetkit.images.normalization import normalize
from resnetkit.images.spec import Preprocessing
from resnetkit.models.catalog import find_entry
from resnetkit.recipes.recipe import Recipe
from resnetkit.training.batches import Feed
from resnetkit.training.run import train

ON_CPU = torch.device("cpu")


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Images that are twice as wide as they are high, with detail that squeezing would lose."""
    random = np.random.default_rng(0)
    for name in ("bark", "moss"):
        (tmp_path / "wide" / name).mkdir(parents=True)
        for number in range(20):
            pixels = random.integers(0, 256, (48, 96, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "wide" / name / f"{number}.png")
    return tmp_path / "wide"


def test_uncropped_images_are_those_of_use(wide: Path) -> None:
    preprocessing = Preprocessing(24, 32)
    source = open_data(DataSpec(str(wide), cache="off"))
    seen = source.load(["train"], preprocessing, whole=()).splits["train"]
    recipe = Recipe(
        name="photos",
        model_name="resnet20_b",
        model=find_entry("resnet20_b").spec,
        data=source.spec,
        preprocessing=preprocessing,
        augmentation=Augmentation(),
        batch_size=len(seen),
    )
    [batch] = Feed(recipe, seen, 2, ON_CPU, Shard()).batches(0, 0)
    in_use = normalize(torch.from_numpy(seen.images.read(np.arange(len(seen)))), preprocessing)
    given = {tuple(image.flatten()[:8].tolist()): image for image in batch.inputs}
    for image in in_use:
        assert torch.equal(given[tuple(image.flatten()[:8].tolist())], image)


@pytest.mark.parametrize(("settings", "whole"), [({}, ("train",)), ({"augmentation.crop_area": None}, ())])
def test_a_run_keeps_them_whole_only_to_crop_them(
    settings: dict[str, Any], whole: tuple[str, ...], wide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    load = DataSource.load

    def watched(source: DataSource, *args: Any, **options: Any) -> LoadedData:
        asked.append(options.get("whole"))
        return load(source, *args, **options)

    monkeypatch.setattr(DataSource, "load", watched)
    small = {"model.depths": [1, 1, 1], "epochs": 1, "preprocessing.image_size_px": 24, "preprocessing.resize_px": 32}
    train(str(wide), model="resnet20_b", recipe="photos", settings=small | settings, out=tmp_path / "runs")
    assert asked[0] == whole
