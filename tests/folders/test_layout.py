"""Layouts of image folders as they are met: read, or refused with what to type, which then reads as it says."""

import re
import shlex
import subprocess
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from resnetkit.errors import Code, ResnetkitError
from resnetkit.folders.image_folder import ImageFolder, scan


@dataclass(frozen=True)
class Layout:
    """Files, with alternatives in braces, and what is to come of them.

    Attributes:
        reading: what is read: by split, the images of each class; for a layout that is refused, the reading of each
            fix that the message prints, in its order.
        words: in the note, or in the error.
    """

    files: str
    reading: str | tuple[str, ...]
    words: str = ""


TWO_SPLITS = "train cat 2 dog 2, test cat 1 dog 1"
THREE_SPLITS = "train cat 2 dog 2, val cat 1 dog 1, test cat 1 dog 1"
CLASSES = "all cat 2 dog 2"


def parts(train: str, test: str, val: str = "", inner: str = "") -> str:
    """Two training images a class, and one in the others."""
    text = f"{train}/{inner}{{cat,dog}}/{{1,2}}.jpg {test}/{inner}{{cat,dog}}/3.jpg"
    return text + (f" {val}/{inner}{{cat,dog}}/4.jpg" if val else "")


READ = {
    "classes alone": Layout("{cat,dog}/{1,2}.jpg", CLASSES),
    "plain splits": Layout(parts("train", "test", "val"), THREE_SPLITS),
    "plain splits, spelled out": Layout(parts("Training", "Testing", "Validation"), THREE_SPLITS),
    "a course's": Layout(parts("training_set", "test_set"), TWO_SPLITS, "'training_set' as train, 'test_set' as test"),
    "images in the name": Layout(
        "train_images/{cat,dog}/{1,2}.jpg val_images/{cat,dog}/3.jpg", "train cat 2 dog 2, val cat 1 dog 1", "as val"
    ),
    "data in the name": Layout(parts("train_data", "test_data", "validation_data"), THREE_SPLITS, "as val"),
    "a common word beside": Layout(parts("seg_train", "seg_test"), TWO_SPLITS, "'seg_train' as train"),
    "scenes to predict": Layout(
        parts("seg_train", "seg_test") + " seg_pred/{1,2,3}.jpg", TWO_SPLITS, "'seg_pred' holds 3 images, but no class"
    ),
    "scenes, each folder twice": Layout(
        parts("seg_train/seg_train", "seg_test/seg_test") + " seg_pred/seg_pred/1.jpg",
        TWO_SPLITS,
        "'seg_train/seg_train' as train",
    ),
    "a common word behind": Layout(parts("cats_train", "cats_test"), TWO_SPLITS, "'cats_test' as test"),
    "years": Layout(parts("train2017", "test2017", "val2017"), THREE_SPLITS, "'val2017' as val"),
    "sizes": Layout(parts("train_64x64", "test_64x64"), TWO_SPLITS),
    "camel case": Layout(parts("TrainImages", "TestImages"), TWO_SPLITS),
    "compounds": Layout(parts("trainset", "testset"), TWO_SPLITS),
    "dev": Layout(
        "train/{cat,dog}/{1,2}.jpg dev/{cat,dog}/3.jpg", "train cat 2 dog 2, val cat 1 dog 1", "'dev' as val"
    ),
    "validate": Layout("train/{cat,dog}/{1,2}.jpg validate/{cat,dog}/3.jpg", "train cat 2 dog 2, val cat 1 dog 1"),
    "German": Layout(parts("Trainingsdaten", "Testdaten", "Validierung"), THREE_SPLITS, "'Validierung' as val"),
    "Spanish": Layout(parts("entrenamiento", "prueba", "validación"), THREE_SPLITS, "'prueba' as test"),
    "Spanish, longer": Layout(parts("conjunto_de_entrenamiento", "conjunto_de_prueba"), TWO_SPLITS),
    "French": Layout(parts("apprentissage", "test"), TWO_SPLITS, "'apprentissage' as train"),
    "French, accented": Layout(parts("Entrai\u0302nement", "Test"), TWO_SPLITS, "as train"),
    "Italian": Layout(parts("addestramento", "prova"), TWO_SPLITS),
    "Portuguese": Layout(parts("treino", "teste", "validação"), THREE_SPLITS),
    "Russian": Layout(parts("обучающая_выборка", "тестовая_выборка"), TWO_SPLITS),
    "Chinese": Layout(parts("训练集", "测试集", "验证集"), THREE_SPLITS, "'训练集' as train"),
    "Japanese": Layout(parts("訓練データ", "テストデータ", "検証"), THREE_SPLITS),
    "Korean": Layout(parts("훈련", "테스트", "검증"), THREE_SPLITS),
    "one level too high": Layout(parts("dataset/train", "dataset/test"), TWO_SPLITS, "in the folder 'dataset'"),
    "two levels too high": Layout(
        parts("dataset/dataset/train", "dataset/dataset/test"), TWO_SPLITS, "dataset/dataset"
    ),
    "among images": Layout(parts("images/train", "images/test") + " annotations/a.xml", TWO_SPLITS, "'images'"),
    "any name above train": Layout(parts("flowers/train", "flowers/test"), TWO_SPLITS, "'flowers'"),
    "classes one level too high": Layout("images/{cat,dog}/{1,2}.jpg", CLASSES, "in the folder 'images'"),
    "one level too low": Layout(parts("train", "test", inner="images/"), TWO_SPLITS, "'train/images' as train"),
    "test without labels": Layout(
        "train/{cat,dog}/{1,2}.jpg test/{1,2}.jpg", "train cat 2 dog 2", "'test' holds 2 images, but no class folders"
    ),
    "test in one folder without a name": Layout(
        "train/{cat,dog}/{1,2}.jpg test/test/{1,2}.jpg", "train cat 2 dog 2", "'test' holds 2 images"
    ),
    "a class train among others": Layout("{bus,train}/1.jpg", "all bus 1 train 1", "'train' is read as a class"),
    "kinds of train": Layout("{steam_train,electric_train}/1.jpg", "all electric_train 1 steam_train 1"),
    "a word with a split's in it": Layout("{testudo,valence,trainer}/1.jpg", "all testudo 1 trainer 1 valence 1"),
    "folders inside classes": Layout(
        "cat/{may,june}/1.jpg dog/{1,2}.jpg",
        CLASSES,
        "inside a class folder belong to its class: 'cat/june', 'cat/may'",
    ),
    "classes in groups": Layout(
        "pets/{cat,dog}/1.jpg vehicles/{bus,car}/1.jpg",
        "all pets 2 vehicles 2",
        "(--layout all=pets,all=vehicles makes them the classes)",
    ),
    "each class in images": Layout("{cat,dog}/images/{1,2}.jpg", CLASSES),
    "classes that are numbers": Layout("{0,1,2}/1.jpg", "all 0 1 1 1 2 1"),
    "one name in two Unicode forms": Layout(
        "train/{cafe\u0301,bar}/1.jpg test/{caf\u00e9,bar}/1.jpg", "train bar 1 caf\u00e9 1, test bar 1 caf\u00e9 1"
    ),
    "two Unicode forms side by side": Layout(
        "{cafe\u0301,caf\u00e9,bar}/1.jpg", "all bar 1 caf\u00e9 2", "one name in two"
    ),
    "other files beside": Layout("{cat,dog}/{1,2}.jpg labels.csv README.md .git/x.jpg", CLASSES),
}

REFUSED = {
    "numbered parts": Layout(
        "fold{1,2,3}/{cat,dog}/1.jpg",
        ("all fold1 2 fold2 2 fold3 2", "all cat 3 dog 3", "train cat 2 dog 2, test cat 1 dog 1"),
        "in them",
    ),
    "two parts": Layout(
        "part1/{cat,dog}/{1,2}.jpg part2/{cat,dog}/1.jpg", ("all part1 4 part2 2", "all cat 3 dog 3", TWO_SPLITS)
    ),
    "parts without classes": Layout("part{1,2}/{1,2}.jpg", ("all part1 2 part2 2",), "parts of one set"),
    "any folders of the same folders": Layout(
        "{spring,summer}/{cat,dog}/1.jpg",
        ("all spring 2 summer 2", "all cat 2 dog 2", "train cat 1 dog 1, test cat 1 dog 1"),
    ),
    "splits inside classes": Layout(
        "{cat,dog}/{train/1,train/2,test/3}.jpg", (TWO_SPLITS, "all cat 3 dog 3"), "divided by itself"
    ),
    "several data sets": Layout(
        "{pets,wild}/{train/cat/1,train/dog/1,test/cat/1,test/dog/1}.jpg",
        ("train cat 1 dog 1, test cat 1 dog 1",) * 2,
        "several data sets",
    ),
    "a class train with kinds": Layout(
        "{bus,car}/1.jpg train/{steam,electric}/1.jpg",
        ("all bus 1 car 1 train 2", "train electric 1 steam 1"),
        "more than one way",
    ),
    "a class test": Layout(
        "{cat,dog,test}/{1,2}.jpg", ("all cat 2 dog 2 test 2", "train cat 2 dog 2"), "may be a class"
    ),
    "classes test and validation": Layout(
        "{cat,dog,test,validation}/1.jpg", ("all cat 1 dog 1 test 1 validation 1", "train cat 1 dog 1")
    ),
    "test beside the classes": Layout(
        "{cat,dog}/{1,2}.jpg test/{cat,dog}/3.jpg", ("all cat 2 dog 2 test 2", TWO_SPLITS), "more than one way"
    ),
    "something else beside train": Layout(
        "{train,extra}/{cat,dog}/1.jpg",
        ("all extra 2 train 2", "train cat 1 dog 1", "train cat 1 dog 1, test cat 1 dog 1"),
    ),
    "raw images beside train": Layout(
        "train/{cat,dog}/1.jpg raw/{1,2}.jpg", ("all raw 2 train 2", "train cat 1 dog 1"), "'raw' beside it"
    ),
    "eval": Layout(
        "train/{cat,dog}/{1,2}.jpg eval/{cat,dog}/3.jpg", ("train cat 2 dog 2, val cat 1 dog 1", TWO_SPLITS), "neither"
    ),
    "holdout": Layout(
        "train/{cat,dog}/{1,2}.jpg hold-out/{cat,dog}/3.jpg",
        ("train cat 2 dog 2, val cat 1 dog 1", TWO_SPLITS),
        "'hold-out'",
    ),
    "two folders for val": Layout(
        "train/{cat,dog}/{1,2}.jpg {val,valid}/{cat,dog}/3.jpg",
        ("train cat 2 dog 2, val cat 2 dog 2", "train cat 2 dog 2, val cat 1 dog 1"),
        "two folders for val",
    ),
    "testing alone": Layout("Test/{cat,dog}/{1,2}.jpg", (CLASSES,), "no folder train"),
    "val and test alone": Layout(
        "{val,test}/{cat,dog}/1.jpg", ("all test 2 val 2", "all cat 1 dog 1"), "no folder train"
    ),
    "a competition": Layout(
        "train/{cat.0,cat.1,dog.0,dog.1}.jpg test/{0,1}.jpg", ("train cat 2 dog 2",), "names begin with 'cat', 'dog'"
    ),
    "one folder of sorted names": Layout("{cat_1,cat_2,dog_1,dog_2}.jpg", (CLASSES,), "names begin with"),
    "images and a table": Layout("images/{1,2,3}.jpg labels.csv", (), "labels.csv"),
    "images in two splits, no classes": Layout("{train,test}/{1,2}.jpg", (), "2 images lie in one folder"),
    "detection": Layout("images/{train,val}/{1,2}.jpg labels/{train,val}/{1,2}.txt", (), "lie in one folder"),
    "one class": Layout("cat/{1,2}.jpg", (), "only one class, 'cat'"),
    "one folder of folders": Layout("zoo/{cat,dog}/{1,2}.jpg", (CLASSES,), "only one class, 'zoo'"),
    "letter case and spaces": Layout("{Cat,cat,cat }/1.jpg", ("all Cat 1 cat 1 cat  1",), "'Cat' and 'cat' and 'cat '"),
    "letter case, in splits": Layout(
        "{train,test}/{Cat,cat}/1.jpg", ("train Cat 1 cat 1, test Cat 1 cat 1",), "letter case"
    ),
    "letter case, between splits": Layout(
        "train/{Cat,dog}/1.jpg test/{cat,dog}/1.jpg", ("train Cat 1 dog 1",), "'cat' and 'Cat'"
    ),
    "an invisible sign": Layout(
        "train/{cat,dog}/1.jpg test/{cat\u200b,dog}/1.jpg", ("train cat 1 dog 1",), "'cat\\u200b' and 'cat'"
    ),
    "unlike classes": Layout(
        "train/{steam,electric}/1.jpg test/{paper,oral}/1.jpg",
        ("train electric 1 steam 1", "all test 2 train 2"),
        "differ",
    ),
    "nothing": Layout("", (), "no images"),
    "loose images": Layout("cat/notes.txt loose.jpg", (), "no images in class folders"),
}


def expanded(text: str) -> list[str]:
    """The alternatives in braces, as a shell expands them; no nesting."""
    pieces = re.split(r"\{([^}]*)\}", text)
    choices = [piece.split(",") if position % 2 else [piece] for position, piece in enumerate(pieces)]
    return ["".join(choice) for choice in product(*choices)]


def make(root: Path, files: str) -> Path:
    root.mkdir(exist_ok=True)
    for path in [path for word in re.findall(r"(?:\{[^}]*\}|\S)+", files) for path in expanded(word)]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def reading(found: ImageFolder) -> str:
    """The number of images by split and class."""
    counts = {split: Counter(listing.classes) for split, listing in found.splits.items()}
    return ", ".join(
        f"{split} " + " ".join(f"{name} {n}" for name, n in each.items()) for split, each in counts.items()
    )


@pytest.mark.parametrize("name", READ)
def test_plain_layouts_are_read_and_what_is_not_quite_plain_is_said(tmp_path: Path, name: str) -> None:
    layout = READ[name]
    found = scan(make(tmp_path / "photos", layout.files))
    assert reading(found) == layout.reading
    assert layout.words in "\n".join(found.notes)
    assert found.warnings == ()


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_be_read_in_two_ways_is_refused_and_each_printed_fix_reads_as_it_says(
    tmp_path: Path, name: str
) -> None:
    layout, root = REFUSED[name], make(tmp_path / "photos", REFUSED[name].files)
    with pytest.raises(ResnetkitError) as caught:
        scan(root)
    error = caught.value
    assert error.code == Code.DATA
    assert layout.words in str(error)
    assert error.fix
    found = [reading(scan(root, layout)) for layout in layouts_in(error.fix)]
    below = rf"(?:give |give one of them: |, )({re.escape(str(root))}/\w[\w/]*)"
    found += [reading(scan(Path(path))) for path in re.findall(below, error.fix)]
    for command in re.findall(r"for class in .*; done", error.fix):
        subprocess.run(["bash", "-c", command], check=True)
        found.append(reading(scan(root)))
    assert tuple(found) == layout.reading


def layouts_in(fix: str) -> list[str]:
    return [shlex.split(option)[0] for option in re.findall(r"--layout ('[^']*'|\S+)", fix)]


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("splits", TWO_SPLITS),
        ("classes", "all more 4 test 2 train 4"),
        ("train=train", "train cat 2 dog 2"),
        ("train=./train/,val=more/a", "train cat 2 dog 2, val cat 1 dog 1"),
        ("test=test,train=train,train=more/a,train=more/b", "train cat 4 dog 4, test cat 1 dog 1"),
        ("all=more/a", "all cat 1 dog 1"),
        ("all=more/*/cat", "all a 1 b 1"),
        ("all=train,all=more/b", "all cat 3 dog 3"),
    ],
)
def test_a_layout_that_is_given_is_followed(tmp_path: Path, layout: str, expected: str) -> None:
    found = scan(make(tmp_path, parts("train", "test") + " more/{a,b}/{cat,dog}/1.jpg"), layout)
    assert reading(found) == expected
    used = sum(len(listing.paths) for listing in found.splits.values())
    assert bool(found.warnings) == (used < 10), "whatever is not read is told"


@pytest.mark.parametrize(
    "layout", ["", "class", "train", "train=", "dev=a", "train=../a", "train=a*", "train=*/*", "all=a,test=b", "test=a"]
)
def test_a_layout_that_is_none_is_refused(tmp_path: Path, layout: str) -> None:
    with pytest.raises(ResnetkitError) as caught:
        scan(make(tmp_path, "a/{cat,dog}/1.jpg b/{cat,dog}/1.jpg"), layout)
    assert caught.value.code == Code.USAGE
    assert "train=" in caught.value.fix


def test_folders_that_a_layout_names_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError, match="names the folder 'training'") as caught:
        scan(make(tmp_path, parts("train_a", "test_a")), "train=training,test=test_a")
    assert caught.value.code == Code.DATA
    assert "train_a" in caught.value.fix


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("cat/1.jpg", "all cat 1"),
        ("{cat,test}/1.jpg", "all cat 1 test 1"),
        ("test/{cat,dog}/1.jpg", "test cat 1 dog 1"),
        ("test/cat/1.jpg", "test cat 1"),
        ("{test,cat}/{day,night}/1.jpg", "all cat 2 test 2"),
        ("photos/cat/1.jpg", "all cat 1"),
        ("monday/{cat,dog}/1.jpg", "all cat 1 dog 1"),
        ("{cafe\u0301,cat}/1.jpg", "all caf\u00e9 1 cat 1"),
        ("wolf/1.jpg", "all wolf 1"),
    ],
)
def test_known_classes_settle_what_folders_are_and_one_is_enough(tmp_path: Path, files: str, expected: str) -> None:
    assert reading(scan(make(tmp_path, files), known=["cat", "dog", "test", "caf\u00e9"])) == expected


def test_a_layout_may_spell_accents_in_another_way(tmp_path: Path) -> None:
    make(tmp_path, "entrai\u0302nement/{cat,dog}/1.jpg essai/{cat,dog}/2.jpg")
    found = scan(tmp_path, "train=entra\u00eenement,test=essai")
    assert reading(found) == "train cat 1 dog 1, test cat 1 dog 1"
    assert found.warnings == ()


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cat" / "/".join("a" * 300)).mkdir(parents=True)
    with pytest.raises(ResnetkitError, match="more than 100 levels deep") as caught:
        scan(tmp_path)
    assert caught.value.code == Code.DATA


def test_the_folders_of_classes_in_groups_are_classes_where_that_is_said(tmp_path: Path) -> None:
    make(tmp_path, "pets/{cat,dog}/1.jpg vehicles/{bus,car}/1.jpg")
    assert reading(scan(tmp_path, "all=pets,all=vehicles")) == "all bus 1 car 1 cat 1 dog 1"


def test_a_list_beside_unsorted_images_is_pointed_to(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for number in range(3):
        (tmp_path / "train" / f"{number}.jpg").touch()
    (tmp_path / "labels.csv").touch()
    with pytest.raises(ResnetkitError, match="3 images lie in one folder") as raised:
        scan(tmp_path)
    assert raised.value.fix.startswith(
        f"if it lists them, give the table: {tmp_path / 'labels.csv'}; or put each image"
    )
