"""The command line called in this process, and a small trained run to use."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from resnetkit.cli.app import main
from resnetkit.training.run import train


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choices of engines for weights are kept in the test's own folder, not in the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def call(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["resnetkit", *arguments])
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = {"model.depths": [1, 1, 1], "epochs": 6, "runtime.threads": 1}
    return train("digits", model="resnet20_b", settings=settings, out=tmp_path_factory.mktemp("runs")).run
