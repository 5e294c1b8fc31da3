"""What a classifier of grey images does not see of others is told, once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An image in colour for every digit."""
    for label in range(10):
        path = tmp_path / "photos" / str(label) / "a.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (8, 8), (label, 100, 200)).save(path)
    Image.new("L", (8, 8), 100).save(tmp_path / "photos" / "0" / "grey.png")
    return tmp_path / "photos"


def test_predict_and_evaluate_say_once_that_colour_is_not_seen(cli: Cli, trained: Path, folder: Path) -> None:
    code, _, err = cli("predict", str(trained), str(folder), "--engine", "torch", "--format", "csv")
    assert code == 0
    told = "10 of 11 images in colour, which the classifier, made for grey ones, does not see"
    assert err.count(told) == 1
    code, _, err = cli("evaluate", str(trained), str(folder), "--engine", "torch")
    assert code == 0
    assert err.count("the images are in colour, which the classifier, made for grey ones, does not see") == 1
    code, _, err = cli("predict", str(trained), str(folder / "0" / "grey.png"), "--engine", "torch", "--format", "csv")
    assert "colour" not in err
