"""A list of what an audit has nothing against: mistakes that were put into photos are out of it, and all else is in."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from tests.audit.altered import picture, save, write_photos

from resnetkit.audit.auditing import Audit, audit_data
from resnetkit.audit.clean_list import COLUMNS, check_listable, clean, write_clean_list
from resnetkit.audit.copies import Copy, group_copies
from resnetkit.audit.copy_findings import look_for_copies
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


def listed_of(audit: Audit) -> set[str]:
    chosen = clean(audit)
    return {chosen.subject.identifiers[row] for row in chosen.kept}


def joined(audit: Audit, *pairs: tuple[str, str]) -> Audit:
    """The audit as if these pairs, and no others, looked the same."""
    rows = [sorted(map(audit.subject.identifiers.index, pair)) for pair in pairs]
    audit.subject.__dict__["copies"] = group_copies(len(audit.subject), [Copy(*pair, "alike", 0.9) for pair in rows])
    return replace(audit, findings=tuple(look_for_copies(audit.subject)))


def test_every_image_that_leaks_is_left_out_and_not_only_the_likest(tmp_path: Path) -> None:
    audit = audit_data(str(write_photos(tmp_path / "photos")))
    leaky = ("train/cat/0.png", "train/cat/2.png")
    audit = joined(audit, *((name, "val/cat/1000.png") for name in leaky))
    assert [finding.count for finding in audit.findings if finding.name == "leaks"] == [1]
    assert set(audit.subject.identifiers) - listed_of(audit) == set(leaky)


def test_no_image_of_a_picture_under_two_classes_is_kept(tmp_path: Path) -> None:
    audit = audit_data(str(write_photos(tmp_path / "photos")))
    names = {"train/cat/0.png", "train/cat/2.png", "train/dog/1.png", "val/cat/1000.png"}
    others = sorted(names - {"train/cat/0.png"})
    audit = joined(audit, *(("train/cat/0.png", other) for other in others))
    conflicts = next(finding for finding in audit.findings if finding.name == "conflicts")
    assert conflicts.sentence == "1 picture is under two classes"
    assert {audit.subject.identifiers[row] for mark in conflicts.marks for row in (mark.row, mark.other)} == names
    assert set(audit.subject.identifiers) - listed_of(audit) == names


def test_a_table_that_holds_the_images_is_refused_before_they_are_looked_at(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pytest.importorskip("pyarrow").table
    files = sorted(write_photos(tmp_path / "photos").rglob("*.png"))
    images = [{"bytes": file.read_bytes(), "path": None} for file in files]
    (tmp_path / "tables").mkdir()
    labelled = {"image": images, "label": [file.parent.name for file in files]}
    parquet.write_table(table(labelled), tmp_path / "tables/train-00000-of-00001.parquet")
    source = open_data(DataSpec(str(tmp_path / "tables")))
    with pytest.raises(ResnetkitError, match="no files of their own"):
        check_listable(source)


def test_a_list_keeps_its_groups(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos")
    rows = [(file, file.parent.name, f"day {number // 4}") for number, file in enumerate(sorted(folder.rglob("*.png")))]
    text = "path,label,group\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)
    (tmp_path / "all.csv").write_text(text)
    write_clean_list(tmp_path / "clean.csv", clean(audit_data(str(tmp_path / "all.csv"))))
    written = read(tmp_path / "clean.csv")
    assert {row["path"]: row["group"] for row in written} == {
        f"{file.relative_to(tmp_path)}": day for file, _, day in rows
    }


def test_a_class_without_training_images_is_refused(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos")
    for number in range(0, 24, 2):
        save(picture(number), folder / "val/cat" / f"again{number}.png")
    with pytest.raises(ResnetkitError, match="no training image of 'cat'"):
        write_clean_list(tmp_path / "clean.csv", clean(audit_data(str(folder))))
    assert not (tmp_path / "clean.csv").exists()
