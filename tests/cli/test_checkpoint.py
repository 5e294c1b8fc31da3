"""``--checkpoint best``: what a run that has not finished has come to."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.file import BEST_FILE_NAME

Cli = Callable[..., tuple[int, str, str]]
TORCH = ("--engine", "torch")


@pytest.fixture
def unfinished(trained: Path, tmp_path: Path) -> Path:
    """A run as it stands between two epochs."""
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(trained / "recipe.json", run)
    best = load_classifier(trained)
    best.provenance["warnings"] = ["the run had not finished"]
    best.save(run / BEST_FILE_NAME)
    return run


@pytest.fixture
def image(tmp_path: Path) -> str:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "black.png")
    return str(tmp_path / "black.png")


def test_an_unfinished_run_predicts_when_asked_and_says_what_it_is(cli: Cli, unfinished: Path, image: str) -> None:
    code, out, err = cli("predict", str(unfinished), image, *TORCH)
    assert (code, out) == (4, "")
    assert "--checkpoint best" in err
    code, out, err = cli("predict", str(unfinished), image, "--checkpoint", "best", "--format", "jsonl", *TORCH)
    assert code == 0, err
    assert json.loads(out)["status"] == "ok"
    assert err.count("warning: the run had not finished") == 1


def test_an_unfinished_run_is_scored_on_its_own_data(cli: Cli, trained: Path, unfinished: Path) -> None:
    code, out, err = cli("evaluate", str(unfinished), "--checkpoint", "best", "--json", *TORCH)
    assert code == 0, err
    assert "warning: the run had not finished" in err
    whole = json.loads(cli("evaluate", str(trained), "--json", *TORCH)[1])
    told = json.loads(out)
    assert (told["split"], told["top1"]) == ("test", whole["top1"])


def test_the_best_of_a_finished_run_is_its_classifier(cli: Cli, trained: Path, image: str) -> None:
    plain = cli("predict", str(trained), image, *TORCH)
    assert cli("predict", str(trained), image, "--checkpoint", "best", *TORCH) == plain


def test_only_runs_have_checkpoints(cli: Cli, trained: Path, image: str) -> None:
    code, _, err = cli("predict", str(trained / "classifier.safetensors"), image, "--checkpoint", "best", *TORCH)
    assert code == 2
    assert "is no run folder" in err
