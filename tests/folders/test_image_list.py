"""Lists of images: which columns are read, which files are meant, and what is refused."""

from pathlib import Path

import pytest
from PIL import Image

from resnetkit.errors import Code, ResnetkitError
from resnetkit.folders.image_folder import ImageFolder
from resnetkit.folders.image_list import find_labelled, list_images, scan_list
from resnetkit.folders.list_columns import find_columns
from resnetkit.folders.table_file import read_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight images in folders that say nothing of their classes, and a file that is none."""
    for number in range(8):
        put(tmp_path / f"photos/{number % 2}/{number}.png")
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def put(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(file, "PNG")
    return file


def path(number: int) -> str:
    return f"photos/{number % 2}/{number}.png"


def write(folder: Path, *rows: str, name: str = "list.csv") -> Path:
    (folder / name).write_text("\n".join(rows) + "\n")
    return folder / name


def rows(first: int = 0, last: int = 8, ends: str = "") -> list[str]:
    return [f"{path(number)},{'cat' if number < 4 else 'dog'}{ends}" for number in range(first, last)]


def pairs(found: ImageFolder) -> dict[str, list[tuple[str, str]]]:
    return {name: list(zip(one.paths, one.classes, strict=True)) for name, one in found.splits.items()}


def refusal(file: Path, **options: str) -> ResnetkitError:
    with pytest.raises(ResnetkitError) as raised:
        scan_list(file, **options)
    assert raised.value.code == Code.DATA
    return raised.value


# --- columns ---


def test_a_list_names_classes_file_by_file(folder: Path) -> None:
    found = scan_list(write(folder, "path,label", *rows()))
    assert found.class_names == ("cat", "dog")
    assert found.root == folder
    assert pairs(found) == {"all": [(path(n), "cat" if n < 4 else "dog") for n in range(8)]}
    assert found.notes == ("'list.csv': paths from 'path', labels from 'label'",)
    assert not found.warnings


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("file_name,class", "paths from 'file_name', labels from 'class'"),
        ("Image Path,Class-Name", "paths from 'Image Path', labels from 'Class-Name'"),
        ("id,breed", "paths from 'id', labels from 'breed'"),
        ("filename,what", "paths from 'filename', labels from 'what'"),
    ],
)
def test_columns_may_have_other_names(header: str, told: str, folder: Path) -> None:
    found = scan_list(write(folder, header, *rows()))
    assert found.class_names == ("cat", "dog")
    assert found.notes == (f"'list.csv': {told}",)


def test_of_several_columns_the_label_is_asked_for(folder: Path) -> None:
    file = write(folder, ",image,breed,age", *(f"{n},{row},7" for n, row in enumerate(rows())))
    error = refusal(file)
    assert error.what == f"{file} has no column of labels"
    assert error.why == "of its columns, 'breed', 'age' may be meant"
    assert error.fix == "say which: --set data.label_column=breed; or call it label"
    assert scan_list(file, column="breed").class_names == ("cat", "dog")
    assert scan_list(file, ["dog", "cat", "bird"]).class_names == ("cat", "dog")  # the classes of a classifier
    error = refusal(file, column="bred")
    assert "has no column bred (data.label_column)" in error.what
    assert "'breed'" in error.fix


@pytest.mark.parametrize(
    ("header", "cells", "known", "labels"),
    [
        ("path,label,predicted", ["cat,cat", "dog,cow"], ["cat", "cow"], "label"),  # of which only the answers all fit
        ("path,label,notes", ["cat,", "dog,"], ["cat"], "label"),
        ("path,breed,notes", ["cat,", "dog,"], ["cat"], None),  # an empty column fits any classes
        ("path,label,predicted", [",cat", ",cow"], ["cat", "cow"], "label"),  # to be filled in, and not from answers
        ("path,label,name", ["0,cat", "1,dog"], ["cat", "dog"], "name"),  # not said in the classes of the classifier
        ("path,label,predicted", ["cat,cat", "dog,cow"], [], "label"),
    ],
)
def test_a_column_that_is_called_so_holds_the_labels(
    header: str, cells: list[str], known: list[str], labels: str | None, folder: Path
) -> None:
    file = write(folder, header, *(f"{path(number)},{cells[number % 2]}" for number in range(8)))
    assert find_columns(read_table(file), file, known).label == labels


@pytest.mark.parametrize("options", [{}, {"label": "group"}])
def test_a_column_of_groups_that_is_needed_for_labels_is_none_of_groups(options: dict[str, str], folder: Path) -> None:
    file = write(folder, "path,group", *rows())
    columns = find_columns(read_table(file), file, **options)
    assert (columns.label, columns.group) == ("group", None)
    assert scan_list(file, column=options.get("label")).notes == ("'list.csv': paths from 'path', labels from 'group'",)


@pytest.mark.parametrize(
    ("header", "what", "fix"),
    [
        (path(0) + ",cat", "has no column of paths", "put a first line above that names the columns: path,label"),
        ("what,label", "has no column of paths", "call one path"),
        ("path", "has no column of labels", "add a column label"),
        ("", "has no column of paths", "call one path"),
        ("path,label", "has no rows", "add a row for each image"),
    ],
)
def test_a_list_without_what_is_needed_is_refused(header: str, what: str, fix: str, folder: Path) -> None:
    error = refusal(write(folder, header))
    assert what in error.what
    assert error.fix.startswith(fix)


# --- splits and groups ---


def test_words_for_splits_are_read_and_kept_apart(folder: Path) -> None:
    words = ["Train", "training", "train", "train", "Validierung", "dev", "测试", "test"]
    rows = [f"{path(n)},{'cat' if n % 2 else 'dog'},{word}" for n, word in enumerate(words)]
    found = scan_list(write(folder, "path,label,split", *rows))
    assert {name: len(one.paths) for name, one in found.splits.items()} == {"train": 4, "val": 2, "test": 2}
    assert found.notes == ("'list.csv': paths from 'path', labels from 'label', splits from 'split'",)


def test_rows_without_a_split_that_is_known_are_named(folder: Path) -> None:
    own = [*rows(0, 5, ",train"), *rows(5, 6, ","), *rows(6, 7, ",holdout"), *rows(7, 8, ",birds")]
    error = refusal(write(folder, "path,label,split", *own))
    assert error.what.endswith("has 3 rows without a split that is known in the column 'split'")
    assert error.why == "line 7: nothing\n    line 8: 'holdout'\n    line 9: 'birds'"


def test_a_whole_test_split_may_be_without_labels(folder: Path) -> None:
    test = [f"{path(n)},,test" for n in (6, 7)]
    found = scan_list(write(folder, "path,label,split", *rows(0, 6, ",train"), *test))
    assert (list(found.splits), found.unlabelled) == (["train"], ("test",))
    assert "the images of test have no labels and are left aside" in found.notes
    error = refusal(write(folder, "path,label,split", *rows(0, 5, ",train"), f"{path(5)},dog,test", *test))
    assert error.what.endswith("has 2 rows without a label")
    assert error.why == f"line 8: {path(6)}\n    line 9: {path(7)}"


def test_a_column_of_groups_is_read_by_its_name_or_the_one_asked_for(folder: Path) -> None:
    file = write(folder, "path,label,group,dog", *(f"{row},g{n // 2},x" for n, row in enumerate(rows())))
    with_both = [f"{row},g{n // 2},d{n}" for n, row in enumerate(rows())]
    file = write(folder, "path,label,group,dog", *with_both)
    assert scan_list(file).splits["all"].groups == ["g0", "g0", "g1", "g1", "g2", "g2", "g3", "g3"]
    found = scan_list(file, group_by="dog")
    assert found.splits["all"].groups == [f"d{n}" for n in range(8)]
    assert found.notes == ("'list.csv': paths from 'path', labels from 'label', groups from 'dog'",)
    assert not scan_list(file, group_by=r"(\d)\.png").splits["all"].groups
    of_classes = scan_list(write(folder, "id,breed", *rows()), group_by="breed")
    assert of_classes.splits["all"].groups == of_classes.splits["all"].classes
    assert "has no column dogs (data.group_by)" in refusal(file, group_by="dogs").what
    error = refusal(write(folder, "path,label,group", *rows(0, 6, ",g"), *rows(6, 8, ", ")))
    assert error.what.endswith("has 2 rows without a group in the column 'group'")


# --- files ---


def test_paths_may_be_absolute_elsewhere_and_as_windows_writes_them(folder: Path) -> None:
    lists = folder / "lists"
    lists.mkdir()
    elsewhere = put(folder / "elsewhere" / "a b, c.png")
    file = write(
        lists,
        "path,label",
        f"{folder}/{path(0)},cat",
        f"../{path(1)},cat",
        '"../elsewhere/a b, c.png",dog',
        "..\\photos\\0\\2.png,dog",
        f"{put(lists / 'own.png')},dog",
    )
    expected = [f"{folder}/{path(0)}", f"../{path(1)}", "../elsewhere/a b, c.png", f"../{path(2)}", "own.png"]
    assert scan_list(file).splits["all"].paths == expected
    assert elsewhere.samefile(lists / expected[2])


def test_files_without_their_ending_are_found_where_the_first_of_them_lie(folder: Path) -> None:
    for number in range(4):
        put(folder / "kaggle" / "train" / f"00{number}f.jpg")
        put(folder / "kaggle" / "test" / f"10{number}f.jpg")
    file = write(folder / "kaggle", "id,breed", "000f,pug", "001f,pug", "003f,boxer")
    found = scan_list(file)
    assert pairs(found) == {"all": [("train/000f.jpg", "pug"), ("train/001f.jpg", "pug"), ("train/003f.jpg", "boxer")]}
    assert "paths start from the folder 'train' beside 'list.csv'" in found.notes
    put(folder / "kaggle" / "test" / "000f.jpg")
    error = refusal(file)
    assert error.what == f"files such as '000f' and 2 more are in several folders of {file.parent}: 'test', 'train'"
    assert error.fix == "write the folder into the list too: test/000f"
    put(folder / "kaggle" / "train" / "001f.png")
    assert refusal(write(folder / "kaggle", "id,breed", "train/001f,pug")).what == (
        "train/001f stands for several files: '001f.jpg', '001f.png'"
    )


def test_a_file_is_an_image_by_its_name_or_its_bytes(folder: Path) -> None:
    put(folder / "scan")
    file = write(folder, "path,label", *rows(0, 7), "scan,dog")
    assert "scan" in scan_list(file).splits["all"].paths
    error = refusal(write(folder, "path,label", *rows(0, 7), "notes.txt,dog"))
    assert error.what.endswith("has 1 row whose file is no image")
    assert error.why == "line 9: notes.txt"


def test_missing_files_are_named_together(folder: Path) -> None:
    error = refusal(write(folder, "path,label", *rows(), *(f"gone/{n}.png,cat" for n in range(30)), "a\0b.png,dog"))
    assert error.what.endswith("has 31 rows whose file is not there") or "zero bytes" in error.why
    error = refusal(write(folder, "path,label", *rows(), *(f"gone/{n}.png,cat" for n in range(30))))
    assert error.what == f"{folder / 'list.csv'} has 30 rows whose file is not there"
    lines = error.why.split("\n")
    assert lines[0] == "line 10: gone/0.png"
    assert (len(lines), lines[-1].strip()) == (21, "… and 10 more")
    assert str(folder) in error.fix


def test_rows_without_a_path_or_a_label_are_named(folder: Path) -> None:
    error = refusal(write(folder, "path,label", *rows(0, 4), ",cat", "  ,dog"))
    assert error.what.endswith("has 2 rows without a path")
    error = refusal(write(folder, "path,label", *rows(0, 4), f"{path(4)},", f"{path(5)},  "))
    assert error.what.endswith("has 2 rows without a label")
    assert refusal(write(folder, "path,label", path(0) + ",", path(1) + ",")).what.endswith(
        "has 2 rows without a label"
    )


def test_a_file_that_is_named_again_is_read_once_and_never_under_two_labels(folder: Path) -> None:
    found = scan_list(write(folder, "path,label", *rows(), f"./{path(3)},cat", f"{folder}/{path(5)},dog"))
    assert len(found.splits["all"].paths) == 8
    assert found.warnings == (f"files that are named again are read once: line 10 ({path(3)}), line 11 ({path(5)})",)
    error = refusal(write(folder, "path,label", *rows(), f"./{path(3)},dog"))
    assert error.what.endswith("has 1 row at odds with an earlier row of the same file")
    assert error.why == f"line 10: {path(3)} ('dog', and 'cat' in line 5)"
    error = refusal(write(folder, "path,label,split", *rows(ends=",train"), f"{path(3)},cat,test"))
    assert error.why == f"line 10: {path(3)} ('test', and 'train' in line 5)"


# --- labels ---


@pytest.mark.parametrize(
    ("labels", "refused"),
    [
        (["cat", "dog", "cat|dog", "dog"], ["cat|dog"]),
        (["cat;dog", "dog;bird", "cat;bird", "bird"], ["cat;dog", "dog;bird", "cat;bird"]),
        (['["cat"]', "dog", "cat", "bird"], ['["cat"]']),
        (["Cat, domestic", "Dog, domestic", "red panda", "red"], []),
    ],
)
def test_a_row_with_several_labels_is_refused(labels: list[str], refused: list[str], folder: Path) -> None:
    cells = [f'"{label}"'.replace('["cat"]', '[""cat""]') for label in labels]
    file = write(folder, "path,label", *(f"{path(n)},{cell}" for n, cell in enumerate(cells)))
    if not refused:
        assert len(scan_list(file).class_names) == len(labels)
        return
    error = refusal(file)
    assert "with several labels" in error.what
    assert error.why.split("\n    ") == [
        f"line {n + 2}: {path(n)} ({label})" for n, label in enumerate(labels) if label in refused
    ]


def test_labels_that_are_alike_are_told(folder: Path) -> None:
    found = scan_list(write(folder, "path,label", *rows(), f"{put(folder / 'x.png')},Cat"))
    assert found.class_names == ("Cat", "cat", "dog")
    assert found.warnings == ("labels that differ only in letter case, spaces or invisible signs: 'Cat' and 'cat'",)


def test_one_class_is_too_few_but_for_a_classifier_that_knows_it(folder: Path) -> None:
    file = write(folder, "path,label", *rows(0, 4))
    assert "only one class, 'cat'" in refusal(file).what
    assert scan_list(file, ["cat", "dog"]).class_names == ("cat",)


def test_a_split_with_a_class_that_train_lacks_is_refused(folder: Path) -> None:
    error = refusal(write(folder, "path,label,split", *rows(ends=",train"), f"{put(folder / 'x.png')},bird,test"))
    assert error.why == "train has no class 'bird'"


# --- for use ---


def test_what_is_to_be_answered_needs_no_label_and_may_be_missing(folder: Path) -> None:
    file = write(folder, "image", path(0), "gone.png", path(0), "", path(1))
    assert list_images(file) == {str(folder / name): "" for name in (path(0), "gone.png", path(1))}
    assert list(find_labelled(str(folder))) == [str(folder / path(n)) for n in (0, 2, 4, 6, 1, 3, 5, 7)]
    assert find_labelled(str(write(folder, "image,label", f"{path(2)},cat"))) == {str(folder / path(2)): "cat"}
    with pytest.raises(ResnetkitError, match="there is no folder or list"):
        find_labelled(str(folder / "gone"))
