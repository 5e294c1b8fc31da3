"""``resnetkit study`` as a user types it; runs are copies of a small one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Outcome
from tests.study.conftest import FakePlace

from resnetkit.study import running

Cli = Callable[..., Outcome]

MINE = """
name = "mine"
title = "Two networks"
question = "Which is better?"
source = "ours"
published_on = "CIFAR-10"
arms = [
  {name = "residual", model = "resnet20_b[depths=[1,1,1]]", published = {value = 8.75}},
  {name = "plain", model = "plain20[depths=[1,1,1]]"},
]
claims = [{says = "skips lower the test error", ascending = ["residual", "plain"]}]

[budgets.smoke]
data = "digits"
recipe = "tiny_images"
settings = {epochs = 1}
"""


@pytest.fixture
def place(pretrained: Path, monkeypatch: pytest.MonkeyPatch) -> FakePlace:
    place = FakePlace(pretrained)
    monkeypatch.setattr(running, "LocalProcess", place)
    return place


def test_from_a_file_to_a_page(cli: Cli, place: FakePlace, empty_folder: Path) -> None:
    Path("mine.toml").write_text(MINE)
    shown = cli("study", "show", "mine.toml")
    assert shown.code == 0
    assert "skips lower the test error" in shown.out
    ran = cli("study", "run", "mine.toml")
    assert ran.code == 0, ran.err
    assert "Not decided with this budget: whether skips lower the test error." in ran.out
    assert "page  studies/mine-smoke/study.html" in ran.out
    assert "(2 of 2 runs" in ran.err
    assert Path("studies/mine-smoke/study.html").is_file()
    reported = json.loads(cli("study", "report", "studies/mine-smoke", "--json").out)
    assert reported["to_do"] == []
    assert [arm["name"] for arm in reported["arms"]] == ["residual", "plain"]
    assert reported == json.loads(cli("study", "run", "studies/mine-smoke", "--json").out)
    assert len(place.asked) == 2


def test_a_failed_run_is_exit_code_1(cli: Cli, place: FakePlace, empty_folder: Path) -> None:
    Path("mine.toml").write_text(MINE)
    place.ends[("plain", 0)] = (7, 0.5)
    failed = cli("study", "run", "mine.toml")
    assert failed.code == 1
    assert "1 of 2 runs failed" in failed.err
    assert "1 of 2 runs are to come" in Path("studies/mine-smoke/study.html").read_text()
    reported = cli("study", "report", "studies/mine-smoke")
    assert reported.code == 0
    assert "not finished: plain, seed 0 (unfinished)" in reported.out
    assert "Not decided yet" in reported.out


def test_shipped_studies_are_listed(cli: Cli) -> None:
    assert "degradation" in cli("study", "list").out
    assert {"name", "title", "source", "budgets"} <= set(json.loads(cli("study", "list", "--json").out)[0])
    assert json.loads(cli("study", "show", "degradation", "--json").out)["name"] == "degradation"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "degradaton"], 2, "did you mean 'degradation'"),
        (["run", "degradation", "--budget", "smok"], 2, "did you mean 'smoke'"),
        (["run", "degradation", "--jobs", "0"], 2, "at least 1"),
        (["run", "degradation", "--seeds", "0"], 2, "num_seeds must be at least 1"),
        (["run", "degradation", "--seed", "3"], 2, "--seeds"),
        (["report", "nowhere"], 4, "no folder of a study"),
    ],
)
def test_mistakes_are_told(cli: Cli, empty_folder: Path, words: list[str], code: int, said: str) -> None:
    outcome = cli("study", *words)
    assert outcome.code == code
    assert said in outcome.err
    assert not list(empty_folder.iterdir())
