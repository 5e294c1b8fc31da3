"""Repeats of one training: each run is the ordinary one, what is interrupted goes on, and the scores stand together."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.html_page import Page

from resnetkit.classifier.classifier import load_classifier
from resnetkit.cli.run_results import print_repeats
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.evaluation.spread import Spread, spread_of
from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.repeated_result import RepeatedResult, read_repeated_result, render_page
from resnetkit.runs.repeats import read_repeats, write_repeats
from resnetkit.training.interruption import Interrupted
from resnetkit.training.repeats import resume_repeats, train_repeats
from resnetkit.training.run import train

KILLED_RUN = Path(__file__).with_name("killed_run.py")
NUM_RUNS = 3
PARENT = f"0001-resnet20_b-digits-{NUM_RUNS}-seeds"


@pytest.fixture(scope="module")
def settings() -> dict[str, object]:
    return {
        "model.depths": [1, 1, 1],
        "epochs": 2,
        "seed": 4,
        "batch_size": 128,
        "augmentation.pad_px": 1,
        "checkpoint_seconds": 0,
        "data.max_train_images": 512,
        "runtime.threads": 1,
        "runtime.precision": "fp32",
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, settings: dict[str, object]) -> RepeatedResult:
    out = tmp_path_factory.mktemp("whole")
    return train_repeats("digits", NUM_RUNS, model="resnet20_b", settings=settings, out=out)


def same_run(a: Path, b: Path) -> bool:
    """Compare all that two runs ended in."""
    first, second = load_classifier(a).network.state_dict(), load_classifier(b).network.state_dict()
    same_weights = all(value.equal(second[name]) for name, value in first.items())
    return same_weights and (a / "answers.npz").read_bytes() == (b / "answers.npz").read_bytes()


class StopIn(Listener):
    """Asks for a stop, as Ctrl-C does, in the second epoch of a run."""

    def __init__(self, run: int) -> None:
        self.run, self.runs, self.told = run, 0, list[str]()

    def run_started(self, *_: object) -> None:
        self.runs += 1

    def message(self, text: str) -> None:
        self.told.append(text)

    def step_ended(self, report: StepReport) -> None:
        if self.runs == self.run and report.num_updates == 6:
            signal.raise_signal(signal.SIGINT)


def test_each_run_is_the_ordinary_one_of_its_seed(
    whole: RepeatedResult, settings: dict[str, object], tmp_path: Path
) -> None:
    assert [result.run.name for result in whole.results] == [f"000{n}-resnet20_b-digits" for n in (1, 2, 3)]
    assert whole.parent.name == PARENT
    alone = train("digits", model="resnet20_b", settings=settings | {"seed": 5}, out=tmp_path)
    second = whole.results[1]
    assert same_run(second.run, alone.run)
    one, other = alone.folder.read_record(), second.folder.read_record()
    assert replace(one, command="", environment={}) == replace(other, command="", environment={})
    assert sorted(one.command.split()) == sorted(other.command.split())
    assert not same_run(second.run, whole.results[0].run)


def test_the_scores_are_those_of_the_runs(whole: RepeatedResult) -> None:
    values = [result.scores["test"].top1.value for result in whole.results]
    assert whole.judged_split == "test"
    assert whole.top1 is not None
    assert whole.top1.mean == pytest.approx(np.mean(values))
    assert whole.top1.sd == pytest.approx(np.std(values, ddof=1))
    half = 4.302653 * np.std(values, ddof=1) / np.sqrt(3)  # Student's t, 97.5 %, two degrees of freedom
    assert whole.top1.low == pytest.approx(np.mean(values) - half)
    assert whole.log_loss is not None
    assert whole.log_loss.mean == pytest.approx(np.mean([result.scores["test"].log_loss for result in whole.results]))
    assert whole.pooled is None
    assert read_repeated_result(whole.parent) == whole


def test_one_run_has_no_spread() -> None:
    assert spread_of([0.5]) == Spread(0.5, None, None, None, 1)


@pytest.mark.parametrize("values", [[0.5, 0.5], [0.0] * 3, [0.1] * 3, [1234.1] * 5])
def test_equal_scores_have_no_interval(values: list[float]) -> None:
    found = spread_of(values)
    assert found == Spread(pytest.approx(values[0]), 0.0, None, None, len(values))


def test_that_equal_scores_have_no_spread_is_said(whole: RepeatedResult, capsys: pytest.CaptureFixture[str]) -> None:
    equal = replace(whole, results=(whole.results[0],) * NUM_RUNS)
    print_repeats(equal, as_json=False)
    assert capsys.readouterr().out.count("no spread to judge by") == 2, "of top-1 and of the log loss"
    assert "no spread to judge by" in Page(render_page(equal)).text
    print_repeats(whole, as_json=False)
    assert "no spread" not in capsys.readouterr().out


def test_no_share_is_above_one(whole: RepeatedResult) -> None:
    scores = [SimpleNamespace(top1=SimpleNamespace(value=value)) for value in (1.0, 0.97, 0.99)]
    results = tuple(replace(run, scores={"test": one}) for run, one in zip(whole.results, scores, strict=True))
    assert spread_of([1.0, 0.97, 0.99]).high > 1  # type: ignore[operator]
    top1 = replace(whole, results=results).top1
    assert top1 is not None
    assert top1.high == 1


def test_the_page_names_every_run(whole: RepeatedResult) -> None:
    page = Page(whole.page.read_text())
    assert not page.open
    links = [link["href"] for link in page.all("a")]
    assert links == [f"{result.run.name}/report.html" for result in whole.results]
    assert all((whole.parent / link).is_file() for link in links)
    assert "seed 4" in page.text
    assert "--seeds 3" in page.text


@pytest.mark.parametrize("run", [1, 2])
def test_interrupted_they_go_on_to_the_same_end(
    whole: RepeatedResult, settings: dict[str, object], tmp_path: Path, run: int
) -> None:
    listener = StopIn(run)
    with pytest.raises(Interrupted):
        train_repeats(
            "digits", NUM_RUNS, model="resnet20_b", settings=settings, out=tmp_path, listener=listener, track=["csv"]
        )
    parent = tmp_path / PARENT
    assert f"--resume {parent}" in listener.told[-1]
    assert len(list(parent.glob("*-digits"))) == run
    result = resume_repeats(parent)
    assert all(same_run(mine.run, other.run) for mine, other in zip(result.results, whole.results, strict=True))
    assert [(each.run / "metrics.csv").is_file() for each in result.results] == [True] * NUM_RUNS
    again = resume_repeats(parent)
    assert again == result, "nothing is left to do"


def test_a_folder_that_a_kill_left_empty_is_passed_over(
    whole: RepeatedResult, settings: dict[str, object], tmp_path: Path
) -> None:
    parent = tmp_path / "parent"
    (parent / "0001-resnet20_b-digits").mkdir(parents=True)
    write_repeats(parent, read_repeats(whole.parent))
    result = resume_repeats(parent)
    assert [each.run.name for each in result.results] == [f"000{n}-resnet20_b-digits" for n in (2, 3, 4)]
    assert read_repeats(parent).runs == tuple(each.run.name for each in result.results)
    assert all(same_run(mine.run, other.run) for mine, other in zip(result.results, whole.results, strict=True))


@pytest.mark.slow
def test_a_time_is_divided_and_all_runs_go_as_far(settings: dict[str, object], tmp_path: Path) -> None:
    open_end = {name: value for name, value in settings.items() if name not in ("epochs", "seed")}
    open_end |= {"data.max_train_images": 256, "batch_size": 64}
    result = train_repeats("digits", 2, model="resnet20_b", settings=open_end, minutes=1 / 30, out=tmp_path)
    recipes = [each.folder.read_record().recipe for each in result.results]
    assert [recipe.epochs for recipe in recipes] == [13, 13], "fifty updates, the least"
    assert any("in 1.0 s" in reason for reason in result.results[1].folder.read_record().reasons)


def test_what_makes_no_sense_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ResnetkitError, match="2 or more"):
        train_repeats("digits", 1, out=tmp_path)
    with pytest.raises(ResnetkitError, match="holds no repeats"):
        resume_repeats(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ResnetkitError, match="single process"):
        train_repeats("digits", 2, out=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory, settings: dict[str, object]) -> RepeatedResult:
    own = settings | {"epochs": 1, "augmentation.pad_px": 0}
    return train_repeats(
        "digits", 2, by="folds", model="resnet20_b", settings=own, out=tmp_path_factory.mktemp("folds")
    )


def test_each_fold_is_the_ordinary_run_of_its_settings(
    folds: RepeatedResult, settings: dict[str, object], tmp_path: Path
) -> None:
    own = settings | {"epochs": 1, "augmentation.pad_px": 0, "data.num_folds": 2, "data.fold": 1}
    alone = train("digits", model="resnet20_b", settings=own, out=tmp_path)
    assert same_run(folds.results[1].run, alone.run)
    assert "--set data.num_folds=2 --set data.fold=1" in folds.results[1].folder.read_record().command


def test_all_folds_together_answer_every_image_once(folds: RepeatedResult) -> None:
    answers = [result.folder.read_answers()["test"] for result in folds.results]
    names = [name for one in answers for name in one.identifiers]
    assert len(names) == len(set(names)) == 1438
    correct = sum(int(one.is_right.sum()) for one in answers)
    assert folds.pooled == Accuracy.of(correct, 1438)
    assert "Bengio & Grandvalet 2004" in folds.caveat
    page = Page(folds.page.read_text()).text
    assert "fold 1 of 2" in page
    assert "n = 1,438" in page
    assert "--folds 2" in page


KILLS = [("while a checkpoint is written", 6), ("after the classifier is written", 1), ("after an update", 3)]


@pytest.mark.slow
def test_killed_they_go_on_to_the_same_end(whole: RepeatedResult, settings: dict[str, object], tmp_path: Path) -> None:
    assigned = [word for path, value in settings.items() for word in ("--set", f"{path}={json.dumps(value)}")]
    parent = tmp_path / PARENT
    arguments = [
        "train",
        "digits",
        "--model",
        "resnet20_b",
        "--seeds",
        str(NUM_RUNS),
        "--out",
        str(tmp_path),
        *assigned,
    ]
    for moment, count in KILLS:
        command = [sys.executable, str(KILLED_RUN), moment, str(count), *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        arguments = ["train", "--resume", str(parent)]
    result = resume_repeats(parent)
    assert all(same_run(mine.run, other.run) for mine, other in zip(result.results, whole.results, strict=True))
    assert RunFolder(parent / "0003-resnet20_b-digits").events("end")
