"""What the analysis measures of a run is measured once, and again where it is of another classifier or damaged."""

from pathlib import Path

import pytest

from resnetkit.analysis import analyses
from resnetkit.analysis.figure import Figure
from resnetkit.models.catalog import find_entry
from resnetkit.runs.folder import RunFolder
from resnetkit.study.measured import MEASURED, memory_bytes, read_measured
from resnetkit.study.reading_words import TITLES, value_words


def test_every_measured_reading_is_of_a_figure_and_has_words() -> None:
    assert {figure for figure, _ in MEASURED.values()} <= set(analyses.FIGURES)
    assert set(MEASURED) <= set(TITLES)


def test_the_rise_without_a_block_is_of_the_error() -> None:
    follow = MEASURED["lesion_rise"][1]
    assert follow({"top1": 0.9, "median_top1_without_one": 0.65}) == pytest.approx(25)


def test_a_figure_is_measured_once_for_a_classifier(
    pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def measure(run: Path, *, figures: tuple[str, ...]) -> analyses.Analysis:
        calls.append(figures)
        made = Figure(figures[0], "", "", "", "", (), {"mean_std": 0.5, "largest_std": 0.9})
        return analyses.Analysis(str(run), True, "digits", 9, 0, (made,))

    monkeypatch.setattr(analyses, "analyze", measure)
    run, kept = RunFolder(pretrained), tmp_path / "analysis-responses.json"
    assert [read_measured(run, tmp_path, "response_std") for _ in range(2)] == [0.5, 0.5]
    assert calls == [("responses",)]
    for damage in ("{", '{"classifier_sha256": 1}', kept.read_text().replace("0.5", '"x"')):
        kept.write_text(damage)
        assert read_measured(run, tmp_path, "response_std") == 0.5
    kept.write_text(kept.read_text().replace('sha256": "', 'sha256": "0'))
    assert read_measured(run, tmp_path, "response_std") == 0.5
    assert len(calls) == 5


def test_a_run_is_measured(pretrained: Path, tmp_path: Path) -> None:
    run = RunFolder(pretrained)
    assert 0.05 < read_measured(run, tmp_path, "response_std") < 20
    assert -100 <= read_measured(run, tmp_path, "lesion_rise") <= 100
    assert sorted(path.name for path in tmp_path.iterdir()) == ["analysis-lesions.json", "analysis-responses.json"]


def test_memory_is_that_of_an_image() -> None:
    assert memory_bytes(find_entry("resnet20").spec, 16) == pytest.approx(
        memory_bytes(find_entry("resnet20").spec, 32) / 4, rel=0.05
    )
    assert value_words("memory_bytes", 3.2e6).startswith("3.20")
