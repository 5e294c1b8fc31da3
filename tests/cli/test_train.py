"""The options of ``train`` that start from weights, and options that contradict each other."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from resnetkit.classifier import load_classifier
from resnetkit.training.run_folder import RunFolder

Cli = Callable[..., tuple[int, str, str]]
QUICK = ("--epochs", "1", "--set", "runtime.threads=1")


def test_a_run_is_fine_tuned_from_the_command_line(cli: Cli, trained: Path, tmp_path: Path) -> None:
    options = ("--weights", str(trained), "--reset-head", "--freeze", "stage2", "--out", str(tmp_path), "--json")
    code, out, err = cli("train", "digits", *options, *QUICK)
    assert code == 0, err
    run = Path(json.loads(out)["run"])
    recipe, _ = RunFolder(run).read_record()
    start = recipe.fine_tuning
    assert (recipe.name, start.freeze, start.reset_head) == ("fine_tune", "stage2", True)
    assert "recipe fine_tune: " in err
    assert "stem, stage1, stage2 frozen" in err
    before, after = (load_classifier(path).network.state_dict() for path in (trained, run))
    assert before["layer2.0.conv2.weight"].equal(after["layer2.0.conv2.weight"])
    assert not before["layer3.0.conv2.weight"].equal(after["layer3.0.conv2.weight"])
    assert "classifier.safetensors, new head, frozen up to stage2" in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "3", "--set", "epochs=5"], "epochs is set twice: by --epochs 3 and by --set epochs=5"),
        (["--seed", "1", "--set", "seed=2"], "by --seed 1 and by --set seed=2"),
        (["--reset-head", "--set", "fine_tuning.reset_head=false"], "by --reset-head and by --set fine_tuning.res"),
        (["--freeze", "stem", "--set", "fine_tuning.freeze=stage1"], "by --freeze stem and by --set fine_tuning.fre"),
        (["--on-bad-image", "skip", "--set", "data.on_bad_image=stop"], "by --on-bad-image skip and by --set data."),
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


@pytest.mark.parametrize("option", [["--adapt-channels"], ["--freeze", "stem"], ["--weights", "a.pt"]])
def test_resume_takes_no_options_of_fine_tuning(cli: Cli, trained: Path, option: list[str]) -> None:
    code, _, err = cli("train", "--resume", str(trained), *option)
    assert code == 2
    assert "takes no other options" in err
