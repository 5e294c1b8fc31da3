"""A network that takes a moment, and figures made up for drawing."""

from pathlib import Path
from typing import Any

import pytest

from resnetkit.benchmarking.plan import Case
from resnetkit.benchmarking.results import Benchmark, Row, with_figures
from resnetkit.machine import peaks

TINY = {"model.depths": [1, 1, 1], "model.widths": [4, 8, 8], "model.stem.widths": [4], "runtime.threads": 1}


@pytest.fixture
def tiny_settings() -> dict[str, Any]:
    return dict(TINY)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choices of engines belong into no user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "SIDES", (32,))
    monkeypatch.setattr(peaks, "SECONDS_PER_SIDE", 0.001)


@pytest.fixture
def made_up() -> Benchmark:
    rows = [
        with_figures(Row(Case("predict", 32, 1), 1_000_000), [[0.010], [0.011], [0.012]], peak=1e9, passes=1),
        with_figures(Row(Case("predict", 32, 128), 1_000_000), [[0.64], [0.64], [0.64]], peak=1e9, passes=1),
        with_figures(Row(Case("train", 32, 128), 1_000_000), [[2.56], [2.56], [2.56]], peak=1e9, passes=None),
        Row(Case("train", 8, 1), 1_000_000, reason="too small"),
    ]
    environment = {"gpu": "another", "processor": "a third", "threads": 2}
    return Benchmark(
        "net", {}, environment, "a <fast> one", "2020-01-01", "fp32", False, 0.0, {"fp32": 1e9}, tuple(rows), ()
    )
