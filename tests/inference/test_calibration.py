"""Images that classifiers are quantized by: of the run's own training, or of a folder; the same ones each time."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.file import read_description
from resnetkit.data.loading import open_data
from resnetkit.errors import Code, ResnetkitError
from resnetkit.inference import calibration
from resnetkit.inference.calibration import find_images_for
from resnetkit.runs.folder import RunFolder


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(calibration, "NUM_IMAGES", 40)
    return 40


def test_of_a_run_they_are_training_images(pretrained: Path, few: int) -> None:
    description = read_description(RunFolder(pretrained).classifier_file)
    found = find_images_for(description, "", tell=pytest.fail)
    assert found.pixels.shape == (few, *description.preprocessing.image_shape)
    assert found.pixels.dtype == np.uint8
    assert found.words == f"{few} training images of {pretrained}"
    source = open_data(RunFolder(pretrained).read_record().recipe.data)
    splits = source.load(["train"], description.preprocessing, whole=()).splits
    train = splits["train"]
    labels = {train.images.read(np.array([row])).tobytes(): train.labels[row] for row in range(len(train))}
    assert [labels[image.tobytes()] for image in found.pixels] == list(found.labels)
    assert len(set(found.labels[:10])) > 2  # mixed: ranges are measured on some at a time
    again = find_images_for(description, "", tell=pytest.fail)
    assert np.array_equal(again.pixels, found.pixels)


def test_a_classifier_outside_of_a_run_asks_for_a_folder(
    pretrained: Path, tmp_path: Path, make: Callable[..., Classifier]
) -> None:
    alone = shutil.copy(RunFolder(pretrained).classifier_file, tmp_path)
    for classifier in (read_description(Path(alone)), make()):
        with pytest.raises(ResnetkitError, match="int8 needs images to calibrate on") as raised:
            find_images_for(classifier, "", tell=pytest.fail)
        assert raised.value.fix.startswith("--calibrate FOLDER")


def test_where_the_runs_images_are_gone_a_folder_is_asked_for(pretrained: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(pretrained, tmp_path / "run"))
    record = json.loads((run / "recipe.json").read_text())
    text = json.dumps(record).replace('"source": "digits"', '"source": "/nowhere/photos"')
    (run / "recipe.json").write_text(text)
    with pytest.raises(ResnetkitError, match="no longer in /nowhere/photos") as raised:
        find_images_for(read_description(RunFolder(run).classifier_file), "", tell=pytest.fail)
    assert raised.value.fix.startswith("--calibrate FOLDER")


def test_a_folder_of_any_images(tmp_path: Path, make: Callable[..., Any], few: int) -> None:
    random, told = np.random.default_rng(0), list[str]()
    for number in range(50):
        (tmp_path / f"{number % 3}").mkdir(exist_ok=True)
        pixels = random.integers(0, 256, (30, 20 + number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number % 3}" / f"{number}.png")
    classifier = make()
    found = find_images_for(classifier, str(tmp_path), tell=told.append)
    assert (found.pixels.shape, found.labels) == ((few, 3, 16, 16), None)
    assert np.array_equal(found.pixels, find_images_for(classifier, str(tmp_path), tell=told.append).pixels)
    assert told == []
    for file in sorted(tmp_path.rglob("*.png"))[10:]:
        file.write_bytes(b"no image")
    found = find_images_for(classifier, str(tmp_path), tell=told.append)
    assert 0 < len(found.pixels) <= 10
    assert told == [f"{few - len(found.pixels)} of {few} images to calibrate on cannot be read, and are left out"]


@pytest.mark.parametrize(("files", "words"), [({}, "no images in"), ({"a.png": b"no"}, "no image in .* can be read")])
def test_a_folder_without_images_is_an_error(
    files: dict[str, bytes], words: str, tmp_path: Path, make: Callable[..., Any]
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ResnetkitError, match=words) as raised:
        find_images_for(make(), str(tmp_path), tell=lambda _: None)
    assert raised.value.code is Code.DATA
