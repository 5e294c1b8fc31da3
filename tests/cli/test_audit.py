"""``resnetkit audit``: what it prints, writes and refuses."""

import csv
import json
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.audit.altered import picture, save, write_photos
from tests.audit.flipped import flipped_digits

from resnetkit.sources.weights import open_embedder

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _here(empty_folder: Path) -> None:
    """Files are written to the test's own folder."""


@pytest.fixture
def leaky() -> str:
    write_photos(Path("photos"))
    save(picture(2), Path("photos/val/cat/leak,1.png"))
    return "photos"


def test_it_says_what_it_found_and_writes_a_page_and_tables(cli: Cli, leaky: str) -> None:
    code, out, err = cli("audit", leaky)
    assert code == 0
    assert "error    1 image of val is also in train" in out
    assert "2 classes" in err
    folder = Path("audits/0001-photos")
    assert f"wrote {folder / 'report.html'}" in out
    assert sorted(file.name for file in folder.iterdir()) == ["findings.csv", "findings.json", "report.html"]
    (row,) = csv.DictReader((folder / "findings.csv").read_text().splitlines())
    assert (row["finding"], row["path"], row["other_path"]) == ("leaks", "val/cat/leak,1.png", "train/cat/2.png")
    assert json.loads((folder / "findings.json").read_text())["num_leaks"] == 1
    assert "<summary>1 path</summary>" in (folder / "report.html").read_text(encoding="utf-8")


def test_json_has_counts_and_pairs(cli: Cli, leaky: str) -> None:
    code, out, _ = cli("audit", leaky, "--json", "--out", "found")
    told = json.loads(out)
    assert (code, told["num_leaks"], told["num_conflicts"], told["num_duplicates"]) == (0, 1, 0, 0)
    (image,) = told["findings"][0]["images"]
    assert (image["path"], image["other"]["path"]) == ("val/cat/leak,1.png", "train/cat/2.png")
    assert told["folder"] == "found"


def test_strict_fails_by_leaks_and_only_by_errors(cli: Cli, leaky: str) -> None:
    assert cli("audit", leaky, "--strict")[0] == 1
    Path(leaky, "val/cat/leak,1.png").unlink()
    save(picture(2), Path(leaky, "train/cat/again.png"))
    code, out, _ = cli("audit", leaky, "--strict")
    assert (code, "warning" in out) == (0, True)


def test_nothing_is_overwritten(cli: Cli, leaky: str) -> None:
    Path("found").mkdir()
    Path("found/report.html").write_text("mine")
    code, _, err = cli("audit", leaky, "--out", "found")
    assert (code, "found is there already" in err) == (2, True)
    assert Path("found/report.html").read_text() == "mine"
    assert [file.name for file in Path("found").iterdir()] == ["report.html"]
    cli("audit", leaky)
    cli("audit", leaky)
    assert sorted(folder.name for folder in Path("audits").iterdir()) == ["0001-photos", "0002-photos"]


def test_what_cannot_be_opened_writes_nothing(cli: Cli) -> None:
    assert cli("audit", "no_such_folder")[0] == 3
    assert not Path("audits").exists()


def test_train_tells_what_digests_show_and_strict_stops_before_anything_is_written(cli: Cli, leaky: str) -> None:
    save(picture(3), Path(leaky, "train/cat/conflict.png"))
    fast = ("--set", "epochs=1", "--weights", "none", "--model", "resnet20", "--set", "preprocessing.image_size_px=8")
    code, _, err = cli("train", leaky, "--strict", *fast)
    assert code == 3
    assert "error: 1 image is in an earlier split too, and 1 picture is under two classes" in err
    assert "photos shows them" in err
    assert not Path("runs").exists()
    code, _, err = cli("train", leaky, *fast)
    assert code == 0
    told = [line for line in err.splitlines() if line.startswith("warning: ")]
    for text in ("1 image of val is also in train", "2 images of train have the same pixels", "photos shows them"):
        assert sum(text in line for line in told) == 1
    record = json.loads(Path("runs/0001-resnet20-photos/recipe.json").read_text())
    audit = record["data"]["audit"]
    assert (audit["num_leaks"], audit["num_conflicts"], audit["num_duplicates"]) == (1, 1, 0)
    assert audit["class_sizes"] == {"train": [13, 12], "val": [7, 6]}


def test_strict_trains_on_what_can_be_trusted_and_needs_to_check_first(cli: Cli, leaky: str) -> None:
    code, _, err = cli("train", leaky, "--strict", "--check", "lazy")
    assert (code, "needs all images to be checked first" in err) == (2, True)
    Path(leaky, "val/cat/leak,1.png").unlink()
    fast = ("--set", "epochs=1", "--weights", "none", "--model", "resnet20", "--set", "preprocessing.image_size_px=8")
    assert cli("train", leaky, "--strict", *fast)[0] == 0


def test_a_clean_list_is_written_beside_it(cli: Cli, leaky: str) -> None:
    code, _, err = cli("audit", leaky, "--write-list", "clean.csv")
    assert code == 0
    assert "left out of train: 1 in a later split too" in err
    assert "wrote clean.csv" in err
    paths = [row["path"] for row in csv.DictReader(Path("clean.csv").read_text().splitlines())]
    assert "photos/train/cat/2.png" not in paths
    assert "photos/val/cat/leak,1.png" in paths
    code, _, err = cli("audit", leaky, "--write-list", "clean.csv")
    assert (code, "clean.csv is there already" in err) == (2, True)
    assert not Path("audits/0002-photos").exists(), "refused before anything was looked at"


def test_data_that_cannot_be_listed_are_refused_before_they_are_looked_at(cli: Cli) -> None:
    code, _, err = cli("audit", "digits", "--write-list", "clean.csv")
    assert (code, "no files of their own" in err) == (2, True)
    assert not Path("audits").exists()


def test_what_has_no_effect_is_refused(cli: Cli, leaky: str) -> None:
    code, _, err = cli("audit", leaky, "--write-list", "clean.csv", "--without-suspects")
    assert (code, "--without-suspects" in err) == (2, True)


def test_options_for_a_network_that_is_not_there_are_told(cli: Cli, leaky: str) -> None:
    given = ("--model", "resnet18", "--entry", "state", "--preprocess", "mean=[0,0,0]")
    code, _, err = cli("audit", leaky, *given)
    assert code == 0
    for option in ("--model", "--entry", "--preprocess"):
        assert f"warning: {option} has no effect without --classifier" in err
    assert "has no effect" not in cli("audit", leaky)[2]


@pytest.fixture
def numbers() -> str:
    """Digits as an image folder with a split for test."""
    digits = flipped_digits(0, num_images=200)
    for row, (pixels, label) in enumerate(zip(digits.images, digits.true, strict=True)):
        save(Image.fromarray(pixels), Path("numbers", "test" if row % 4 == 0 else "train", str(label), f"{row}.png"))
    return "numbers"


@pytest.fixture
def at_once(pretrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that need no training."""
    monkeypatch.setattr("resnetkit.audit.trained_judge._train", lambda *_: open_embedder(str(pretrained)))


@pytest.mark.usefixtures("at_once")
def test_small_images_are_judged_by_networks_that_are_trained_for_it(cli: Cli, numbers: str) -> None:
    code, out, err = cli("audit", numbers)
    assert code == 0
    assert "not looked for: wrong labels, which needs a network that knows such images (--classifier), or some" in err
    assert "num_label_issues" not in json.loads(Path("audits/0001-numbers/findings.json").read_text())
    code, out, err = cli("audit", numbers, "--train", "--json", "--write-list", "clean.csv", "--without-suspects")
    told = json.loads(out)
    assert (code, "wrong labels" in told["left_out"], told["scores"]) == (0, False, [])
    assert told["num_label_issues"] >= 0
    assert "training networks, each on one half of the training images" in err
    with open(Path(told["folder"], "labels.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["split"] for row in rows} == {"train", "val", "test"}
    assert Path("clean.csv").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("stopped", "options"), [("trained_judge.run_chosen", ["--train"]), ("writing.render_page", [])]
)
def test_an_audit_that_is_stopped_leaves_nothing(
    cli: Cli,
    numbers: str,
    number: signal.Signals,
    stopped: str,
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: object) -> None:
        assert signal.getsignal(number) != signal.SIG_DFL, "this process would be gone, and what it wrote not"
        signal.raise_signal(number)

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(f"resnetkit.audit.{stopped}", stop)
    before = signal.getsignal(number)
    assert cli("audit", numbers, *options)[0] == 128 + number
    assert signal.getsignal(number) == before
    assert not list(temporary.glob("resnetkit-*"))
    assert not list(Path("audits").glob("*"))


@pytest.mark.usefixtures("at_once")
def test_with_train_a_classifier_is_there_for_its_score(cli: Cli, numbers: str, pretrained: Path) -> None:
    for file in Path(numbers, "train").glob("*/*.png"):  # some are among the test images of the run
        save(Image.open(file), Path(numbers, "test", file.parent.name, file.name))
    code, out, err = cli("audit", numbers, "--train", "--classifier", str(pretrained))
    assert code == 0
    assert "score    test: top-1 is" in out
    assert "training networks" in err


@pytest.mark.usefixtures("at_once")
def test_fields_that_matter_to_its_training_are_not_said_to_do_nothing(cli: Cli, numbers: str) -> None:
    given = ("audit", numbers, "--set", "data.max_memory_bytes=100000", "--set", "data.cache=off")
    assert "data.max_memory_bytes has no effect" in cli(*given)[2]
    err = cli(*given, "--train")[2]
    assert "data.cache has no effect on an audit" in err
    assert "max_memory_bytes" not in err
    assert "trains nothing" not in err


def test_fields_of_the_data_are_set_as_train_sets_them(cli: Cli, leaky: str) -> None:
    rows = [f"{path},7,{path.parent.name}" for path in sorted(Path(leaky).glob("train/*/*.png"))]
    Path("list.csv").write_text("\n".join(["path,age,breed", *rows]))
    code, _, err = cli("audit", "list.csv")
    assert (code, "--set data.label_column=age" in err) == (3, True)
    code, _, err = cli("audit", "list.csv", "--set", "data.label_column=breed", "--set", "data.on_doubt=stop")
    assert code == 0
    assert "2 classes: cat, dog" in err
    assert "warning: data.on_doubt has no effect on an audit" in err
    assert "warning: data.label_column" not in err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--set", "epochs=3"), "unknown field 'epochs'"),
        (("--set", "data.label_colum=breed"), "did you mean 'data.label_column'?"),
        (("--set", "data.layout=classes", "--layout", "splits"), "data.layout is set twice"),
        (("--set", "data.source=digits"), "data.source is set twice"),
    ],
)
def test_what_is_no_field_of_the_data_is_refused(given: tuple[str, ...], said: str, cli: Cli, leaky: str) -> None:
    code, _, err = cli("audit", leaky, *given)
    assert (code, said in err) == (2, True), err
    assert not Path("audits").exists()


def test_a_run_tells_its_score_without_what_was_found(cli: Cli, pretrained: Path) -> None:
    """Digits that are in train and test alike; some of them are among the test images of the run."""
    digits = flipped_digits(0, num_images=200)
    for number, (pixels, label) in enumerate(zip(digits.images, digits.true, strict=True)):
        for split in ("train", "test"):
            save(Image.fromarray(pixels), Path("numbers", split, str(label), f"{number}.png"))
    code, out, _ = cli("audit", "numbers", "--classifier", str(pretrained), "--out", "found")
    assert code == 0
    assert "score    test: top-1 is" in out
    assert "that are in an earlier split too" in out
    assert (Path("found") / "labels.csv").exists()
    assert "What it does to the score" in Path("found/report.html").read_text(encoding="utf-8")
    scores = json.loads(Path("found/findings.json").read_text())["scores"]
    told = next(one for one in scores if (one["split"], one["finding"]) == ("test", "leaks"))
    assert told["of_these"]["num_images"] > 10
    assert told["whole"]["num_images"] == told["of_these"]["num_images"] + told["without"]["num_images"]
