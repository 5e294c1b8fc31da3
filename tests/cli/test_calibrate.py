"""A decision fitted anew from the command line: what is written, what is said, what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from numpy.random import default_rng
from PIL import Image
from sklearn.datasets import load_digits
from tests.cli.conftest import Outcome

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.decision import Decision, Unknown

Cli = Callable[..., Outcome]


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 600 digits, altered so that no training has met them, as a folder without splits."""
    root, digits = tmp_path_factory.mktemp("digits"), load_digits()
    for number, (image, label) in enumerate(zip(digits.images[:600], digits.target, strict=False)):
        (root / str(label)).mkdir(exist_ok=True)
        Image.fromarray((image.clip(0, 15) * 16).astype("uint8")).save(root / str(label) / f"{number}.png")
    return root


def test_it_writes_a_new_classifier_that_keeps_all_but_its_decision(
    cli: Cli, trained: Path, digits_folder: Path, tmp_path: Path
) -> None:
    file = trained / "classifier.safetensors"
    before, out = file.read_bytes(), tmp_path / "new.safetensors"
    told = cli(
        "calibrate", str(trained), str(digits_folder), "-o", str(out), "--unknown-at", "0.1", "--coverage", "0.9"
    )
    assert told.code == 0, told.err
    assert file.read_bytes() == before
    old, new = load_classifier(file), load_classifier(out)
    assert new.decision.temperature != old.decision.temperature
    assert f"temperature {new.decision.temperature:g}" in told.out
    assert new.decision.unknown is not None
    assert new.decision.sets is not None
    assert (new.decision.unknown.rate, new.decision.sets.coverage, new.decision.sure) == (0.1, 0.9, None)
    assert new.yardstick is not None
    assert (new.yardstick.images, new.yardstick.num_images) == (f"all of {digits_folder.name}", 600)
    assert (new.seen, new.reference, new.provenance) == (old.seen, old.reference, old.provenance)
    for name, tensor in old.network.state_dict().items():
        assert tensor.equal(new.network.state_dict()[name])


def test_images_that_set_a_decision_are_told_of_when_they_judge_it(
    cli: Cli, trained: Path, digits_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new.safetensors"
    told = cli("calibrate", str(trained), str(digits_folder), "-o", str(out), "--coverage", "0.9", "--json")
    found = json.loads(told.out)
    assert found["calibration"]["after"]["log_loss"] < found["calibration"]["before"]["log_loss"]
    assert found["decision"]["sets"]["coverage"] == 0.9
    same = cli("evaluate", str(out), str(digits_folder), "--engine", "torch")
    assert "600 of them set the temperature and thresholds" in same.out
    assert "set for 90 % by lac" in same.out
    other = json.loads(cli("evaluate", str(out), "digits", "--split", "test", "--engine", "torch", "--json").out)
    assert other["num_fitted"] == 0
    assert other["calibration"]["ece"] == pytest.approx(other["expected_calibration_error"])
    assert other["decision"]["sets"]["coverage"]["num_images"] == 359


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (Decision(2.0, unknown=Unknown(-123.0, 0.2)), "set the temperature and thresholds: these hold a little better"),
        (Decision(2.0), "set the temperature: it holds a little better"),
        (Decision(unknown=Unknown(-123.0, 0.2)), "set the thresholds: these hold a little better"),
        (Decision(), ""),
    ],
)
def test_images_are_said_to_have_set_what_there_is(
    cli: Cli, trained: Path, tmp_path: Path, decision: Decision, said: str
) -> None:
    replace(load_classifier(trained), decision=decision).save(tmp_path / "classifier.safetensors")
    words = ("evaluate", str(tmp_path / "classifier.safetensors"), "digits", "--split", "train", "--engine", "torch")
    told = cli(*words)
    assert told.code == 0, told.err
    assert (f"of them {said} on them" in told.out) == bool(said)
    assert ("of them set" in told.out) == bool(said)
    assert (json.loads(cli(*words, "--json").out)["num_fitted"] > 0) == bool(said)


def test_thresholds_of_its_own_are_set_anew_for_what_they_were_set_for(
    cli: Cli, trained: Path, digits_folder: Path, tmp_path: Path
) -> None:
    old = load_classifier(trained / "classifier.safetensors")
    has_threshold = replace(old, decision=Decision(3.0, unknown=Unknown(-123.0, 0.2)))
    has_threshold.save(tmp_path / "old.safetensors")
    found = []
    for number, more in enumerate(((), ("--unknown-at", "0"))):
        out = tmp_path / f"{number}.safetensors"
        assert cli("calibrate", str(tmp_path / "old.safetensors"), str(digits_folder), "-o", str(out), *more).code == 0
        found.append(load_classifier(out).decision.unknown)
    assert found[0] is not None
    assert (found[0].rate, found[0].below > -100, found[1]) == (0.2, True, None)


def test_images_that_it_was_trained_on_are_refused_and_nothing_is_written(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new.safetensors"
    told = cli("calibrate", str(trained), "digits", "--split", "all", "-o", str(out))
    assert told.code == 3
    assert "trained on 1,293 of these 1,797 images" in told.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "new.pth"), "a .safetensors file"),
        (("-o", "there.safetensors"), "exists already"),
        (("-o", "new.safetensors", "--unknown-at", "0.0001"), "at least 9,999 images"),
        (("-o", "new.safetensors", "--set-rule", "aps"), "--coverage"),
        (("-o", "new.safetensors", "--split", "val"), "no val split"),
    ],
)
def test_what_cannot_be_is_refused(
    cli: Cli,
    trained: Path,
    digits_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.safetensors").write_bytes(b"mine")
    told = cli("calibrate", str(trained), str(digits_folder), *arguments)
    assert told.code in (2, 3)
    assert words in told.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.safetensors"]


def test_data_with_splits_but_no_val_ask_which_images(
    cli: Cli, trained: Path, digits_folder: Path, tmp_path: Path
) -> None:
    for split in ("train", "test"):
        (tmp_path / split).symlink_to(digits_folder)
    told = cli("calibrate", str(trained), str(tmp_path), "-o", str(tmp_path / "new.safetensors"))
    assert told.code == 2
    assert "train and test, and no val" in told.err
    assert "--split test" in told.err


def test_evaluate_finds_images_of_no_known_class(cli: Cli, trained: Path, tmp_path: Path) -> None:
    for number, pixels in enumerate(default_rng(0).integers(0, 256, (30, 8, 8), dtype="uint8")):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    arguments = ("digits", "--unknown-at", "0.05", "--unknown-data", str(tmp_path), "--engine", "torch")
    told = cli("evaluate", str(trained), *arguments)
    assert told.code == 0, told.err
    assert "called unknown" in told.out
    assert "n = 30" in told.out
    assert "(30 against 359)" in told.out
    (tmp_path / "30.png").write_bytes(b"no picture")
    assert "1 of 31 images" in cli("evaluate", str(trained), *arguments).err
    refused = cli("evaluate", str(trained), *arguments[:-2], "--out", str(tmp_path / "rows.parquet"))
    assert "by one process alone" in refused.err
