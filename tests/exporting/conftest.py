"""Image files of all kinds of sizes, and what an export answers for them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from tests.small_classifiers import make, noise  # noqa: F401 - fixtures

from resnetkit.classifier.classifier import Classifier
from resnetkit.exporting.export_folder import predict_script
from resnetkit.exporting.targets import TARGETS

SIDES = ((28, 28), (40, 3), (3, 40), (61, 47), (100, 30), (30, 100), (1, 1), (17, 400), (300, 9), (33, 32))  # H, W


class Script(NamedTuple):
    """The functions of a ``predict.py``."""

    names: dict[str, object]

    def __getattr__(self, name: str) -> Callable[..., object]:
        return self.names[name]  # type: ignore[return-value]


def noisy_images(channels: int, sides: Sequence[tuple[int, int]] = SIDES) -> list[Image.Image]:
    random = np.random.default_rng(0)
    shapes = [side if channels == 1 else (*side, 3) for side in sides]
    return [Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]


def smooth(height: int, width: int) -> Image.Image:
    """An image that JPEG keeps nearly as it is, and that is no other turned or mirrored."""
    rows, columns = np.mgrid[0:height, 0:width]
    values = np.stack([255 * rows / height, 255 * columns / width, 40 + 60 * (rows > height / 3)], 2)
    return Image.fromarray(values.round().astype(np.uint8))


@pytest.fixture
def folder_of_images(tmp_path: Path) -> Path:
    """Images in folders called like classes, a few in one that is none."""
    folder = tmp_path / "images"
    for number, image in enumerate(noisy_images(3)):
        place = folder / ("class 0", "class 1", "others")[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        image.save(place / f"{number}.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth(50, 70).save(folder / "class 0" / "turned.jpg", exif=exif, quality=95)
    return folder


@pytest.fixture
def script_of(tmp_path: Path) -> Callable[..., Script]:
    """Runs an export's ``predict.py`` in this process, up to its functions."""

    def run(classifier: Classifier, target: str = "onnx", folder: Path = tmp_path) -> Script:
        names: dict[str, object] = {"__name__": "predict", "__file__": str(folder / "predict.py")}
        exec(predict_script(TARGETS[target], classifier.preprocessing, classifier.decision), names)
        return Script(names)

    return run
