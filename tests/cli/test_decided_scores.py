"""Scores of thresholds: what ``predict`` gives, counted, in whichever of its ways ``evaluate`` answers."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.cli.test_shared_evaluation import TOGETHER
from tests.small_decisions import MIXED, images_in, with_yardstick

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.demanding import demanding

NUM_IMAGES = 300  # more than are computed together
ENGINE = ("--engine", "torch")

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def classifier(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all thresholds."""
    file = tmp_path_factory.mktemp("classifier") / "classifier.safetensors"
    demanding(with_yardstick(load_classifier(trained)), MIXED).save(file)
    return file


@pytest.fixture(scope="module")
def images(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images in folders of classes, of which some are right."""
    folder = tmp_path_factory.mktemp("images")
    for number, file in enumerate(images_in(folder, load_classifier(trained), NUM_IMAGES)):
        place = folder / str(number % 3) / file.name
        place.parent.mkdir(exist_ok=True)
        file.rename(place)
    return folder


def told(outcome: Any) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def alone(cli: Cli, classifier: Path, images: Path) -> dict[str, Any]:
    """What one process tells."""
    return told(cli("evaluate", str(classifier), str(images), "--json", *ENGINE))


def test_scores_count_the_statuses_and_sets_of_predict(
    cli: Cli, classifier: Path, images: Path, alone: dict[str, Any]
) -> None:
    lines = cli("predict", str(classifier), str(images), "--format", "jsonl", "--top", "1", *ENGINE).out.splitlines()
    rows = [json.loads(line) for line in lines]
    counted = Counter(row["status"] for row in rows)
    assert set(counted) == {"ok", "unsure", "unknown"}
    given = [row for row in rows if row["class"] is not None]
    is_right = [Path(row["path"]).parent.name == row["class"] for row in given]
    decided = alone["decision"]
    sure, unknown = decided["sure"], decided["unknown"]
    assert (sure["coverage"]["correct"], sure["coverage"]["num_images"]) == (counted["ok"], NUM_IMAGES)
    assert (sure["precision"]["correct"], sure["precision"]["num_images"]) == (sum(is_right), len(given))
    assert (unknown["rejected"]["correct"], sure["counts_unknown"]) == (counted["unknown"], False)
    held = sum(Path(row["path"]).parent.name in row["set"] for row in rows)
    assert decided["sets"]["coverage"]["correct"] == held
    assert decided["sets"]["mean_size"] == sum(len(row["set"]) for row in rows) / NUM_IMAGES


def test_rows_in_a_folder_give_the_same_scores(
    cli: Cli, classifier: Path, images: Path, tmp_path: Path, alone: dict[str, Any]
) -> None:
    words = ("evaluate", str(classifier), str(images), *ENGINE, "--out", str(tmp_path / "rows"))
    for _ in range(2):  # the second time from rows that are there
        assert told(cli(*words, "--json")) == alone
    (part,) = (tmp_path / "rows").glob("part-*.parquet")
    pq.write_table(pq.read_table(part).drop_columns(["familiarity"]), part)  # as an earlier version wrote them
    earlier = cli(*words, "--json")
    decided = json.loads(earlier.out)["decision"]
    assert "holds rows of an earlier version, which kept no familiarity" in earlier.err
    assert (decided["unknown"], decided["sure"]["counts_unknown"]) == (None, True)
    assert decided["sets"] == alone["decision"]["sets"]
    assert "(unknown ones not left out)" in cli(*words).out


@pytest.mark.slow
def test_two_processes_give_the_same_scores(classifier: Path, images: Path, alone: dict[str, Any]) -> None:
    words = ["-m", "resnetkit", "evaluate", str(classifier), str(images), "--json", *ENGINE]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, *TOGETHER, *words], capture_output=True, text=True, timeout=200, check=False, env=environment
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout) == alone


@pytest.mark.slow
def test_a_cluster_gives_the_same_scores_and_rows(
    cli: Cli, classifier: Path, images: Path, tmp_path: Path, alone: dict[str, Any]
) -> None:
    ray = pytest.importorskip("ray")
    on_ray = ("--ray", "local", *ENGINE)
    try:
        scored = cli("evaluate", str(classifier), str(images), "--out", str(tmp_path / "scores"), *on_ray, "--json")
        predicted = cli("predict", str(classifier), str(images), "--out", str(tmp_path / "ray"), *on_ray)
    finally:
        ray.shutdown()
    assert told(scored) == alone
    local = cli("predict", str(classifier), str(images), "--out", str(tmp_path / "local"), *ENGINE)
    assert (predicted.code, local.code) == (0, 0)
    tables = [pq.read_table(tmp_path / name).sort_by("path").to_pylist() for name in ("ray", "local")]
    assert {row["status"] for row in tables[0]} == {"ok", "unsure", "unknown"}
    assert tables[0] == tables[1]
