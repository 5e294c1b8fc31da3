"""The options of ``train`` that start from weights, and options that contradict each other."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from resnetkit.classifier.classifier import load_classifier
from resnetkit.models.resnet import create_model
from resnetkit.recipes.demands import Demands
from resnetkit.runs.folder import RunFolder

Cli = Callable[..., tuple[int, str, str]]
QUICK = ("--epochs", "1", "--set", "runtime.threads=1")


def test_a_run_is_fine_tuned_from_the_command_line(cli: Cli, trained: Path, tmp_path: Path) -> None:
    options = ("--weights", str(trained), "--reset-head", "--freeze", "stage2", "--out", str(tmp_path), "--json")
    code, out, err = cli("train", "digits", *options, *QUICK)
    assert code == 0, err
    run = Path(json.loads(out)["run"])
    recipe = RunFolder(run).read_record().recipe
    start = recipe.fine_tuning
    assert (recipe.name, start.freeze, start.reset_head) == ("fine_tune", "stage2", True)
    assert "recipe fine_tune: " in err
    assert "stem, stage1, stage2 frozen" in err
    before, after = (load_classifier(path).network.state_dict() for path in (trained, run))
    assert before["layer2.0.conv2.weight"].equal(after["layer2.0.conv2.weight"])
    assert not before["layer3.0.conv2.weight"].equal(after["layer3.0.conv2.weight"])
    assert "classifier.safetensors, new head, frozen up to stage2" in (run / "report.html").read_text()


def test_a_run_is_trained_with_demands_on_its_answers_and_tells_the_thresholds(cli: Cli, tmp_path: Path) -> None:
    demands = ("--unknown-at", "0.1", "--coverage", "0.9", "--set-rule", "aps", "--precision-at", "0.995")
    code, out, err = cli("train", "digits", *demands, "--out", str(tmp_path), "--json", *QUICK)
    assert code == 0, err
    run = Path(json.loads(out)["run"])
    assert RunFolder(run).read_record().recipe.decision == Demands(0.1, 0.9, "aps", 0.995)
    decision = load_classifier(run).decision
    assert decision.unknown is not None
    assert decision.unknown.rate == 0.1
    assert decision.sets is not None
    assert (decision.sets.rule, decision.sets.coverage) == ("aps", 0.9)
    assert decision.sure is None  # one epoch does not reach that precision, which is said
    assert "unknown: like none of its classes; 10 % of images of its classes may be called so" in err
    assert "sets: hold the true class of 90 % of images (aps)" in err
    assert "warning: " in err.partition("sets: hold")[2]
    measured = json.loads(out)["decision"]
    assert measured["sure"] is None
    assert (measured["unknown"]["rejected"]["num_images"], measured["sets"]["asked"]) == (359, 0.9)
    _, again, _ = cli("evaluate", str(run), "--json")
    assert json.loads(again)["decision"] == measured
    page = (run / "report.html").read_text()
    assert '<tr><th scope="row">Called unknown</th><td>' in page
    assert f"{measured['sets']['mean_size']:.2f} on average" in page
    code, _, _ = cli("report", str(run))
    assert code == 0
    assert "Called unknown" in (run / "report.html").read_text()  # drawn anew from what is stored


def test_a_run_without_demands_says_nothing_of_thresholds(trained: Path) -> None:
    assert "what they promise" not in (trained / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--coverage", "0.9", "--set", "decision.coverage=0.8"], "by --coverage 0.9 and by --set decision.coverage="),
        (["--epochs", "3", "--set", "epochs=5"], "epochs is set twice: by --epochs 3 and by --set epochs=5"),
        (["--seed", "1", "--set", "seed=2"], "by --seed 1 and by --set seed=2"),
        (["--reset-head", "--set", "fine_tuning.reset_head=false"], "by --reset-head and by --set fine_tuning.res"),
        (["--freeze", "stem", "--set", "fine_tuning.freeze=stage1"], "by --freeze stem and by --set fine_tuning.fre"),
        (["--on-bad-image", "skip", "--set", "data.on_bad_image=stop"], "by --on-bad-image skip and by --set data."),
        (["--set", "epochs=1", "--set", "epochs=2"], "epochs is set twice: by --set epochs=1 and by --set epochs=2"),
        (["--device", "cpu", "--set", "runtime.device=cpu"], "by --device cpu and by --set runtime.device=cpu"),
        (["--model", "resnet20", "--set", "model={}"], "model is set twice: by --model resnet20 and by --set model="),
        (["--set", "data.source=mnist"], "data.source is set twice: by DATA digits and by --set data.source=mnist"),
        (["--freeze", "stage9"], "no part 'stage9' to freeze"),
        (["--freeze", "head"], "nothing is left to train"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    cli: Cli, empty_folder: Path, arguments: list[str], words: str
) -> None:
    code, out, err = cli("train", "digits", *arguments)
    assert (code, out) == (2, "")
    assert words in " ".join(err.split())
    assert not list(empty_folder.iterdir())


def test_a_time_to_train_in_is_given_with_its_unit_and_to_new_runs_alone(
    cli: Cli, empty_folder: Path, trained: Path
) -> None:
    for time, fix in (("5", "--time 5m, --time 90s or --time 1h"), ("0s", "--time 5m")):
        code, _, err = cli("train", "digits", "--time", time)
        assert (code, f"'{time}' is no time to train in" in err, fix in err) == (2, True, True)
    code, _, err = cli("train", "digits", "--time", "5m", "--epochs", "2")
    assert (code, "a time to train in has no effect: it would choose epochs" in err) == (2, True)
    code, _, err = cli("train", "--resume", str(trained), "--time", "5m")
    assert (code, "takes no other options" in err) == (2, True)
    assert not list(empty_folder.iterdir())


def test_a_run_goes_as_far_as_its_time_allows(cli: Cli, tmp_path: Path) -> None:
    small = ("--set", "model.depths=[1,1,1]", "--set", "data.max_train_images=256", "--set", "runtime.threads=1")
    code, out, err = cli(
        "train", "digits", "--model", "resnet20", "--time", "1s", "--json", "--out", str(tmp_path), *small
    )
    assert code == 0, err
    record = RunFolder(Path(json.loads(out)["run"])).read_record()
    assert record.recipe.epochs == 13, "fifty updates, the least"
    assert "13 epochs in 1.0 s: the least that is worth a run" in err
    assert "too short" in record.warnings[0]
    assert "--set epochs=13" in record.command
    assert "--time" not in record.command


def test_weights_in_a_file_whose_name_is_a_number(cli: Cli, empty_folder: Path, trained: Path, tmp_path: Path) -> None:
    shutil.copy(trained / "classifier.safetensors", "2024")
    for number, start in enumerate((("--weights", "2024"), ("--set", "fine_tuning.weights=2024"))):
        code, out, err = cli("train", "digits", *start, "--json", "--out", f"out{number}", *QUICK)
        assert code == 0, err
        recipe = RunFolder(Path(json.loads(out)["run"])).read_record().recipe
        assert recipe.fine_tuning.weights == str(tmp_path / "2024")


def test_training_starts_from_one_of_several_networks(cli: Cli, empty_folder: Path) -> None:
    networks = {name: create_model("resnet20_b", in_channels=1, num_classes=n) for name, n in (("a", 2), ("b", 10))}
    torch.save({name: network.state_dict() for name, network in networks.items()}, "both.pt")
    start = ("--weights", "both.pt", "--freeze", "stage3", "--json")
    assert "name one of them with --entry" in cli("train", "digits", *start, *QUICK)[2]
    code, out, err = cli("train", "digits", *start, "--entry", "b", *QUICK)
    assert code == 0, err
    trained = load_classifier(Path(json.loads(out)["run"])).network.state_dict()
    assert trained["layer2.0.conv2.weight"].equal(networks["b"].state_dict()["layer2.0.conv2.weight"])
    own = ("--weights", json.loads(out)["run"], "--entry", "b")
    assert "has one entry of its own" in cli("train", "digits", *own, *QUICK)[2]
    assert "fine_tuning.entry" in cli("train", "digits", "--entry", "b", *QUICK)[2]


@pytest.mark.parametrize("option", [["--adapt-channels"], ["--freeze", "stem"], ["--entry", "a"]])
def test_resume_takes_no_options_of_fine_tuning(cli: Cli, trained: Path, option: list[str]) -> None:
    code, _, err = cli("train", "--resume", str(trained), *option)
    assert code == 2
    assert "takes no other options" in err


def test_where_data_are_now_is_said_of_a_run_to_go_on_with(cli: Cli, trained: Path) -> None:
    outcome = cli("train", "digits", "--data", "elsewhere")
    assert outcome.code == 2
    assert "goes with --resume RUN" in outcome.err
    assert cli("train", "--resume", str(trained), "--data", "elsewhere").code == 0, "finished: nothing to resume"


def test_a_run_is_tracked_where_that_is_asked_for_and_its_end_says_where(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "0001-run"))
    code, out, _ = cli("train", "--resume", str(run), "--track", "none")
    assert (code, "\ntrack " in out) == (0, False)
    code, out, _ = cli("train", "--resume", str(run), "--track", "csv")
    assert code == 0
    assert f"\ntrack {run}/metrics.csv\n" in out
    assert "scores/test_top1" in (run / "metrics.csv").read_text()
    code, _, err = cli("train", "digits", "--track", "cvs", "--out", str(tmp_path / "runs"))
    assert (code, (tmp_path / "runs").exists()) == (2, False)
    assert "unknown tracker 'cvs'" in err


def test_a_dry_run_tells_all_of_a_run_and_writes_none(cli: Cli, empty_folder: Path) -> None:
    settings = ("--set", "model.depths=[1,1,1]", *QUICK)
    code, out, err = cli("train", "digits", "--dry-run", *settings)
    assert code == 0, err
    for words in ("network resnet20, ", "1 epoch of ", "MB, measured", "runs/0001-resnet20-digits", "--set epochs=1"):
        assert words in out
    code, out, err = cli("train", "digits", "--dry-run", "--json", *settings)
    assert code == 0, err
    found = json.loads(out)
    assert found["recipe"]["epochs"] == 1
    assert found["seconds"]["total"] > 0
    assert found["num_images"] == {"train": 1293, "val": 145, "test": 359}
    assert not list(empty_folder.iterdir())


def test_a_dry_run_is_one_of_a_new_run_and_fetches_nothing(cli: Cli, empty_folder: Path, trained: Path) -> None:
    code, _, err = cli("train", "--resume", str(trained), "--dry-run")
    assert (code, "takes no other options" in err) == (2, True)
    code, _, err = cli("train", "digits", "--dry-run", "--download")
    assert (code, "--dry-run fetches nothing" in err) == (2, True)


def test_several_seeds_are_summed_up_and_gone_on_with(cli: Cli, tmp_path: Path) -> None:
    settings = ("--set", "model.depths=[1,1,1]", "--set", "data.max_train_images=256", *QUICK)
    code, out, err = cli("train", "digits", "--seeds", "2", "--seed", "3", "--json", "--out", str(tmp_path), *settings)
    assert code == 0, err
    found = json.loads(out)
    assert [run["seed"] for run in found["runs"]] == [3, 4]
    assert (found["by"], found["split"], found["top1"]["num_runs"]) == ("seeds", "test", 2)
    values = [run["scores"]["test"]["top1"]["value"] for run in found["runs"]]
    assert found["top1"]["mean"] == pytest.approx(sum(values) / 2)
    assert found["pooled"] is None
    code, out, err = cli("train", "--resume", found["parent"])
    assert code == 0, err
    for words in ("seed 3 ", "seed 4 ", "mean ", "95 % interval of the mean", "repeats.html"):
        assert words in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["digits", "--seeds", "1"], "--seeds needs 2 or more, got 1"),
        (["digits", "--seeds", "2", "--dry-run"], "--dry-run is of one run"),
        (["digits", "--seeds", "2", "--folds", "2"], "two ways to repeat a run"),
        (["digits", "--folds", "2", "--set", "data.num_folds=3"], "--folds sets data.num_folds"),
        (["--resume", "runs/0001", "--folds", "2"], "takes no other options"),
        (["--resume", "runs/0001", "--seeds", "2"], "takes no other options"),
    ],
)
def test_seeds_where_they_make_no_sense_are_refused(
    cli: Cli, empty_folder: Path, arguments: list[str], words: str
) -> None:
    code, _, err = cli("train", *arguments)
    assert (code, words in err) == (2, True), err
    assert not list(empty_folder.iterdir())


def test_find_rate_tells_a_range_and_draws_it(cli: Cli, empty_folder: Path) -> None:
    small = ("--set", "model.depths=[1,1,1]", "--set", "runtime.threads=1", "--steps", "30", "--sweeps", "2")
    code, out, err = cli("find-rate", "digits", *small)
    assert code == 0, err
    for words in ("range ", "suggested ", "--set optimizer.learning_rate=", "the recipe's own 0.1"):
        assert words in out
    assert not list(empty_folder.iterdir())
    code, out, err = cli("find-rate", "digits", *small, "--out", "rates.html", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["low"] <= found["suggested"] <= found["high"]
    assert [path.name for path in empty_folder.iterdir()] == ["rates.html"]


def test_find_rate_writes_over_nothing(cli: Cli, empty_folder: Path) -> None:
    (empty_folder / "rates.html").write_text("mine")
    code, out, err = cli("find-rate", "digits", "--out", "rates.html")
    assert (code, "exists already" in err, "sweep 1" in out + err) == (2, True, False), err
    assert (empty_folder / "rates.html").read_text() == "mine"
