"""Unknown, unsure and sets as ``predict`` shows them: in each format, in folders of rows, and in words."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.small_decisions import MIXED, images_in, with_yardstick

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.demanding import demanding

OPTIONS = ("--unknown-at", "0.2", "--coverage", "0.7", "--precision-at", "0.8")


@pytest.fixture
def classifier(trained: Path, tmp_path: Path) -> Path:
    """A file with what thresholds are set by."""
    file = tmp_path / "classifier.safetensors"
    with_yardstick(load_classifier(trained)).save(file)
    return file


@pytest.fixture
def images(trained: Path, tmp_path: Path) -> Path:
    images_in(tmp_path / "images", load_classifier(trained))
    (tmp_path / "images" / "broken.png").write_bytes(b"")
    return tmp_path / "images"


def rows_of(outcome: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_all_formats_have_the_same_statuses_and_sets(cli: Callable[..., Any], classifier: Path, images: Path) -> None:
    words = ("predict", str(classifier), str(images), "--engine", "torch", "--top", "2")
    told = cli(*words, *OPTIONS, "--format", "jsonl")
    rows = rows_of(told)
    counted = Counter(row["status"] for row in rows)
    assert set(counted) == {"ok", "unsure", "unknown", "error"}
    for row in rows:
        assert (row["class"] is None) == (row["status"] != "ok")
        assert ("set" in row) == (row["status"] != "error")
        assert row.get("set", []) == [] or row["set"][0] == row["top"][0]["class"]
    assert len({len(row.get("set", ())) for row in rows}) > 2
    assert told.code == 1, "one image cannot be read"
    assert f"{counted['unknown']} of 40 images are of no class that it knows (unknown-at 20 %)" in told.err
    assert f"{counted['unsure']} of 40 images are answered too unsurely to name a class (precision-at 80 %)" in told.err
    assert "1 of 41 files could not be read" in told.err

    table = list(csv.DictReader(io.StringIO(cli(*words, *OPTIONS, "--format", "csv").out)))
    assert [row["status"] for row in table] == [row["status"] for row in rows]
    assert [json.loads(row["set"] or "null") for row in table] == [row.get("set") for row in rows]
    lines = cli(*words, *OPTIONS).out.splitlines()
    assert lines[0].split() == ["file", "status", "class", "probability", "then", "set"]
    for line, row in zip(lines[1:], rows, strict=True):
        assert line.split()[1] == row["status"]
        assert line.endswith(", ".join(row.get("set", ())[:5]) if len(row.get("set", ())) < 6 else "more")


def test_unknown_images_are_no_failure(cli: Callable[..., Any], classifier: Path, images: Path) -> None:
    (images / "broken.png").unlink()
    told = cli("predict", str(classifier), str(images), "--engine", "torch", "--unknown-at", "0.9")
    assert (told.code, "unknown" in told.out) == (0, True)


def test_nothing_is_shown_of_what_nobody_demanded(cli: Callable[..., Any], classifier: Path, images: Path) -> None:
    (images / "broken.png").unlink()
    words = ("predict", str(classifier), str(images), "--engine", "torch")
    plain = cli(*words, "--format", "jsonl")
    assert plain.err == ""
    assert {row["status"] for row in rows_of(plain)} == {"ok"}
    assert all("set" not in row for row in rows_of(plain))
    assert cli(*words, "--format", "csv").out.splitlines()[0].split(",")[-1] == "probability_5"
    assert "set" not in cli(*words).out.splitlines()[0]


def test_a_file_decides_as_it_says_unless_something_is_demanded(
    cli: Callable[..., Any], classifier: Path, images: Path
) -> None:
    demanding(load_classifier(classifier), MIXED).save(classifier)
    words = ("predict", str(classifier), str(images), "--engine", "torch", "--format", "jsonl")
    own = rows_of(cli(*words))
    assert {row["status"] for row in own} == {"ok", "unsure", "unknown", "error"}
    assert {row["status"] for row in rows_of(cli(*words, "--unknown-at", "0"))} == {"ok", "unsure", "error"}
    bare = rows_of(cli(*words, "--unknown-at", "0", "--precision-at", "0", "--coverage", "0"))
    assert {row["status"] for row in bare} == {"ok", "error"}
    assert all("set" not in row for row in bare)
    assert [row["top"] for row in bare] == [row["top"] for row in own]


def test_rows_in_a_folder_are_those_of_one_decision(
    cli: Callable[..., Any], classifier: Path, images: Path, tmp_path: Path
) -> None:
    words = ("predict", str(classifier), str(images), "--engine", "torch")
    expected = {row["path"]: row for row in rows_of(cli(*words, *OPTIONS, "--format", "jsonl"))}
    out = ("--out", str(tmp_path / "rows"))
    told = cli(*words, *OPTIONS, *out)
    assert "of no class that it knows (unknown-at 20 %)" in told.err
    found = pq.read_table(tmp_path / "rows").to_pylist()
    assert {row["path"]: (row["status"], row["class"], row["set"]) for row in found} == {
        path: (row["status"], row["class"], row.get("set")) for path, row in expected.items()
    }
    for others in ((), OPTIONS[:4], (*OPTIONS, "--set-rule", "aps")):
        refused = cli(*words, *others, *out)
        assert (refused.code, "they differ in demands" in refused.err) == (2, True)
    assert cli(*words, *OPTIONS, *out).out == told.out


def test_a_part_without_a_class_has_the_columns_of_one_with(
    cli: Callable[..., Any], classifier: Path, images: Path, tmp_path: Path
) -> None:
    words = ("predict", str(classifier), "--engine", "torch", *OPTIONS, "--out", str(tmp_path / "rows"))
    assert cli(*words, str(images / "broken.png")).code == 1
    alone = pq.read_table(tmp_path / "rows").schema
    cli(*words, str(images))
    assert pq.read_table(tmp_path / "rows").schema == alone
    assert str(alone.field("set").type) == "list<element: string>"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--unknown-at", "5"), "unknown_at must be from 0 to below 1, got 5"),
        (("--set-rule", "aps"), "--set-rule is about sets of classes"),
        (("--precision-at", "0.999"), "cannot promise 99.9 % of right answers"),
    ],
)
def test_demands_that_cannot_be_met_are_refused_before_anything_is_computed(
    cli: Callable[..., Any], classifier: Path, images: Path, options: tuple[str, ...], said: str
) -> None:
    refused = cli("predict", str(classifier), str(images), *options)
    assert refused.code in (2, 3)
    assert refused.out == ""
    assert said in refused.err
