"""Classes that metadata.csv names, file by file."""

from pathlib import Path

import pytest
from PIL import Image

from resnetkit.errors import ResnetkitError
from resnetkit.folders.image_folder import ImageFolder
from resnetkit.folders.listed import scan_listed


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / path)


def classes(folder: ImageFolder | None) -> dict[str, list[tuple[str, str]]]:
    assert folder is not None
    return {name: list(zip(one.paths, one.classes, strict=True)) for name, one in folder.splits.items()}


def test_a_table_in_each_split_names_the_classes(tmp_path: Path) -> None:
    put(tmp_path, "train/1.png", "train/sub/2.png", "train/3.png", "test/1.png")
    (tmp_path / "train" / "metadata.csv").write_text('file_name,note,label\n1.png,"a,b",cat\nsub/2.png,,dog\n')
    (tmp_path / "test" / "metadata.jsonl").write_text('{"file_name": "1.png", "label": "dog"}\n')
    folder = scan_listed(tmp_path)
    assert classes(folder) == {
        "train": [("train/1.png", "cat"), ("train/sub/2.png", "dog")],
        "test": [("test/1.png", "dog")],
    }
    assert folder is not None
    assert folder.class_names == ("cat", "dog")
    assert folder.notes == ("classes as 'test/metadata.jsonl', 'train/metadata.csv' says them, file by file",)
    tables = "'test/metadata.jsonl', 'train/metadata.csv'"
    assert f"not read: 1 image that {tables} does not list" in folder.warnings


def test_a_table_at_the_root_may_name_files_of_splits(tmp_path: Path) -> None:
    put(tmp_path, "train/1.png", "train/2.png", "test/1.png")
    (tmp_path / "metadata.csv").write_text("\ufefffile_name,label\ntrain/1.png,a\ntrain/2.png,b\ntest/1.png,a\n")
    assert {name: len(pairs) for name, pairs in classes(scan_listed(tmp_path)).items()} == {"train": 2, "test": 1}


def test_a_table_without_labels_or_that_says_what_folders_say_is_left_to_them(tmp_path: Path) -> None:
    assert scan_listed(tmp_path) is None
    put(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "metadata.csv").write_text("file_name,caption\na/1.png,x\n")
    assert scan_listed(tmp_path) is None
    (tmp_path / "metadata.csv").write_text("file_name,label\na/1.png,a\nb/1.png,b\n")
    assert scan_listed(tmp_path) is None


def test_another_column_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png")
    (tmp_path / "metadata.csv").write_text("file_name,label,kind\n1.png,a,x\n2.png,b,y\n")
    folder = scan_listed(tmp_path, column="kind")
    assert folder is not None
    assert folder.class_names == ("x", "y")
    with pytest.raises(ResnetkitError, match="has no column other") as raised:
        scan_listed(tmp_path, column="other")
    assert raised.value.why == "its columns are 'file_name', 'label', 'kind'"


def test_a_column_of_groups_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.png", "train/b/2.png", "test/a/1.png")
    for split, rows in (("train", "a/1.png,a,x\nb/2.png,b,y\n"), ("test", "a/1.png,a,z\n")):
        (tmp_path / split / "metadata.csv").write_text(f"file_name,label,animal\n{rows}")
    assert scan_listed(tmp_path, group_by="(a)") is None  # a pattern, for those who read the folders
    folder = scan_listed(tmp_path, group_by="animal")
    assert folder is not None
    assert {name: one.groups for name, one in folder.splits.items()} == {"train": ["x", "y"], "test": ["z"]}
    (tmp_path / "test" / "metadata.csv").write_text("file_name,label\na/1.png,a\n")
    with pytest.raises(ResnetkitError, match=r"some tables in .* have no column animal"):
        scan_listed(tmp_path, group_by="animal")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("file_name,label\n../1.png,a\n", "lists a file outside its folder: ../1.png"),
        ("file_name,label\n/etc/1.png,a\n", "lists a file outside its folder"),
        ("file_name,label\n1.png,\n", "has 1 rows without label, the first in line 2"),
        ("file_name,label\n,a\n", "has 1 rows without file_name, the first in line 2"),
        ("file_name,label\n1.png,a\n2.png,a\n", "lists only one class, 'a'"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(text: str, what: str, tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png")
    (tmp_path / "metadata.csv").write_text(text)
    with pytest.raises(ResnetkitError, match=what):
        scan_listed(tmp_path)
