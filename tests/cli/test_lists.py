"""Lists on the command line, wherever it takes a folder."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from resnetkit.exporting.proof_images import UNKNOWN, open_proof_images
from resnetkit.inference.calibration import find_images_for
from resnetkit.sources.locate import locate
from resnetkit.sources.weights import open_classifier

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Thirty digits in one folder, as a spreadsheet of Windows lists them."""
    digits = load_digits()
    (tmp_path / "scans").mkdir()
    rows = ["Image;Ziffer;Note"]
    for number in range(30):
        pixels = (digits.images[number] * 255 / 16).round().astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "scans" / f"{number}.png")
        rows.append(f"scans\\{number}.png;{digits.target[number]};x, y")
    (tmp_path / "list.csv").write_bytes("\r\n".join(rows).encode("utf-8-sig"))
    return tmp_path / "list.csv"


def test_a_list_is_scored_by_the_classes_of_the_classifier(cli: Cli, trained: Path, digits: Path) -> None:
    code, out, err = cli("evaluate", str(trained), str(digits), "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["top1"]["num_images"] + found["num_trained_on"] == 30
    assert "'list.csv': paths from 'Image', labels from 'Ziffer'" in err


def test_images_of_a_list_are_answered_in_its_order(cli: Cli, trained: Path, digits: Path) -> None:
    with digits.open("a") as file:
        file.write("\r\nscans\\gone.png;3;\r\nscans\\0.png;4;")
    code, out, _ = cli("predict", str(trained), str(digits), "--format", "csv", "--top", "1")
    assert code == 1
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["path"] for row in rows[:30]] == [f"{digits.parent}/scans/{number}.png" for number in range(30)]
    assert [row["status"] for row in rows[28:]] == ["ok", "ok", "error"]


def test_what_is_no_list_of_images_is_refused(cli: Cli, trained: Path, digits: Path) -> None:
    (digits.parent / "notes.csv").write_text("what,who\nx,y\n")
    code, _, err = cli("predict", str(trained), str(digits.parent / "notes.csv"))
    assert code == 3
    assert "notes.csv has no column of paths" in err


def test_an_export_is_proved_and_calibrated_on_a_list(trained: Path, digits: Path) -> None:
    located = locate(str(trained))
    classifier = open_classifier(located)
    with open_proof_images(located, classifier, str(digits)) as found:
        assert found.names[:2] == ("scans/0.png", "scans/1.png")
        assert found.labels.tolist() == load_digits().target[:30].tolist()
    digits.write_text("path\nscans/1.png\n")
    with open_proof_images(located, classifier, str(digits)) as found:
        assert found.labels.tolist() == [UNKNOWN]
    assert len(find_images_for(classifier, str(digits), tell=pytest.fail).pixels) == 1
