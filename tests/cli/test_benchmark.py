"""The benchmark command on a tiny network."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from resnetkit.machine import peaks

TINY = ["--rounds", "2", "--seconds", "0.001", "--threads", "1", "--image-size", "8"]
TINY += ["--set", "model.depths=[1,1,1]", "--set", "model.widths=[4,8,8]", "--set", "model.stem.widths=[4]"]


@pytest.fixture(autouse=True)
def small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "SIDES", (32,))
    monkeypatch.setattr(peaks, "SECONDS_PER_SIDE", 0.001)


def test_json_has_figures_with_their_machine(cli: Callable) -> None:
    outcome = cli("benchmark", "resnet20", "-b", "2", *TINY, "--json")
    assert outcome.code == 0
    content = json.loads(outcome.out)
    assert content["subject"] == "resnet20"
    assert {"torch", "processor", "threads", "resnetkit"} <= set(content["environment"])
    assert content["peak_flops_per_second"]["fp32"] > 0
    assert [(row["mode"], row["image_size_px"], row["batch_size"]) for row in content["rows"]] == [
        ("predict", 8, 2),
        ("train", 8, 2),
    ]
    for row in content["rows"]:
        assert set(row["images_per_second"]) == {"median", "low", "high", "n"}
        assert row["images_per_second"]["n"] == 2
        assert row["step_ms"]["p50"] > 0


def test_the_table_has_rows_and_bars(cli: Callable, tmp_path: Path) -> None:
    picture = tmp_path / "cost.svg"
    outcome = cli("benchmark", "resnet20", "-b", "2", *TINY, "--only", "train", "--svg", str(picture))
    assert outcome.code == 0
    assert "trained as recipe small_images does" in outcome.out
    assert "8 px, batch 2" in outcome.out
    assert "prediction" not in outcome.out
    assert picture.read_text().startswith("<!-- drawn by resnetkit -->")


def test_a_case_that_cannot_run_is_told_and_fails(cli: Callable) -> None:
    outcome = cli("benchmark", "resnet20", "-b", "1", *TINY, "--only", "train", "--set", "model.strides=[2,2,2]")
    assert outcome.code == 1
    assert "not measured: train, 8 px, batch 1: Expected more than 1 value" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet19"], "did you mean 'resnet18'?"),
        (["resnet20", "--image-size", "2"], "at least 8"),
        (["resnet20", "--svg", "cost.png"], "writes an SVG file"),
        (["resnet20", "--threads", "1", "--set", "runtime.threads=2"], "set twice"),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(cli: Callable, arguments: list[str], message: str) -> None:
    outcome = cli("benchmark", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
