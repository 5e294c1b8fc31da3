"""The entrance to data: splits, checks, bad images, memory or streaming, fingerprints and warnings."""

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.data.loading import open_data
from resnetkit.data.prepared_images import FolderImages
from resnetkit.data.source import BadImagesError
from resnetkit.data.spec import DataSpec
from resnetkit.data.types import LoadedData
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.decoding import decode
from resnetkit.images.prepared_pixels import prepare_whole
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import ArrayImages, Shapes

ALL = ("train", "val", "test")
PREPROCESSING = Preprocessing(12, 16)
GREY = Preprocessing(8, 8, 1, (0.5,), (0.5,))


def save(path: Path, seed: int, size: tuple[int, int] = (24, 18), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(values).convert(mode).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 20 images in two formats, without a split."""
    for number in range(20):
        save(tmp_path / "photos" / "cat" / f"{number}.png", number)
        save(tmp_path / "photos" / "dog" / f"{number}.jpg", 100 + number, (18, 30))
    return tmp_path / "photos"


def spec(folder: Path, **settings: object) -> DataSpec:
    return replace(DataSpec(source=str(folder)), **settings)


def spoil(folder: Path) -> set[str]:
    """Adds one bad file of every kind; returns their paths."""
    good = (folder / "dog" / "0.jpg").read_bytes()
    (folder / "cat" / "truncated.jpg").write_bytes(good[: len(good) // 2])
    (folder / "cat" / "text.jpg").write_text("hello")
    (folder / "dog" / "empty.png").touch()
    save(folder / "dog" / "huge.png", 1, (300, 300))
    return {str(folder / path) for path in ("cat/truncated.jpg", "cat/text.jpg", "dog/empty.png", "dog/huge.png")}


SMALL_LIMITS = Limits(max_pixels=50_000)


def test_what_cropping_cuts_off_is_counted(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "wide" / f"{number}.png", number, (60, 20))
        save(tmp_path / "tall" / f"{number}.png", 9 + number, (20, 60))
    source = open_data(spec(tmp_path))
    assert source.shapes == Shapes(20, 60, pytest.approx(1 / 3), are_alike=False)
    told = "the middle square is 33 % of the pixels of these images, and the rest is cut off"
    assert [told in text for text in source.load(ALL, PREPROCESSING).warnings].count(True) == 1
    for fit in ("squeeze", "pad"):
        assert not [text for text in source.load(ALL, replace(PREPROCESSING, fit=fit)).warnings if "cut off" in text]


def test_usual_photographs_are_cropped_without_a_word(folder: Path) -> None:
    assert not [text for text in open_data(spec(folder)).load(ALL, PREPROCESSING).warnings if "cut off" in text]


def test_opening_tells_what_there_is_without_decoding(folder: Path) -> None:
    (folder / "cat" / "notes.txt").touch()
    source = open_data(spec(folder))
    assert (source.name, source.class_names, source.channels) == ("photos", ("cat", "dog"), 3)
    assert source.shapes.shorter_px == 18
    assert source.split_sizes == {"train": 30, "val": 4, "test": 6}
    assert source.ignored_files == 1


def test_a_folder_of_grey_images_has_one_channel(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "ab"[number % 2] / f"{number}.png", number, mode="L")
    assert open_data(spec(tmp_path)).channels == 1
    save(tmp_path / "a" / "colour.png", 9)
    assert open_data(spec(tmp_path)).channels == 3


def test_given_splits_are_kept_and_only_val_is_carved_out_of_train(tmp_path: Path) -> None:
    for split, count in (("train", 10), ("test", 2)):
        for number in range(count):
            for name in "ab":
                save(tmp_path / split / name / f"{number}.png", number)
    assert open_data(spec(tmp_path)).split_sizes == {"train": 18, "val": 2, "test": 4}
    assert open_data(spec(tmp_path, validation_fraction=0.0)).split_sizes == {"train": 20, "test": 4}
    (tmp_path / "test").rename(tmp_path / "valid")
    source = open_data(spec(tmp_path))
    assert source.split_sizes == {"train": 20, "val": 4}
    assert set(source.load(ALL, PREPROCESSING).splits) == {"train", "val"}


@pytest.mark.parametrize("source", ["digits", "folder"])
def test_some_of_the_images_can_be_trained_on(source: str, folder: Path) -> None:
    usual = spec(folder) if source == "folder" else DataSpec("digits")
    preprocessing = PREPROCESSING if source == "folder" else GREY
    all_data, some = open_data(usual), open_data(replace(usual, max_train_images=20))
    assert some.split_sizes == {**all_data.split_sizes, "train": 20}
    assert [text for text in some.told() if text.startswith("trains on 20 of ")]
    whole, part = all_data.load(ALL, preprocessing), some.load(ALL, preprocessing)
    assert part.fingerprint != whole.fingerprint
    rows = np.array([list(whole.splits["train"].identifiers).index(name) for name in part.splits["train"].identifiers])
    assert np.array_equal(part.splits["train"].digests, whole.splits["train"].digests[rows])
    read = [
        split.images.read(at) for split, at in ((part.splits["train"], np.arange(20)), (whole.splits["train"], rows))
    ]
    assert np.array_equal(*read)
    for name in ("val", "test"):
        assert part.splits[name].identifiers == whole.splits[name].identifiers


def test_asking_for_more_training_images_than_there_are_has_no_effect(folder: Path) -> None:
    source = open_data(spec(folder, max_train_images=30))
    assert source.split_sizes["train"] == 30
    assert [text for text in source.warnings if "data.max_train_images=30 has no effect" in text]
    test = open_data(spec(folder, max_train_images=8, validation="test"))
    assert test.split_sizes == {"train": 8, "val": 6}
    with pytest.raises(ResnetkitError, match="at least 1"):
        spec(folder, max_train_images=0)
    with pytest.raises(ResnetkitError, match="1 training images are too few for"):
        open_data(spec(folder, max_train_images=1))


def test_the_test_split_can_be_the_validation_split(folder: Path, tmp_path: Path) -> None:
    usual, source = open_data(spec(folder)), open_data(spec(folder, validation="test"))
    sizes = usual.split_sizes
    assert source.split_sizes == {"train": sizes["train"] + sizes["val"], "val": sizes["test"]}
    assert source.listings["val"].identifiers == usual.listings["test"].identifiers
    assert [text for text in source.load(ALL, PREPROCESSING).warnings if "no score of this run" in text]
    assert not [text for text in usual.load(ALL, PREPROCESSING).warnings if "no score of this run" in text]
    with pytest.raises(ResnetkitError, match="has no split test"):
        open_data(spec(folder, validation="test", test_fraction=0.0))
    for split in ("train", "val", "test"):
        shutil.copytree(folder, tmp_path / "split" / split)
    with pytest.raises(ResnetkitError, match="has a split val"):
        open_data(spec(tmp_path / "split", validation="test"))


def test_loaded_splits_have_pixels_labels_names_and_aspect_ratios(folder: Path) -> None:
    data = open_data(spec(folder)).load(ALL, PREPROCESSING)
    assert list(data.splits) == list(ALL)
    shapes = {name: split.images.read(np.arange(len(split))).shape for name, split in data.splits.items()}
    assert shapes == {"train": (30, 3, 16, 16), "val": (4, 3, 12, 12), "test": (6, 3, 12, 12)}
    for split in data.splits.values():
        for identifier, label, ratio in zip(split.identifiers, split.labels, split.aspect_ratios, strict=True):
            assert identifier.split("/")[0] == data.class_names[label]
            assert ratio == pytest.approx([24 / 18, 18 / 30][label])


def test_only_the_asked_splits_are_decoded(folder: Path) -> None:
    source = open_data(spec(folder))
    (folder / source.listings["test"].identifiers[0]).write_bytes(b"bad")
    assert list(source.load(["val", "train"], PREPROCESSING).splits) == ["train", "val"]
    with pytest.raises(BadImagesError):
        source.load(["test"], PREPROCESSING)
    with pytest.raises(ResnetkitError, match="unknown split 'vall'"):
        source.load(["vall"], PREPROCESSING)


def same(first: LoadedData, second: LoadedData) -> bool:
    return first.fingerprint == second.fingerprint and all(
        np.array_equal(split.images.read(np.arange(len(split))), other.images.read(np.arange(len(other))))
        and np.array_equal(split.labels, other.labels)
        and np.array_equal(split.aspect_ratios, other.aspect_ratios)
        for split, other in zip(first.splits.values(), second.splits.values(), strict=True)
    )


def test_streaming_equals_memory(folder: Path) -> None:
    in_memory = open_data(spec(folder)).load(ALL, PREPROCESSING)
    streamed = open_data(spec(folder, max_memory_bytes=1000)).load(ALL, PREPROCESSING)
    assert isinstance(in_memory.splits["train"].images, ArrayImages)
    assert isinstance(streamed.splits["train"].images, FolderImages)
    assert same(in_memory, streamed)


def test_streamed_images_travel_to_worker_processes_without_pixels(folder: Path) -> None:
    images = open_data(spec(folder, max_memory_bytes=0)).load(["train"], PREPROCESSING).splits["train"].images
    sent = pickle.dumps(images)
    assert len(sent) < 3000
    assert np.array_equal(pickle.loads(sent).read(np.array([3, 3, 0])), images.read(np.array([3, 3, 0])))


def test_a_file_that_goes_bad_while_streaming_is_an_error(folder: Path) -> None:
    split = open_data(spec(folder, max_memory_bytes=0)).load(["val"], PREPROCESSING).splits["val"]
    (folder / split.identifiers[1]).write_bytes(b"")
    with pytest.raises(ResnetkitError, match=r"is empty \(0 bytes\)"):
        split.images.read(np.array([0, 1]))


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_the_number_of_workers_changes_nothing(folder: Path, num_workers: int) -> None:
    expected = open_data(spec(folder)).load(ALL, PREPROCESSING)
    assert same(expected, open_data(spec(folder, num_workers=num_workers)).load(ALL, PREPROCESSING))


def test_bad_images_stop_with_the_whole_list(folder: Path) -> None:
    bad = spoil(folder)
    with pytest.raises(BadImagesError) as caught:
        open_data(spec(folder, limits=SMALL_LIMITS)).load(ALL, PREPROCESSING)
    error = caught.value
    assert {image.path for image in error.bad_images} == bad
    reasons = {Path(image.path).name: image.reason for image in error.bad_images}
    assert reasons["truncated.jpg"] == "is truncated"
    assert "b'hello'" in reasons["text.jpg"]
    assert reasons["empty.png"] == "is empty (0 bytes)"
    assert reasons["huge.png"] == "has 90,000 pixels, more than the limit of 50,000 (--max-pixels)"
    assert error.code == Code.DATA
    assert error.what == "4 of 44 image files cannot be used"
    assert all(path in str(error) for path in bad)
    assert "--on-bad-image skip" in error.fix
    assert pickle.loads(pickle.dumps(error)).bad_images == error.bad_images


def test_a_long_list_of_bad_images_is_cut_in_the_text_only(folder: Path) -> None:
    for number in range(30):
        (folder / "cat" / f"bad{number}.jpg").touch()
    with pytest.raises(BadImagesError) as caught:
        open_data(spec(folder)).load(ALL, PREPROCESSING)
    assert len(caught.value.bad_images) == 30
    assert str(caught.value).count("is empty") == 20
    assert "… and 10 more" in str(caught.value)


@pytest.mark.parametrize("max_memory_bytes", [0, 10**9])
def test_skipping_leaves_bad_images_out_and_records_them(folder: Path, max_memory_bytes: int) -> None:
    clean = open_data(spec(folder)).load(ALL, PREPROCESSING)
    first_of_train = folder / clean.splits["train"].identifiers[0]
    bad = spoil(folder) | {str(first_of_train)}
    first_of_train.write_bytes(b"")
    source = open_data(spec(folder, limits=SMALL_LIMITS, on_bad_image="skip", max_memory_bytes=max_memory_bytes))
    data = source.load(ALL, PREPROCESSING)
    assert {image.path for image in data.bad_images} == bad
    assert any(text.startswith("5 of 44 image files are left out: ") for text in data.warnings)
    for name, split in data.splits.items():
        assert not bad & {str(folder / identifier) for identifier in split.identifiers}
        known = dict(zip(clean.splits["train"].identifiers, range(30), strict=True))
        if name == "train":
            kept = [(new, known[i]) for new, i in enumerate(split.identifiers) if i in known]
            new, old = np.array(kept).T
            assert len(kept) > 20
            assert np.array_equal(split.images.read(new), clean.splits["train"].images.read(old))


def test_skipping_a_whole_class_is_an_error(folder: Path) -> None:
    for path in (folder / "cat").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ResnetkitError, match="no image of class 'cat' in train can be read"):
        open_data(spec(folder, on_bad_image="skip")).load(ALL, PREPROCESSING)


def test_a_split_that_is_only_scored_may_lose_a_class_but_not_all_images(folder: Path) -> None:
    make_splits = {"train": range(10), "test": range(10, 20)}
    for name, kind in (("cat", "png"), ("dog", "jpg")):
        for split, numbers in make_splits.items():
            for number in numbers:
                save(folder.parent / "given" / split / name / f"{number}.{kind}", number + (kind == "jpg") * 100)
    given = folder.parent / "given"
    for path in (given / "test" / "cat").iterdir():
        path.write_bytes(b"")
    loaded = open_data(spec(given, on_bad_image="skip")).load(ALL, PREPROCESSING)
    assert set(loaded.splits["test"].labels.tolist()) == {1}
    assert any("10 of 20 of 'cat'" in text for text in loaded.warnings)
    for path in (given / "test" / "dog").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ResnetkitError, match="in test can be read"):
        open_data(spec(given, on_bad_image="skip")).load(ALL, PREPROCESSING)


def test_a_folder_of_bad_images_only_is_refused_when_opened(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_text("no image")
    with pytest.raises(BadImagesError, match="2 of 2"):
        open_data(spec(tmp_path))


def changed(folder: Path, change: Callable[[], object]) -> bool:
    before = open_data(spec(folder)).load(ALL, PREPROCESSING).fingerprint
    change()
    return open_data(spec(folder)).load(ALL, PREPROCESSING).fingerprint != before


def test_the_fingerprint_sees_names_labels_and_contents_but_not_preprocessing(folder: Path) -> None:
    for source in (open_data(spec(folder)), open_data(DataSpec(source="digits"))):
        fingerprints = {source.load(ALL, Preprocessing(size, size)).fingerprint for size in (8, 20)}
        assert len(fingerprints) == 1
    assert changed(folder, lambda: (folder / "cat" / "3.png").rename(folder / "cat" / "33.png"))
    assert changed(folder, lambda: (folder / "cat").rename(folder / "bird"))
    assert changed(folder, lambda: save(folder / "dog" / "5.jpg", 4711))


def test_the_same_image_in_two_splits_is_a_warning(folder: Path) -> None:
    assert open_data(spec(folder)).load(ALL, PREPROCESSING).warnings == ()
    source = open_data(spec(folder))
    train, test = source.listings["train"].identifiers, source.listings["test"].identifiers
    dog = next(path for path in train if path.startswith("dog"))
    for copy in test[:2]:
        (folder / copy).write_bytes((folder / dog).read_bytes())
    warning, advice = source.load(ALL, PREPROCESSING).warnings
    assert advice.startswith(f"resnetkit audit {source.spec.source} shows them")
    assert warning.startswith(f"2 images of test are also in train: {test[0]} = {dog}, {test[1]} = {dog}")


def test_classes_of_few_images_are_warnings(tmp_path: Path) -> None:
    for number in range(40):
        save(tmp_path / "train" / "many" / f"{number}.png", number, (4, 4))
    for number in range(3):
        save(tmp_path / "train" / "few" / f"{number}.png", 100 + number, (4, 4))
    (few,) = open_data(spec(tmp_path, validation_fraction=0.0)).load(ALL, PREPROCESSING).warnings
    assert few == "classes with fewer than 10 training images: 'few' (3)"


def test_named_data_fit_without_resampling_and_stream_the_same() -> None:
    source = open_data(DataSpec(source="digits"))
    assert (source.channels, source.shapes.shorter_px, list(source.split_sizes)) == (1, 8, list(ALL))
    in_memory = source.load(ALL, GREY)
    raw = source.load(ALL, replace(GREY, image_size_px=7)).splits["test"].images.read(np.arange(5))
    assert np.array_equal(raw, in_memory.splits["test"].images.read(np.arange(5))[:, :, :7, :7])
    enlarged = source.load(["test"], replace(GREY, resize_px=10)).splits["test"].images.read(np.arange(5))
    assert not np.array_equal(enlarged, in_memory.splits["test"].images.read(np.arange(5)))
    assert same(in_memory, open_data(DataSpec(source="digits", max_memory_bytes=0)).load(ALL, GREY))
    assert in_memory.splits["val"].identifiers[0].startswith("digits/train/")


def test_the_test_split_of_named_data_does_not_depend_on_the_seed() -> None:
    first, second = (open_data(DataSpec(source="digits", split_seed=seed)).load(ALL, GREY) for seed in (0, 1))
    assert first.splits["test"].identifiers == second.splits["test"].identifiers
    assert first.splits["val"].identifiers != second.splits["val"].identifiers


def test_named_data_can_be_resized_and_coloured() -> None:
    split = open_data(DataSpec(source="digits")).load(["val"], Preprocessing(20, 24)).splits["val"]
    pixels = split.images.read(np.arange(3))
    assert pixels.shape == (3, 3, 20, 20)
    assert np.array_equal(pixels[:, 0], pixels[:, 2])
    assert pixels.std() > 50


def test_an_unknown_name_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(ResnetkitError) as caught:
        open_data(DataSpec(source="fashion-mnist"))
    assert "no such file or folder" in caught.value.why
    assert "did you mean 'fashion_mnist'?" in caught.value.fix
    (tmp_path / "file.zip").touch()
    with pytest.raises(ResnetkitError, match="it is a file"):
        open_data(spec(tmp_path / "file.zip"))


def test_the_training_split_can_be_staged_for_evaluation(folder: Path) -> None:
    split = open_data(spec(folder)).load(["train"], PREPROCESSING, whole=()).splits["train"]
    assert split.images.read(np.arange(2)).shape == (2, 3, 12, 12)


def test_a_folder_without_images_is_warned_of(tmp_path: Path) -> None:
    for path in ("cat/a.png", "cat/b.png", "dog/a.png", "dog/b.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / path)
    (tmp_path / "owl").mkdir()
    loaded = open_data(DataSpec(str(tmp_path))).load(["train"], Preprocessing(8, 8))
    assert loaded.warnings[0] == "folders without any image are no classes: 'owl'"


def test_reduced_decoding_travels_with_the_preprocessing(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            save(tmp_path / name / f"{number}.jpg", number, (200, 160))
    reduced = replace(PREPROCESSING, jpeg_scaling="reduced")
    assert (PREPROCESSING.least_decoded_px, reduced.least_decoded_px) == (0, 32)
    data = spec(tmp_path, validation_fraction=0.0, test_fraction=0.0)
    whole, shrunk = (open_data(data).load(["train"], preprocessing) for preprocessing in (PREPROCESSING, reduced))
    images = shrunk.splits["train"].images.read(np.arange(6))
    assert shrunk.fingerprint == whole.fingerprint
    assert not np.array_equal(images, whole.splits["train"].images.read(np.arange(6)))
    streamed = open_data(replace(data, max_memory_bytes=0)).load(["train"], reduced)
    assert np.array_equal(streamed.splits["train"].images.read(np.arange(6)), images)
    decoded = decode(tmp_path / "cat" / "0.jpg", Limits(), 3, 32)
    assert decoded.size == (50, 40)
    assert np.array_equal(prepare_whole(np.array(decoded), reduced), images[0])


@pytest.mark.parametrize("max_memory_bytes", [0, 10**9])
def test_batches_come_in_the_memory_layout_of_the_networks(folder: Path, max_memory_bytes: int) -> None:
    split = open_data(spec(folder, max_memory_bytes=max_memory_bytes)).load(["train"], PREPROCESSING).splits["train"]
    assert split.images.read(np.array([3, 0, 7])).transpose(0, 2, 3, 1).flags.c_contiguous


def test_where_test_images_have_no_labels_others_are_held_back_from_train(folder: Path) -> None:
    for name in ("cat", "dog"):
        shutil.move(folder / name, folder / "train" / name)
    save(folder / "test" / "1.png", 7)
    source = open_data(spec(folder))
    assert source.split_sizes == {"train": 30, "val": 4, "test": 6}
    assert "images for test are held back from train" in source.told()
    assert open_data(spec(folder, test_fraction=0.0)).split_sizes == {"train": 36, "val": 4}


def test_what_was_found_is_told_with_names_that_can_be_told_apart(tmp_path: Path) -> None:
    for name in ("cat", "cat ", "b\u200bat", "x, y"):
        save(tmp_path / name / "1.png", 1)
    (tmp_path / "cat" / "notes.txt").touch()
    classes, ignored = open_data(spec(tmp_path, layout="classes", validation_fraction=0.0)).told()
    assert classes == "4 classes: b\\u200bat, cat, 'cat ', 'x, y' (4 images)"
    assert ignored == "1 file is hidden, or known to be no image, and ignored"
    many = replace(open_data(DataSpec("digits")), class_names=tuple(map(str, range(100))))
    assert many.told()[0].endswith("10, 11, … and 88 more (train 1,293, val 145, test 359)")


def test_a_layout_of_what_is_no_folder_has_no_effect_and_that_is_told() -> None:
    loaded = open_data(DataSpec("digits", layout="classes")).load(["val"], GREY)
    assert loaded.warnings == ("data.layout has no effect: digits is no image folder",)
