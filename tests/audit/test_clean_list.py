"""A list of what an audit has nothing against: mistakes that were put into photos are out of it, and all else is in."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from tests.audit.altered import picture, save, write_photos

from resnetkit.audit.auditing import Audit, audit_data
from resnetkit.audit.clean_list import COLUMNS, clean, write_clean_list
from resnetkit.audit.findings import Finding, Mark
from resnetkit.data.loading import open_data
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two leaks, one of them altered, a conflict, a copy, and a file that cannot be read."""
    folder = write_photos(tmp_path / "photos")
    save(picture(2).resize((67, 56)), folder / "val/cat/leak.jpg", quality=60)
    save(picture(4), folder / "val/cat/same.png")
    save(picture(3), folder / "train/cat/conflict.png")
    save(picture(6), folder / "train/cat/z_again.png")
    (folder / "train/dog/broken.png").write_bytes(b"\x89PNG no more")
    return folder


OUT = {"train/cat/2.png", "train/cat/4.png", "train/dog/3.png", "train/cat/conflict.png", "train/cat/z_again.png"}


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def all_files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_what_was_put_in_is_left_out(photos: Path, tmp_path: Path) -> None:
    before, audit = all_files(photos), audit_data(str(photos))
    chosen = clean(audit)
    write_clean_list(tmp_path / "clean.csv", chosen)
    rows = read(tmp_path / "clean.csv")
    listed = {row["path"].removeprefix("photos/") for row in rows}
    assert set(audit.subject.identifiers) - listed == OUT
    assert listed < set(audit.subject.identifiers)
    assert tuple(rows[0]) == COLUMNS
    assert all(row["path"] == f"photos/{row['split']}/{row['label']}/{Path(row['path']).name}" for row in rows)
    assert all_files(photos) == before


def test_leaks_leave_what_is_trained_on_and_stay_in_what_scores(photos: Path) -> None:
    chosen = clean(audit_data(str(photos)))
    kept = {chosen.subject.identifiers[row] for row in chosen.kept}
    assert {"val/cat/leak.jpg", "val/cat/same.png"} < kept
    told = "\n".join(chosen.told())
    assert "left out of train: 2 in a later split too" in told
    assert "never out of test" in told
    assert "left out of train: 2 a picture that is under two classes" in told
    assert "1 file that cannot be read" in told


def test_training_reads_it(photos: Path, tmp_path: Path) -> None:
    write_clean_list(tmp_path / "clean.csv", clean(audit_data(str(photos))))
    source = open_data(DataSpec(str(tmp_path / "clean.csv")))
    assert source.class_names == ("cat", "dog")
    assert source.split_sizes == {"train": 24 + 2 - len(OUT), "val": 14}


def test_paths_are_whole_where_the_images_lie_elsewhere(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    write_clean_list(tmp_path / "lists" / "clean.csv", clean(audit_data(str(photos))))
    assert all(
        Path(row["path"]).is_absolute() and Path(row["path"]).is_file() for row in read(tmp_path / "lists/clean.csv")
    )


def with_suspects(audit: Audit, *identifiers: str) -> Audit:
    rows = [audit.subject.identifiers.index(identifier) for identifier in identifiers]
    marks = tuple(Mark(row, None, "", 1.0, 1 - int(audit.subject.labels[row])) for row in rows)
    finding = Finding("label_issues", "warning", "", len(marks), "", marks=marks)
    return replace(audit, findings=(*audit.findings, finding))


def test_suspects_are_marked_and_left_out_of_train_alone_where_asked(tmp_path: Path) -> None:
    audit = with_suspects(audit_data(str(write_photos(tmp_path / "photos"))), "train/cat/0.png", "val/dog/1001.png")
    write_clean_list(tmp_path / "marked.csv", clean(audit))
    marked = {row["path"]: row["suspect"] for row in read(tmp_path / "marked.csv") if row["suspect"]}
    assert marked == {"photos/train/cat/0.png": "dog", "photos/val/dog/1001.png": "cat"}
    assert "2 labels that are probably wrong are in the list" in "\n".join(clean(audit).told())
    write_clean_list(tmp_path / "without.csv", clean(audit, without_suspects=True))
    paths = {row["path"] for row in read(tmp_path / "without.csv")}
    assert "photos/train/cat/0.png" not in paths
    assert "photos/val/dog/1001.png" in paths
    assert len(paths) == len(audit.subject) - 1


def test_no_file_is_overwritten(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "clean.csv").write_text("mine")
    with pytest.raises(ResnetkitError, match="is there already"):
        write_clean_list(tmp_path / "clean.csv", clean(audit_data(str(photos))))
    assert (tmp_path / "clean.csv").read_text() == "mine"
    with pytest.raises(ResnetkitError, match="must end in"):
        write_clean_list(tmp_path / "clean.txt", clean(audit_data(str(photos))))


def test_images_that_are_no_files_cannot_be_listed(tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError, match="no files of their own"):
        write_clean_list(tmp_path / "clean.csv", clean(audit_data("digits")))
    assert not (tmp_path / "clean.csv").exists()
