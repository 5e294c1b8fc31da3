"""What each command prints, where, and with which exit code."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.cli.evaluation_results import _print_scores
from resnetkit.cli.train import print_result
from resnetkit.evaluation.metrics import score
from resnetkit.pages.formatting import plain_percent
from resnetkit.runs.answer_files import read_answers
from resnetkit.runs.first_look import FirstLook
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import Result
from resnetkit.training import run
from resnetkit.training.interruption import Interrupted

Cli = Callable[..., tuple[int, str, str]]


def digit_file(folder: Path, name: str = "digit.png") -> Path:
    from sklearn.datasets import load_digits

    path = folder / name
    Image.fromarray((load_digits().images[0] * 255 / 16).round().astype(np.uint8)).save(path)
    return path


def write_bomb(path: Path) -> None:
    """A PNG of 100,000 × 100,000 black pixels in a few bytes of header."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    size = (100_000).to_bytes(4, "big")
    header = chunk(b"IHDR", size + size + bytes([1, 0, 0, 0, 0]))
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b""))


@pytest.fixture
def mixed_folder(tmp_path: Path) -> Path:
    """Good images among a truncated JPEG, a text named .jpg, an empty PNG and a decompression bomb."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    digit_file(folder, "a_good.png")
    Image.effect_noise((64, 48), 50).save(folder / "b_good.jpg")
    whole = (folder / "b_good.jpg").read_bytes()
    (folder / "c_truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "d_text.jpg").write_text("hello")
    (folder / "e_empty.png").touch()
    write_bomb(folder / "f_bomb.png")
    digit_file(folder, "g_good.png")
    return folder


EXPECTED = {
    "a_good.png": "ok",
    "b_good.jpg": "ok",
    "c_truncated.jpg": "error",
    "d_text.jpg": "error",
    "e_empty.png": "error",
    "f_bomb.png": "error",
    "g_good.png": "ok",
}


# --- predict ---


def test_predict_gives_a_row_for_every_file_and_no_class_to_what_it_cannot_read(
    cli: Cli, trained: Path, mixed_folder: Path
) -> None:
    (mixed_folder / "h_gone.png").symlink_to("nowhere")
    digit_file(mixed_folder, ".hidden.png")
    (mixed_folder / "photo.psd").touch()
    code, out, err = cli("predict", str(trained), str(mixed_folder), "--format", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert {Path(row["path"]).name: row["status"] for row in rows} == EXPECTED | {"h_gone.png": "error"}
    for row in rows:
        if row["status"] == "ok":
            assert row["class"] in "0123456789"
            assert row["reason"] == ""
        else:
            assert row["class"] is row["probability"] is None
            assert row["reason"]
            assert row["top"] == []
    reasons = {Path(row["path"]).name: row["reason"] for row in rows}
    assert "truncated" in reasons["c_truncated.jpg"]
    assert "0 bytes" in reasons["e_empty.png"]
    assert "10,000,000,000 pixels" in reasons["f_bomb.png"]
    assert "does not exist" in reasons["h_gone.png"]
    assert "1 file is hidden" in err
    assert f"warning: {mixed_folder}: not read: 1 .psd" in err
    assert "5 of 8 files" in err
    # The neighbours of a bad file get their own answers.
    assert rows[0]["top"] == rows[6]["top"]
    assert rows[0]["class"] == "0"


def test_predict_formats_agree(cli: Cli, trained: Path, tmp_path: Path) -> None:
    path = digit_file(tmp_path)
    row = json.loads(cli("predict", str(trained), str(path), "-f", "jsonl", "--top", "2")[1])
    (line,) = list(csv.DictReader(io.StringIO(cli("predict", str(trained), str(path), "-f", "csv", "--top", "2")[1])))
    table = cli("predict", str(trained), str(path), "--top", "2")[1]
    assert (line["path"], line["status"], line["class_1"]) == (str(path), "ok", row["class"])
    assert float(line["probability_1"]) == pytest.approx(row["probability"], abs=1e-6)
    assert float(line["probability_2"]) == pytest.approx(row["top"][1]["probability"], abs=1e-6)
    assert plain_percent(row["probability"], 1) in table
    assert str(path) in table


def test_every_csv_row_has_all_columns(cli: Cli, trained: Path, mixed_folder: Path) -> None:
    rows = list(csv.reader(io.StringIO(cli("predict", str(trained), str(mixed_folder), "-f", "csv", "--top", "2")[1])))
    assert {len(row) for row in rows} == {7}


@pytest.mark.skipif(os.name != "posix", reason="a carriage return is no part of a name elsewhere")
def test_a_list_from_windows_is_read_and_a_name_that_ends_in_a_carriage_return_too(
    cli: Cli, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["plain.png", "odd.png\r"]
    for name in names:
        Image.new("L", (8, 8)).save(tmp_path / name, format="PNG")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{tmp_path}/plain.png\r\n{tmp_path}/odd.png\r\n", newline="\n"))
    code, out, _ = cli("predict", str(trained), "-", "-f", "jsonl")
    assert code == 0
    assert [json.loads(line)["path"] for line in out.splitlines()] == [f"{tmp_path}/{name}" for name in names]


def test_predict_takes_patterns_and_stdin(
    cli: Cli, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    one, two = digit_file(tmp_path / "deep"), digit_file(tmp_path / "deep" / "er", "with space.png")
    code, out, _ = cli("predict", str(trained), str(tmp_path / "**" / "*.png"), "-f", "jsonl")
    assert code == 0
    assert {json.loads(line)["path"] for line in out.splitlines()} == {str(one), str(two)}
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{two}\n\n{tmp_path}/none.png\n"))
    code, out, _ = cli("predict", str(trained), "-", "-f", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [row["status"] for row in rows] == ["ok", "error"]


def test_a_folder_with_brackets_in_its_name_is_found_by_a_pattern(cli: Cli, trained: Path, tmp_path: Path) -> None:
    for name in ("photos [2024]", "photos 2"):
        (tmp_path / name / "deep").mkdir(parents=True)
        digit_file(tmp_path / name / "deep", "1.png")
    for pattern in ("photos [2024]/**/*.png", "photos [2024]/deep/[0-9].png"):
        code, out, _ = cli("predict", str(trained), str(tmp_path / pattern), "-f", "jsonl")
        assert code == 0
        assert json.loads(out)["path"] == str(tmp_path / "photos [2024]" / "deep" / "1.png")
    code, out, _ = cli("predict", str(trained), str(tmp_path / "photos [0-9]" / "*" / "*"), "-f", "jsonl")
    assert json.loads(out)["path"] == str(tmp_path / "photos 2" / "deep" / "1.png")


def test_predict_without_any_image_is_an_error(cli: Cli, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    code, out, err = cli("predict", str(trained), str(tmp_path))
    assert (code, out) == (2, "")
    assert "no image files" in err


# --- evaluate ---


def test_evaluate_json_agrees_with_the_text_and_the_run(cli: Cli, trained: Path) -> None:
    code, out, _ = cli("evaluate", str(trained), "--json")
    scores = json.loads(out)
    assert code == 0
    assert scores["top1"]["num_images"] == 359
    assert sum(cell["num_images"] for cell in scores["confusion"]) == 359
    text = cli("evaluate", str(trained))[1]
    assert f"{100 * scores['top1']['value']:.2f} %" in text
    assert "n = 359" in text


def test_evaluate_keeps_its_answers_in_a_new_file(cli: Cli, trained: Path, tmp_path: Path) -> None:
    table, arrays = tmp_path / "new" / "answers.csv", tmp_path / "answers.npz"
    for file in (table, arrays):
        assert cli("evaluate", str(trained), "--engine", "torch", "--answers", str(file)).code == 0
    (test,) = table.read_text().splitlines()[1:2]
    assert test.startswith("digits/test/")
    found, kept = read_answers(arrays), RunFolder(trained).read_answers()
    assert list(found) == ["test"]
    np.testing.assert_array_equal(found["test"].predicted, kept["test"].predicted)
    np.testing.assert_array_equal(found["test"].digests, kept["test"].digests)

    whole = tmp_path / "all.npz"
    asked = ("evaluate", str(trained), "--engine", "torch", "--split", "all", "--json", "--answers", str(whole))
    scores = json.loads(cli(*asked).out)
    found = read_answers(whole)
    assert {split: len(one) for split, one in found.items()} == {"train": 1293, "val": 145, "test": 359}
    assert sum(one.is_right[~one.trained_on].sum() for one in found.values()) == scores["top1"]["correct"]
    for file, words in ((table, "is there already"), (tmp_path / "answers.txt", "end it in .csv")):
        refused = cli("evaluate", str(trained), "--answers", str(file))
        assert refused.code == 2
        assert words in refused.err


def test_min_top1_decides_the_exit_code(cli: Cli, trained: Path) -> None:
    assert cli("evaluate", str(trained), "--min-top1", "0.5")[0] == 0
    code, _, err = cli("evaluate", str(trained), "--min-top1", "1.0")
    assert code == 1
    assert "below 1.0" in err


def test_splits_are_those_of_training(cli: Cli, trained: Path) -> None:
    counts = {}
    for split in ("train", "val", "test", "all"):
        scores = json.loads(cli("evaluate", str(trained), "--split", split, "--json")[1])
        counts[split] = (scores["num_trained_on"], scores["top1"] and scores["top1"]["num_images"])
    assert counts == {"train": (1293, None), "val": (0, 145), "test": (0, 359), "all": (1293, 504)}


def write_digit_folder(folder: Path, num_images: int = 200, brightness: int = 255) -> Path:
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images[:num_images], digits.target, strict=False)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * brightness / 16).round().astype(np.uint8)).save(folder / str(label) / f"{number}.png")
    return folder


def test_a_folder_that_training_never_saw_is_scored_whole(cli: Cli, trained: Path, tmp_path: Path) -> None:
    folder = write_digit_folder(tmp_path / "new", brightness=254)
    scores = json.loads(cli("evaluate", str(trained), str(folder), "--json")[1])
    assert (scores["split"], scores["top1"]["num_images"]) == ("all", 200)
    bare = json.loads(cli("evaluate", str(trained / "classifier.safetensors"), str(folder), "--json")[1])
    assert bare["top1"] == scores["top1"]


def test_the_runs_own_data_are_scored_on_what_was_held_back(cli: Cli, trained: Path) -> None:
    named = json.loads(cli("evaluate", str(trained), "digits", "--json")[1])
    assert (named["split"], named["top1"]["num_images"]) == ("test", 359)


def test_json_has_the_error_too(cli: Cli) -> None:
    code, out, err = cli("evaluate", "nowhere", "--json")
    error = json.loads(out)["error"]
    assert (code, error["code"], error["kind"]) == (4, 4, "weights")
    assert error["what"] in err
    assert error["fix"]


def test_other_classes_are_refused_by_name(cli: Cli, trained: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(4):
            digit_file(tmp_path / "pets" / name, f"{number}.png")
    code, _, err = cli("evaluate", str(trained), str(tmp_path / "pets"), "--split", "all")
    assert code == 3
    assert "'cat', 'dog'" in err
    assert "it knows '0', '1'" in err


def test_classes_are_matched_by_name_not_by_position(cli: Cli, trained: Path, tmp_path: Path) -> None:
    """The same digits under folders whose natural order is the classifier's: every class finds its own."""
    write_digit_folder(tmp_path / "folder")
    code, out, _ = cli("evaluate", str(trained), str(tmp_path / "folder"), "--split", "all", "--json")
    assert code == 0
    assert json.loads(out)["top1"]["value"] > 0.9


# --- train ---


def test_train_prints_choice_scores_and_next_command(cli: Cli, tmp_path: Path) -> None:
    arguments = ["train", "digits", "--epochs", "2", "--set", "schedule.warmup_share=0", "--out", str(tmp_path)]
    code, out, err = cli(*arguments, "--set", "model.depths=[1,1,1]")
    assert code == 0
    assert err.startswith("10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 (train 1,293, val 145, test 359)\n")
    assert "network resnet20:" in err
    assert "recipe tiny_images:" in err
    assert "epoch 2/2" in err
    assert "95 % interval" in out
    assert "resnetkit predict" in out
    assert (tmp_path / "0001-resnet20-digits" / "report.html").exists()
    assert "val   top-1" in out
    assert "chose the epoch" in out


def test_a_layout_that_is_refused_is_trained_as_the_message_says(cli: Cli, tmp_path: Path) -> None:
    for name in ("part1/cat", "part1/dog", "part2/cat", "part2/dog"):
        (tmp_path / "scenes" / name).mkdir(parents=True)
        for number in range(6):
            digit_file(tmp_path / "scenes" / name, f"{number}.png")
    arguments = ["train", str(tmp_path / "scenes"), "--out", str(tmp_path / "runs"), "--epochs", "1"]
    code, _, err = cli(*arguments)
    assert code == 3
    fix = "--layout train=part1,test=part2"
    assert fix in err
    assert not (tmp_path / "runs").exists()
    code, _, err = cli(*arguments, *fix.split(), "--set", "model.depths=[1,1,1]", "--set", "batch_size=5")
    assert code == 0
    assert err.startswith("2 classes: cat, dog (train 10, val 2, test 12)\n")
    assert json.loads(cli("evaluate", str(tmp_path / "runs" / "0001-resnet20-scenes"), "--json")[1])["split"] == "test"


def test_train_says_what_the_scores_are_worth(cli: Cli, tmp_path: Path) -> None:
    for class_name in ("a", "b", "c", "d"):
        (tmp_path / "data" / class_name).mkdir(parents=True)
        digit_file(tmp_path / "data" / class_name)
    short = ["--set", "model.depths=[1,1,1]", "--epochs", "2", "--out", str(tmp_path / "runs")]
    code, out, _ = cli("train", str(tmp_path / "data"), *short)
    assert code == 0
    assert "no images were held back" in out
    out = cli("train", "digits", *short, "--set", "keep=last")[1]
    assert "watched during training" in out
    assert "chose the epoch" not in out


def test_the_next_command_can_be_pasted_into_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(Result(Path("my runs/0001-a"), {}, 1.0), as_json=False)
    assert "resnetkit predict 'my runs/0001-a' IMAGE…" in capsys.readouterr().out


@pytest.mark.parametrize(("per_class", "is_shown"), [(49.0, True), (50.0, False)])
def test_a_cross_validated_score_stands_beside_that_of_few_images(
    per_class: float, is_shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    result = Result(Path("runs/0001-a"), {}, 1.0, first_look=FirstLook(80, 90, 5, per_class))
    print_result(result, as_json=False)
    line = "cv    top-1 88.89 % (95 % interval 80.74 to 93.85, n = 90)  a linear head in 5 folds of training images"
    assert (line in capsys.readouterr().out) == is_shown
    print_result(result, as_json=True)
    told = {"correct": 80, "num_images": 90, "num_folds": 5, "images_per_class": per_class}
    assert json.loads(capsys.readouterr().out)["first_look"] == told


def test_train_json_is_one_object_on_stdout(cli: Cli, tmp_path: Path) -> None:
    arguments = ["train", "digits", "--model", "resnet20_b", "--epochs", "1", "--set", "schedule.warmup_share=0"]
    code, out, _ = cli(*arguments, "--out", str(tmp_path), "--json")
    result = json.loads(out)
    assert code == 0
    assert set(result["scores"]) == {"val", "test"}
    assert Path(result["run"]).is_dir()


def test_train_lists_bad_images_and_trains_nothing(cli: Cli, mixed_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("one", "two"):
        (data / name).mkdir(parents=True)
        for path in mixed_folder.iterdir():
            (data / name / path.name).write_bytes(path.read_bytes() + name.encode())
    code, out, err = cli("train", str(data), "--out", str(tmp_path / "runs"))
    assert (code, out) == (3, "")
    assert "8 of 14 image files cannot be used" in err
    for name, status in EXPECTED.items():
        assert (name in err) == (status == "error"), name
    assert "--on-bad-image skip" in err
    assert not (tmp_path / "runs").exists()


def test_train_says_what_it_left_out(cli: Cli, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(9):
            digit_file(tmp_path / "data" / name, f"{number}.png")
    (tmp_path / "data" / "one" / "bad.png").touch()
    arguments = ["train", str(tmp_path / "data"), "--out", str(tmp_path / "runs"), "--epochs", "1"]
    arguments += ["--set", "model.depths=[1,1,1]", "--set", "batch_size=4", "--on-bad-image", "skip"]
    code, out, err = cli(*arguments)
    assert code == 0
    assert (
        "warning: 1 of 19 image files are left out: one/bad.png is empty (0 bytes); among them 1 of 10 of 'one'" in err
    )
    assert "note  without 1 file that cannot be read: bad.png" in out


@pytest.mark.parametrize("option", ["--epochs=9", "--seed=0", "--out=elsewhere", "--set=epochs=9", "--reset-head"])
def test_resume_takes_no_other_options(cli: Cli, trained: Path, option: str) -> None:
    code, _, err = cli("train", "--resume", str(trained), option)
    assert code == 2
    assert "takes no other options" in err


def test_train_wants_data_or_a_run(cli: Cli, trained: Path) -> None:
    assert cli("train")[0] == 2
    assert cli("train", "digits", "--resume", str(trained))[0] == 2


# --- models and describe ---


def test_models_lists_and_filters(cli: Cli) -> None:
    rows = json.loads(cli("models", "resnet5?_[bv]*", "--json")[1])
    assert [row["name"] for row in rows] == ["resnet50_v1", "resnet56_b"]
    assert rows[0]["parameters"] == 25_557_032
    text = cli("models", "tutorial")[1]
    assert "tutorial_preact" in text
    assert "resnet152" not in text
    assert cli("models", "vgg")[0] == 2


def test_describe_shows_every_stage_of_resnet50(cli: Cli) -> None:
    out = cli("describe", "resnet50")[1]
    for words in ("64×112×112", "256×56×56", "512×28×28", "1024×14×14", "2048×7×7", "25,557,032", "4,089,184,256"):
        assert words in out
    assert "1 projection + 2 identity" in out


def test_describe_refuses_a_field_that_is_set_twice(cli: Cli) -> None:
    code, _, err = cli("describe", "resnet18", "--classes", "7", "--set", "num_classes=8")
    assert code == 2
    assert "num_classes is set twice: by --classes 7 and by --set num_classes=8" in err
    assert cli("describe", "resnet18", "--set", "num_classes=8")[0] == 0


def test_describe_follows_its_options(cli: Cli) -> None:
    code, out, _ = cli("describe", "resnet18", "--image-size", "28", "--channels", "1", "--classes", "7", "--json")
    table = json.loads(out)
    assert code == 0
    assert table["input_shape"] == [1, 28, 28]
    assert table["rows"][-1]["output_shape"] == [7]
    assert cli("describe", "resnet18", "--image-size", "4")[0] == 2


# --- class names ---


def test_a_class_name_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["dog [red] x", "[/b]", ":cat:", "n" * 200]
    _print_scores(score(np.eye(4), np.arange(4), names))
    out = capsys.readouterr().out
    assert all(name in out for name in names)


# --- leaving early ---


def test_a_reader_that_leaves_is_no_failure() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "resnetkit", "models"]
    finished = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert (finished.returncode, finished.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [("train", "digits"), ("demo",)])
def test_every_command_that_trains_is_stopped_by_a_signal_alike(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr(run, "train", stopped)
    outcome = cli(*arguments)
    assert outcome.code == 143
    assert outcome.err.splitlines()[-1] == "stopped by SIGTERM, after writing a checkpoint"


def test_ctrl_c_is_answered(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("resnetkit.anatomy.table.describe", interrupted)
    assert cli("describe", "resnet18") == (130, "", "stopped\n")


# --- errors ---


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train", "fashion_mnits"], 3, "did you mean 'fashion_mnist'?"),
        (["train", "digits", "--model", "resnet50v1"], 2, "did you mean 'resnet50_v1'?"),
        (["train", "digits", "--recipe", "photo"], 2, "did you mean 'photos'?"),
        (["train", "digits", "--set", "epoch=3"], 2, "did you mean 'epochs'?"),
        (["train", "digits", "--set", "epochs"], 2, "path.to.field=value"),
        (["train", "digits", "--weights", "none.pt"], 4, "no run folder or file"),
        (["train", "--resume", "nowhere"], 4, "no run folder"),
        (["evaluate", "nowhere"], 4, "no run folder or file"),
        (["predict", "nowhere", "x.png"], 4, "no run folder or file"),
        (["evaluate", "nowhere", "--min-top1", "7"], 2, "[0, 1]"),
        (["describe", "resnet19"], 2, "did you mean"),
        (["predict"], 2, "Missing argument"),
        (["trian"], 2, "train"),
    ],
)
def test_errors_say_what_and_how_to_fix(
    cli: Cli, empty_folder: Path, arguments: list[str], code: int, words: str
) -> None:
    outcome = cli(*arguments)
    assert outcome[0] == code
    assert outcome[1] == ""
    assert words in outcome[2]
    assert "Traceback" not in outcome[2]
    assert list(empty_folder.iterdir()) == []


def test_a_bug_is_called_a_bug_and_debug_shows_where(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("resnetkit.anatomy.table.describe", broken)
    code, _, err = cli("describe", "resnet18")
    assert code == 70
    assert err.startswith("bug: ZeroDivisionError: boom")
    assert "Traceback" not in err
    code, _, err = cli("describe", "resnet18", "--debug")
    assert code == 70
    assert "Traceback" in err


def test_an_unwritable_place_is_an_io_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = cli("train", "digits", "--epochs", "1", "--out", str(tmp_path / "file" / "runs"))
    assert code == 7
    assert "cannot create a folder" in err


# --- start-up ---


def test_openmp_is_told_to_sleep_soon_unless_the_user_says_otherwise() -> None:
    code = (
        "import os, sys; sys.argv = ['resnetkit', '--version']\n"
        "from resnetkit.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: print(os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT'])"
    )
    environment = {"PATH": "/usr/bin", "OMP_WAIT_POLICY": "active"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert out.stdout.split()[-2:] == ["active", "10000"]


@pytest.mark.parametrize("command", ["demo", "train", "evaluate", "predict", "models", "describe"])
def test_help_gives_examples_and_loads_no_torch(command: str) -> None:
    code = (
        f"import sys; sys.argv = ['resnetkit', '{command}', '--help']\n"
        "from resnetkit.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "False False"
    assert f"resnetkit {command}" in out
    assert "Example" in out
