"""Scores of images that the weights have seen: told, kept apart, and found whatever their files are called."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resnetkit.config import to_dict
from resnetkit.evaluation.answers import score_answers
from resnetkit.runs.folder import RunFolder
from resnetkit.training.run import train

from .conftest import Outcome

Cli = Callable[..., Outcome]

SIZES = {"train": 45, "val": 6, "test": 9}


def write_noise(folder: Path, number: int, first: int = 0) -> None:
    """Noise that nothing can be learnt from but by heart, in three classes."""
    for seed in range(first, first + number):
        values = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
        path = folder / "abc"[seed % 3] / f"{seed:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)


SETTINGS = {"model.depths": [1, 1, 1], "epochs": 2, "batch_size": 15, "runtime.threads": 1, "data.cache": "off"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``photos`` of 60 images and the run trained on it."""
    base = tmp_path_factory.mktemp("made")
    write_noise(base / "photos", 60)
    train(str(base / "photos"), model="resnet20_b", settings=SETTINGS, out=base / "runs")
    return base


@pytest.fixture
def base(made: Path, tmp_path: Path) -> Path:
    """A copy of both, whose recorded folder is the copied one."""
    shutil.copytree(made, tmp_path / "base")
    record = next((tmp_path / "base" / "runs").glob("*/recipe.json"))
    record.write_text(record.read_text().replace(str(made), str(tmp_path / "base")))
    return tmp_path / "base"


def run_in(base: Path) -> str:
    return str(next((base / "runs").iterdir()))


def scores_of(cli: Cli, *arguments: str) -> dict[str, Any]:
    outcome = cli("evaluate", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return dict(json.loads(outcome.out))


@pytest.fixture
def as_trained(cli: Cli, base: Path) -> dict[str, Any]:
    """What `evaluate RUN` says while nothing has been moved."""
    scores = scores_of(cli, run_in(base))
    assert scores["top1"]["num_images"] == SIZES["test"]
    assert (scores["num_trained_on"], scores["trained_on"], scores["split"]) == (0, None, "test")
    assert scores["knows_its_images"]
    return scores


SAME = ("top1", "confusion", "num_trained_on", "num_chose")


def assert_same(scores: dict[str, Any], other: dict[str, Any]) -> None:
    assert {key: scores[key] for key in SAME} == {key: other[key] for key in SAME}
    assert scores["log_loss"] == pytest.approx(
        other["log_loss"], abs=1e-5
    )  # images may come in another order and be batched differently


OTHER_WAYS = ("dots", "link", "copied", "classifier file", "file of a moved folder")


@pytest.mark.parametrize("way", ["moved", *(pytest.param(way, marks=pytest.mark.slow) for way in OTHER_WAYS)])
def test_the_data_of_the_run_are_known_wherever_they_are(
    cli: Cli, base: Path, as_trained: dict[str, Any], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, photos, other = run_in(base), base / "photos", base / "other"
    if way == "dots":
        monkeypatch.chdir(base / "runs")
        given = "../photos"
    elif way == "link":
        other.symlink_to(photos)
        given = str(other)
    elif way == "copied":
        shutil.copytree(photos, other)
        given = str(other)
    elif way == "classifier file":
        source, given = f"{source}/classifier.safetensors", str(photos)
    else:
        photos.rename(other)
        given = str(other)
        source += "/classifier.safetensors" if way == "file of a moved folder" else ""
    assert_same(scores_of(cli, source, given), as_trained)


def test_all_images_of_the_run_are_scored_apart_from_those_it_was_trained_on(cli: Cli, base: Path) -> None:
    for source in (run_in(base), f"{run_in(base)}/classifier.safetensors"):
        scores = scores_of(cli, source, str(base / "photos"), "--split", "all")
        assert scores["num_trained_on"] == scores["trained_on"]["top1"]["num_images"] == SIZES["train"]
        assert scores["top1"]["num_images"] == SIZES["val"] + SIZES["test"]
        assert scores["num_chose"] == SIZES["val"]
    text = cli("evaluate", run_in(base), "--split", "all").out
    assert "45 of 60 images were trained on; the scores are of the others" in text
    assert "6 of them watched over training and chose the epoch" in text
    assert "trained on        " in text


def test_images_that_watched_and_chose_nothing_are_not_said_to_have_chosen(
    cli: Cli, base: Path, tmp_path: Path
) -> None:
    result = train(
        str(base / "photos"), model="resnet20_b", settings=SETTINGS | {"keep": "last"}, out=tmp_path / "last"
    )
    assert scores_of(cli, str(result.run), "--split", "val")["num_chose"] == 0
    assert "chose" not in cli("evaluate", str(result.run), "--split", "val").out


def test_renamed_files_leave_the_test_images_those_of_training(
    cli: Cli, base: Path, as_trained: dict[str, Any]
) -> None:
    for number, path in enumerate(sorted((base / "photos").rglob("*.png"))):
        path.rename(path.with_name(f"new{(number * 17) % 60:02}.png"))
    assert_same(scores_of(cli, run_in(base)), as_trained)
    (base / "photos").rename(base / "other")
    assert_same(scores_of(cli, run_in(base), str(base / "other")), as_trained)
    assert_same(scores_of(cli, f"{run_in(base)}/classifier.safetensors", str(base / "other")), as_trained)


def test_new_and_missing_images_are_told(cli: Cli, base: Path, as_trained: dict[str, Any]) -> None:
    write_noise(base / "photos", 6, first=1000)
    outcome = cli("evaluate", run_in(base), "--json")
    assert_same(json.loads(outcome.out), as_trained)
    assert "6 images were not there when the run was started, and are not scored" in outcome.err
    whole = scores_of(cli, run_in(base), "--split", "all")
    assert (whole["top1"]["num_images"], whole["num_trained_on"]) == (SIZES["val"] + SIZES["test"] + 6, SIZES["train"])
    for path in sorted((base / "photos" / "a").iterdir())[:15]:
        path.unlink()
    outcome = cli("evaluate", run_in(base), "--json")
    assert json.loads(outcome.out)["top1"]["num_images"] < SIZES["test"]
    assert f"of the {SIZES['test']} test images of the run are missing" in outcome.err


def test_where_nothing_is_unseen_there_is_no_score_to_count_on(cli: Cli, base: Path) -> None:
    scores = scores_of(cli, run_in(base), "--split", "train")
    assert (scores["top1"], scores["log_loss"], scores["num_trained_on"]) == (None, None, SIZES["train"])
    text = cli("evaluate", run_in(base), "--split", "train")
    assert "no unseen images: the weights were trained on all 45" in text.out
    assert text.code == 0
    checked = cli("evaluate", run_in(base), "--split", "train", "--min-top1", "0")
    assert checked.code == 1
    assert "check failed: the weights were trained on all of these images" in checked.err


def test_min_top1_judges_what_is_unseen(cli: Cli, base: Path) -> None:
    scores = scores_of(cli, run_in(base), "--split", "all")
    value = scores["top1"]["value"]
    for least, code in ((value, 0), (value + 0.001, 1)):
        assert cli("evaluate", run_in(base), "--split", "all", "--min-top1", str(least)).code == code


def test_a_few_images_of_training_among_new_ones_are_scored_apart(cli: Cli, base: Path, tmp_path: Path) -> None:
    write_noise(tmp_path / "new", 30, first=2000)
    write_noise(tmp_path / "new", 60)
    for path in sorted((tmp_path / "new" / "b").iterdir())[:4]:
        path.unlink()
    scores = scores_of(cli, run_in(base), str(tmp_path / "new"))
    assert scores["split"] == "all"
    assert scores["top1"]["num_images"] + scores["num_trained_on"] == 86
    assert SIZES["train"] - 4 <= scores["num_trained_on"] <= SIZES["train"]


def test_a_folder_that_is_gone_is_asked_for(cli: Cli, base: Path) -> None:
    (base / "photos").rename(base / "other")
    outcome = cli("evaluate", run_in(base))
    assert outcome.code == 3
    assert f"are no longer in {base / 'photos'}" in outcome.err
    assert f"resnetkit evaluate {run_in(base)} NEW/PATH" in outcome.err


def test_a_classifier_that_does_not_know_its_images_says_so(cli: Cli, base: Path) -> None:
    from dataclasses import replace

    from resnetkit.classifier.classifier import load_classifier

    old = base / "old.safetensors"
    replace(load_classifier(run_in(base)), seen=None).save(old)
    outcome = cli("evaluate", str(old), str(base / "photos"))
    assert "the classifier does not say what it was trained on" in outcome.out
    scores = scores_of(cli, str(old), str(base / "photos"))
    assert (scores["knows_its_images"], scores["top1"]["num_images"]) == (False, 60)


def fine_tuned(cli: Cli, base: Path, *settings: str) -> Outcome:
    options = [f"--set={name}={json.dumps(value)}" for name, value in SETTINGS.items() if name != "model.depths"]
    start = ("train", str(base / "photos"), "--weights", run_in(base), "--out", str(base / "fine"))
    outcome = cli(*start, *options, *settings)
    assert outcome.code == 0, outcome.err
    return outcome


def test_fine_tuning_on_the_same_splits_has_seen_nothing_of_its_test(cli: Cli, base: Path) -> None:
    outcome = fine_tuned(cli, base, "--json")
    assert json.loads(outcome.out)["num_trained_on"] == {"val": 0, "test": 0}
    assert "were trained on" not in outcome.err


def test_fine_tuning_on_other_splits_scores_only_what_the_weights_had_not_seen(cli: Cli, base: Path) -> None:
    outcome = fine_tuned(cli, base, "--set", "data.split_seed=1", "--set", "data.test_fraction=0.4", "--json")
    result = json.loads(outcome.out)
    num_seen, score = result["num_trained_on"]["test"], result["scores"]["test"]["top1"]
    assert 0 < num_seen < 24
    assert score["num_images"] == 24 - num_seen
    assert f"were trained on {num_seen} of the 24 test images: its score is of the others" in outcome.err
    again = scores_of(cli, result["run"])
    assert again["top1"] == score
    answers = RunFolder(Path(result["run"])).read_answers()["test"]
    assert (len(answers), answers.trained_on.sum()) == (24, num_seen)
    assert to_dict(score_answers(answers)) == result["scores"]["test"]
    assert again["num_trained_on"] == num_seen


def test_fine_tuning_with_nothing_unseen_has_no_score(cli: Cli, base: Path) -> None:
    outcome = fine_tuned(cli, base, "--set", "data.split_seed=1")
    assert "were trained on 9 of the 9 test images: there will be no score of it" in outcome.err
    assert "val images: " in outcome.err
    assert "but all of them choose the epoch" in outcome.err
    assert "test  no score: the weights were trained on all 9 images" in outcome.out
    assert "test  top-1" not in outcome.out


def test_images_that_choose_no_epoch_are_not_said_to(cli: Cli, base: Path) -> None:
    last = fine_tuned(cli, base, "--set", "data.split_seed=1", "--set", "keep=last")
    assert "val images: " in last.err
    assert "choose the epoch" not in last.err
    stopping = fine_tuned(cli, base, "--set=data.split_seed=1", "--set=keep=last", "--set=early_stopping_epochs=1")
    assert "but all of them say when to stop" in stopping.err
