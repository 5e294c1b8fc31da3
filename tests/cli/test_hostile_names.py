"""Names that would command a terminal or a spreadsheet are shown as they are spelled, and programs get them whole."""

import csv
import io
import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.anatomy.network_picture import draw_network
from resnetkit.anatomy.wiring import wire
from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.errors import Code, ResnetkitError
from resnetkit.evaluation.metrics import score
from resnetkit.models.catalog import CATALOG
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.report import Report, render_report
from resnetkit.terminal import shown

Cli = Callable[..., tuple[int, str, str]]

NAMES = [
    "\x1b]0;new title\x07",
    "\x1b[2J\x1b[H",
    "two\nlines",
    "back\rwards",
    "tab\tbed",
    "\x9b31m",
    "gnp\u202egpj",
    "\ufefffirst",
    "caf\udce9",
    "=1+1",
    "-2",
    "@SUM(1)",
    "[bold]x",
    "кот 猫 🐈‍⬛",
]
COMMANDING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufeff\ud800-\udfff]")


@pytest.fixture
def hostile(trained: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A classifier whose classes, and a folder whose files, have such names."""
    own = load_classifier(trained)
    file = tmp_path / "classifier.safetensors"
    Classifier(own.network, own.preprocessing, tuple(NAMES[:10]), {}).save(file)
    images = tmp_path / "images"
    images.mkdir()
    for name in NAMES:
        Image.new("L", (8, 8)).save(images / f"{name}.png", format="PNG")
    (images / "bad\x1b[31m.png").write_bytes(b"\x1b[2J no image")
    return file, images


def test_people_see_names_spelled_out(cli: Cli, hostile: tuple[Path, Path]) -> None:
    code, out, err = cli("predict", *map(str, hostile), "--engine", "torch")
    assert code == 1
    assert not COMMANDING.search(out + err)
    assert len(out.splitlines()) == 1 + len(NAMES) + 1
    for name in NAMES:
        assert f"{shown(name)}.png" in out
    assert r"two\nlines" in out
    assert r"\x1b]0;new title\x07" in out


def output_of(cli: Cli, *arguments: str) -> str:
    """What a command prints in a locale that is not UTF-8; bytes that are no UTF-8 are escaped."""
    raw = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="latin-1"))
        cli(*arguments)
        return raw.getvalue().decode("utf-8", "surrogateescape")


def test_programs_get_names_whole(hostile: tuple[Path, Path], cli: Cli) -> None:
    file, images = hostile
    arguments = ["predict", str(file), str(images), "--engine", "torch", "--top", "10", "--format"]
    table = list(csv.DictReader(io.StringIO(output_of(cli, *arguments, "csv"), newline="")))
    lines = output_of(cli, *arguments, "jsonl")
    rows = [json.loads(line) for line in lines.split("\n")[:-1]]
    assert lines.encode().decode() == lines, "JSON is UTF-8, also where a name is not"
    expected = sorted(str(images / name) for name in os.listdir(images))
    assert sorted(row["path"] for row in table) == sorted(row["path"] for row in rows) == expected
    good = next(i for i, row in enumerate(rows) if row["status"] == "ok")
    assert {table[good][f"class_{i}"] for i in range(1, 11)} == set(NAMES[:10])
    assert {top["class"] for top in rows[good]["top"]} == set(NAMES[:10])


def test_a_spreadsheet_gets_no_formula(cli: Cli, hostile: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    file, images = hostile
    monkeypatch.chdir(images)
    options = ["--engine", "torch", "--format", "csv", "--top", "10"]
    files = [str(file), "--", "=1+1.png", "-2.png", "@SUM(1).png"]
    usual, safe = (
        list(csv.reader(io.StringIO(output_of(cli, "predict", *more, *options, *files), newline="")))
        for more in ((), ("--csv-safe",))
    )
    assert [row[0] for row in usual][1:] == files[2:]
    assert [row[0] for row in safe][1:] == [f"'{name}" for name in files[2:]]
    assert "'=1+1" in safe[1]
    assert not [cell for row in safe for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert cli("predict", "--csv-safe", str(file), str(images))[0] == 2


def test_errors_and_logs_show_bytes_as_escapes(cli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.json").write_bytes(b'{"recipe": {"name\x1b[2J\xff": "\x07"}}')
    code, _, err = cli("train", "--resume", str(run))
    assert code == Code.WEIGHTS
    assert not COMMANDING.search(err)
    assert not COMMANDING.search(str(ResnetkitError(Code.DATA, "tensor \x1b[2J", why="a\x07\nb", fix="\x9b")))
    RunFolder(run).log("left out: two\nlines \x1b[2J caf\udce9")
    assert RunFolder(run).log_file.read_text().endswith("left out: two\\nlines \\x1b[2J caf\\udce9\n")


def test_pages_and_pictures_hold_names_as_text() -> None:
    names = ["<script>alert(1)</script>", "\x1b[2J&", "\x00\ufffe", "caf\udce9"]
    scores = {"test": score(np.eye(4), np.arange(4), names)}
    page = render_report(Report(title=names[0], command=names[1], scores=scores, notes=names))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not COMMANDING.search(page)
    picture = draw_network("<b>\x1b[2J & \x00", wire(CATALOG["tutorial_preact"].spec, 28))
    assert r"<b>\x1b[2J & \x00" in "".join(ElementTree.fromstring(picture).itertext())
