"""How large an image may be: it travels with the classifier, and every command can set it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.classifier.classifier import load_classifier
from resnetkit.images.spec import Limits

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def wary(trained: Path, tmp_path: Path) -> str:
    """A classifier of digits that was trained on images of at most 400 pixels in files of 2,000 bytes."""
    classifier = replace(load_classifier(trained), limits=Limits(max_pixels=400, max_file_bytes=2_000))
    classifier.save(tmp_path / "wary.safetensors")
    return str(tmp_path / "wary.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An image of 900 pixels for every digit, whose files have 950 bytes or so."""
    for label in range(10):
        path = tmp_path / "scans" / str(label) / "a.png"
        path.parent.mkdir(parents=True)
        noise = np.random.default_rng(label).integers(0, 256, (30, 30), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    return tmp_path / "scans"


def test_limits_travel_with_the_classifier_and_predict_raises_them(cli: Cli, wary: str, folder: Path) -> None:
    code, out, _ = cli("predict", wary, str(folder), "--engine", "torch", "--format", "jsonl")
    assert code == 1
    assert out.count("has 900 pixels, more than the limit of 400 (--max-pixels)") == 10
    raised = ("predict", wary, str(folder), "--engine", "torch", "--format", "csv", "--max-pixels", "900")
    code, out, _ = cli(*raised)
    assert (code, out.count(",ok,")) == (0, 10)
    code, out, _ = cli(*raised, "--max-file-bytes", "500")
    assert code == 1
    assert "more than the limit of 500 (--max-file-bytes)" in out


def test_evaluate_names_the_option_that_lets_a_file_in(cli: Cli, wary: str, folder: Path) -> None:
    code, _, err = cli("evaluate", wary, str(folder), "--engine", "torch")
    assert code == 3
    assert "more than the limit of 400 (--max-pixels)" in err
    assert "fix: raise the limit by the option in brackets, repair or remove these files" in " ".join(err.split())
    code, out, _ = cli("evaluate", wary, str(folder), "--engine", "torch", "--max-pixels", "900")
    assert code == 0
    assert "n = 10" in out


def test_train_takes_the_same_options(cli: Cli, folder: Path, tmp_path: Path) -> None:
    code, _, err = cli("train", str(folder), "--max-pixels", "400", "--out", str(tmp_path / "runs"))
    assert code == 3
    assert "more than the limit of 400 (--max-pixels)" in err
    twice = ("--max-pixels", "400", "--set", "data.limits.max_pixels=900")
    code, _, err = cli("train", str(folder), *twice, "--out", str(tmp_path / "runs"))
    assert code == 2
    assert "data.limits.max_pixels is set twice" in err
    code, _, err = cli("train", str(folder), "--max-file-bytes", "0", "--out", str(tmp_path / "runs"))
    assert code == 2
    assert "limits.max_file_bytes must be at least 1, got 0" in err
