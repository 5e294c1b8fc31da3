"""Scanning image folders: layouts, names, order, and what is refused. No test here needs real images."""

import os
from pathlib import Path

import pytest

from resnetkit.errors import Code, ResnetkitError
from resnetkit.folders.image_folder import find_images, scan


def make(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def refusal(root: Path) -> ResnetkitError:
    with pytest.raises(ResnetkitError) as caught:
        scan(root)
    assert caught.value.code == Code.DATA
    assert caught.value.fix
    return caught.value


def test_classes_without_a_split(tmp_path: Path) -> None:
    found = scan(make(tmp_path, "cat/b.jpg", "cat/a.png", "dog/c.webp"))
    assert found.class_names == ("cat", "dog")
    assert list(found.splits) == ["all"]
    assert found.splits["all"].paths == ["cat/a.png", "cat/b.jpg", "dog/c.webp"]
    assert found.splits["all"].classes == ["cat", "cat", "dog"]


@pytest.mark.parametrize("folder", ["val", "valid", "validation", "Val"])
def test_split_folders_and_their_spellings(tmp_path: Path, folder: str) -> None:
    make(tmp_path, "train/cat/a.jpg", "train/dog/b.jpg", f"{folder}/cat/c.jpg", f"{folder}/dog/d.jpg")
    found = scan(make(tmp_path, "test/dog/e.jpg", "test/cat/f.jpg"))
    assert list(found.splits) == ["train", "val", "test"]
    assert found.splits["val"].paths == [f"{folder}/cat/c.jpg", f"{folder}/dog/d.jpg"]
    assert found.splits["test"].classes == ["cat", "dog"]


def test_train_alone_is_fine(tmp_path: Path) -> None:
    assert list(scan(make(tmp_path, "train/cat/a.jpg", "train/dog/b.jpg")).splits) == ["train"]


def test_training_and_testing_are_splits_too(tmp_path: Path) -> None:
    make(tmp_path, *(f"{split}/{name}/a.jpg" for split in ("Training", "Testing") for name in ("cat", "dog")))
    found = scan(tmp_path)
    assert list(found.splits) == ["train", "test"]
    assert found.class_names == ("cat", "dog")
    make(tmp_path / "one", "Training/cat/a.jpg")
    assert refusal(tmp_path / "one").what == f"only one class, 'cat', below {tmp_path / 'one' / 'Training'}"


@pytest.mark.parametrize("name", ["train", "training", "val", "test"])
def test_a_class_may_be_named_as_a_split(tmp_path: Path, name: str) -> None:
    assert scan(make(tmp_path, f"{name}/a.jpg", "bus/b.jpg"), "classes").class_names == ("bus", name)


@pytest.mark.parametrize("other", ["notes/a.txt", "valid/cat/a.jpg"])
def test_class_folders_for_testing_alone_are_refused(tmp_path: Path, other: str) -> None:
    error = refusal(make(tmp_path, "Test/cat/a.jpg", "Test/dog/b.jpg", other))
    assert "Test" in error.what
    assert "no folder train" in error.what


def test_class_names_sort_naturally(tmp_path: Path) -> None:
    found = scan(make(tmp_path, *(f"{name}/x.jpg" for name in ("img10", "img2", "Img1", "img02"))))
    assert found.class_names == ("Img1", "img02", "img2", "img10")


def test_nested_folders_belong_to_their_class_and_extensions_ignore_case(tmp_path: Path) -> None:
    found = scan(make(tmp_path, "cat/2020/may/a.JPG", "cat/b.JpEg", "dog/c.GIF", "dog/d.bmp", "dog/e.JFIF"))
    assert found.splits["all"].paths == ["cat/2020/may/a.JPG", "cat/b.JpEg", "dog/c.GIF", "dog/d.bmp", "dog/e.JFIF"]


def test_hidden_files_and_files_beside_the_images_are_counted(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg", "dog/b.jpg", "cat/.a.jpg", "cat/notes.TXT", "README.md", ".git/c.jpg", "dog/.x/d.jpg")
    found = scan(tmp_path)
    assert found.splits["all"].paths == ["cat/a.jpg", "dog/b.jpg"]
    assert found.ignored_files == 5
    assert found.warnings == ()


def test_images_in_no_class_folder_are_named(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/a.jpg", "train/dog/b.jpg", "train/stray.jpg", "labels.csv", "raw/x.jpg", "raw/y/z.jpg")
    found = scan(tmp_path, "splits")
    assert found.ignored_files == 1
    assert found.warnings == ("not read: 'raw' (2 images)", "1 image in no class folder is not read: 'train/stray.jpg'")


def test_links_to_files_count_and_loops_end(tmp_path: Path) -> None:
    make(tmp_path, "set/cat/a.jpg", "set/dog/b.jpg", "elsewhere/c.jpg")
    os.symlink(tmp_path / "elsewhere" / "c.jpg", tmp_path / "set/dog/link.jpg")
    os.symlink(tmp_path / "set", tmp_path / "set/cat/loop")
    os.symlink(tmp_path / "set/cat", tmp_path / "set/cat/own")
    os.symlink(tmp_path / "elsewhere", tmp_path / "set/cow")
    assert scan(tmp_path / "set").splits["all"].paths == ["cat/a.jpg", "cow/c.jpg", "dog/b.jpg", "dog/link.jpg"]


@pytest.mark.parametrize("spelling", [".", "./", "{path}/", "{path}"])
def test_paths_are_relative_to_the_root_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.chdir(make(tmp_path, "cat/a.jpg", "dog/b.jpg"))
    assert scan(Path(spelling.format(path=tmp_path))).splits["all"].paths == ["cat/a.jpg", "dog/b.jpg"]


def test_refusals_say_what_is_wrong(tmp_path: Path) -> None:
    assert "no folder" in refusal(tmp_path / "missing").what
    assert "no images" in refusal(tmp_path).what
    assert "no images" in refusal(make(tmp_path / "a", "cat/notes.txt", "loose.jpg")).what
    assert "only one class, 'cat'" in refusal(make(tmp_path / "b", "cat/a.jpg", "empty/notes.txt")).what
    assert "two folders for val" in refusal(make(tmp_path / "c", "train/a/1.jpg", "val/a/1.jpg", "valid/a/1.jpg")).what


@pytest.mark.parametrize(
    ("test_classes", "why"),
    [
        ("cat dog cow", "train has no class 'cow'"),
        ("cat owl cow", "train has no class 'cow', 'owl'"),
        ("DOG cat", "train has no class 'DOG'; alike are 'DOG' and 'dog'"),
    ],
)
def test_no_split_may_have_a_class_that_train_lacks(tmp_path: Path, test_classes: str, why: str) -> None:
    make(tmp_path, "train/cat/a.jpg", "train/dog/b.jpg", *(f"test/{name}/c.jpg" for name in test_classes.split()))
    assert refusal(tmp_path).why == why


def test_a_split_may_lack_a_class_and_then_it_is_said(tmp_path: Path) -> None:
    found = scan(make(tmp_path, "train/cat/a.jpg", "train/dog/b.jpg", "test/cat/c.jpg", "test/dog/notes.txt"))
    assert found.splits["test"].classes == ["cat"]
    assert "test has no images of class 'dog': it is scored over the others" in found.warnings


def test_a_folder_without_images_is_no_class_and_is_named(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.png", "dog/b.png", "fish/notes.txt")
    (tmp_path / "owl").mkdir()
    found = scan(tmp_path)
    assert found.class_names == ("cat", "dog")
    assert found.warnings == ("folders without any image are no classes: 'fish', 'owl'",)


def test_files_of_other_kinds_are_counted_by_extension(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.png", "dog/b.png", *(f"dog/{n}.PSD" for n in range(3)), "cat/film.mp4", "cat/scan")
    assert scan(tmp_path).warnings == ("not read: 3 .psd, 1 .mp4, 1 without an extension",)


@pytest.mark.parametrize("known", [(), ("cat", "dog", "fish")])
def test_a_class_whose_files_are_all_of_other_kinds_is_an_error(tmp_path: Path, known: tuple[str, ...]) -> None:
    make(tmp_path, "cat/a.png", "dog/b.png", "fish/c.psd", "fish/deep/d.psd", "fish/notes.txt")
    with pytest.raises(ResnetkitError, match=r"no file of class 'fish' is read: .*/fish holds 2 \.psd") as caught:
        scan(tmp_path, known=known)
    assert caught.value.code == Code.DATA
    assert "convert" in caught.value.fix


def test_a_link_that_leads_nowhere_is_a_file_to_be_reported(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.png", "dog/b.png")
    (tmp_path / "cat" / "gone.png").symlink_to("nowhere")
    (tmp_path / "cat" / "self.png").symlink_to("self.png")
    (tmp_path / "self").symlink_to("self")
    found = scan(tmp_path)
    assert found.splits["all"].paths == ["cat/a.png", "cat/gone.png", "cat/self.png", "dog/b.png"]
    assert found.warnings == ("not read: 1 without an extension",)


def test_find_images_sees_what_a_scan_sees(tmp_path: Path) -> None:
    make(tmp_path, "b.JPG", "sub/a.png", ".hidden.png", ".thumbs/c.png", "notes.txt")
    (tmp_path / "gone.png").symlink_to("nowhere")
    paths, left_out = find_images(tmp_path)
    assert paths == [str(tmp_path / name) for name in ("b.JPG", "gone.png", "sub/a.png")]
    assert (left_out.beside, left_out.unread) == (3, {})


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("resnetkit.folders.folder_tree.os.scandir", refuse)
    with pytest.raises(ResnetkitError, match="Permission denied") as caught:
        find_images(tmp_path)
    assert caught.value.code == Code.IO
