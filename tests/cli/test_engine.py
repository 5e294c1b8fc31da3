"""``--engine`` of predict and evaluate."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resnetkit.classifier import load_classifier
from resnetkit.inference.engines import ENGINES

needs_onnxruntime = pytest.mark.skipif(
    bool(ENGINES["onnxruntime"].missing), reason=ENGINES["onnxruntime"].missing or "installed"
)


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)).save(path)
    return str(path)


@needs_onnxruntime
def test_the_first_use_says_what_it_does_and_later_ones_say_nothing(
    cli: Callable[..., Any], trained: Path, tmp_path: Path, photo: str
) -> None:
    # Without what an earlier test may have made the run remember.
    run = str(shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("*.engines")))
    first = cli("predict", run, photo, "--format", "csv")
    again = cli("predict", run, photo, "--format", "csv")
    assert "measuring the engines onnxruntime" in first.err
    assert again.err == ""
    assert (first.code, again.code) == (0, 0)
    plain = cli("predict", run, photo, "--format", "csv", "--engine", "torch")
    assert plain.err == ""
    cells = [outcome.out.splitlines()[1].split(",") for outcome in (again, plain)]
    assert cells[0][:4] == cells[1][:4]
    assert float(cells[0][4]) == pytest.approx(float(cells[1][4]), abs=1e-5)


@needs_onnxruntime
def test_evaluate_scores_with_the_engine(cli: Callable[..., Any], trained: Path, tmp_path: Path) -> None:
    run = str(shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("*.engines")))
    scored = [cli("evaluate", run, "--engine", engine) for engine in ("onnxruntime", "torch")]
    assert "checking the engine onnxruntime" in scored[0].err
    assert scored[0].out == scored[1].out


@needs_onnxruntime
def test_what_was_assumed_is_told_every_time(
    cli: Callable[..., Any], tmp_path: Path, trained: Path, photo: str
) -> None:
    classifier = load_classifier(trained)
    classifier.provenance["warnings"] = ["its classes have no names"]
    classifier.save(tmp_path / "assumed.safetensors")
    for _ in range(2):
        outcome = cli("predict", str(tmp_path / "assumed.safetensors"), photo, "--engine", "onnxruntime")
        assert "warning: its classes have no names" in outcome.err


def test_an_unknown_engine_is_refused(cli: Callable[..., Any], trained: Path, photo: str) -> None:
    for command in (("predict", str(trained), photo), ("evaluate", str(trained))):
        outcome = cli(*command, "--engine", "tensorrt")
        assert outcome.code == 2
        assert "unknown engine 'tensorrt'" in outcome.err
