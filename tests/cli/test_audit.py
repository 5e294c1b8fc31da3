"""``resnetkit audit``: what it prints, writes and refuses."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.audit.altered import picture, save, write_photos

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
    assert "error    1 of val is in an earlier split too" in out
    assert "2 classes" in err
    folder = Path("audits/0001-photos")
    assert f"wrote {folder / 'report.html'}" in out
    assert sorted(file.name for file in folder.iterdir()) == ["findings.csv", "findings.json", "report.html"]
    (row,) = csv.DictReader((folder / "findings.csv").read_text().splitlines())
    assert (row["finding"], row["path"], row["other_path"]) == ("leaks", "val/cat/leak,1.png", "train/cat/2.png")
    assert json.loads((folder / "findings.json").read_text())["num_leaks"] == 1


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
