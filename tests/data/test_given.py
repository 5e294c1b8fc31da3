"""Images that a program holds are data as a folder's are: the same pixels, splits, checks and refusals."""

import tracemalloc
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.data.given import GivenData, ListedImages
from resnetkit.data.loading import open_data
from resnetkit.data.prepared_images import PixelImages
from resnetkit.data.source import BadImagesError, DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.images.image_inputs import take_images
from resnetkit.images.prepared_pixels import prepare_seen
from resnetkit.images.spec import Preprocessing

NAMES = ("cat", "dog")
SEEN = Preprocessing(8, 10)
GREY = Preprocessing(8, 10, 1, (0.5,), (0.5,))


@pytest.fixture
def photos() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 12, 16, 3), dtype=np.uint8)


def given(images: object, **settings: object) -> DataSource:
    taken = take_images(images)
    labels = np.arange(len(taken), dtype=np.int64) % 2
    data = GivenData(taken, labels, NAMES)
    return open_data(DataSpec("given", **{"test_fraction": 0.0, **settings}), given=data)  # type: ignore[arg-type]


def pixels(source: DataSource, preprocessing: Preprocessing, split: str = "train") -> np.ndarray:
    loaded = source.load((split,), preprocessing)
    return loaded.splits[split].images.read(np.arange(len(loaded.splits[split])))


def encoded(image: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def test_nothing_is_held_back_for_a_test_unless_asked(photos: np.ndarray) -> None:
    assert given(photos).split_sizes == {"train": 18, "val": 2}
    assert given(photos, validation_fraction=0.0).split_sizes == {"train": 20}
    assert given(photos, test_fraction=0.2).split_sizes == {"train": 14, "val": 2, "test": 4}
    assert given(photos, max_train_images=7).split_sizes == {"train": 7, "val": 2}
    assert GivenData(photos, np.zeros(20, np.int64), ("cat",)).spec.test_fraction == 0


@pytest.mark.parametrize("kind", ["colour", "grey"])
def test_to_prepare_an_array_anew_copies_none_of_it(photos: np.ndarray, kind: str) -> None:
    array = photos if kind == "colour" else np.ascontiguousarray(photos[..., 0])
    channels_first = array.transpose(0, 3, 1, 2) if kind == "colour" else array[:, None]
    source = given(array)
    for split, listing in source.listings.items():
        rows = list(map(int, listing.identifiers))
        whole = listing.prepared(lambda image, wanted: image, SEEN)
        some = whole.select(np.array([1, 0]))
        assert isinstance(whole, PixelImages)
        for images in (whole, some):
            assert np.shares_memory(images.stored, array), split
        assert np.array_equal(whole.as_array(), channels_first[rows])
        assert np.array_equal(some.select(np.array([1])).as_array(), channels_first[rows[:1]])


@pytest.mark.parametrize("seen", [SEEN, Preprocessing(64, 64)], ids=["prepared", "as they are"])
def test_to_read_a_few_of_an_array_copies_no_others_however_it_lies_in_memory(seen: Preprocessing) -> None:
    """As tensors lie, and colours turned round: an array of millions is read a few at a time."""
    draw = np.random.default_rng(0)
    for array in (
        draw.integers(0, 256, (200, 3, 64, 64), dtype=np.uint8).transpose(0, 2, 3, 1),
        draw.integers(0, 256, (200, 64, 64, 3), dtype=np.uint8)[..., ::-1],
    ):
        images = given(array, validation_fraction=0.0).listings["train"].prepared(prepare_seen, seen)
        images.read(np.array([0]))
        tracemalloc.start()
        try:
            read = images.read(np.array([7, 3]))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < array.nbytes / 4
        assert read.transpose(0, 2, 3, 1).flags.c_contiguous, "channels last"
        if seen is not SEEN:
            assert np.array_equal(read, array[[7, 3]].transpose(0, 3, 1, 2))


@pytest.mark.parametrize("keep", [10**9, 0])
def test_the_same_images_in_any_form_have_the_same_pixels(photos: np.ndarray, tmp_path: Path, keep: int) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(len(photos))]
    for path, image in zip(paths, photos, strict=True):
        path.write_bytes(encoded(image))
    forms = {
        "array": photos,
        "paths": paths,
        "texts": np.array([str(path) for path in paths]),
        "bytes": [encoded(image) for image in photos],
        "opened": [Image.open(path) for path in paths],
        "images": [Image.fromarray(image) for image in photos],
        "arrays": list(photos),
        "floats": photos / 255,
        "low precision": (photos / 255).astype(np.float16),
    }
    whole = {"validation_fraction": 0.0, "max_memory_bytes": keep}
    read = {name: pixels(given(images, **whole), SEEN) for name, images in forms.items()}
    for name, found in read.items():
        np.testing.assert_array_equal(found, read["array"], err_msg=name)
    digests = [given(images, **whole).load(("train",), SEEN).splits["train"].digests for images in forms.values()]
    assert len({tuple(each.tolist()) for each in digests}) == 1


@pytest.mark.parametrize("form", ["array", "paths", "bytes", "opened", "images"])
def test_the_same_images_are_in_one_fold(form: str, photos: np.ndarray, tmp_path: Path) -> None:
    photos[10:] = photos[:10]
    paths = [tmp_path / f"{number}.png" for number in range(len(photos))]
    for path, image in zip(paths, photos, strict=True):
        path.write_bytes(encoded(image))
    forms = {
        "array": lambda: photos,
        "paths": lambda: paths,
        "bytes": lambda: [path.read_bytes() for path in paths],
        "opened": lambda: [Image.open(path) for path in paths],
        "images": lambda: [Image.fromarray(image) for image in photos],
    }
    names = [str(path) for path in paths] if form == "paths" else [str(number) for number in range(20)]
    tested = []
    for number in range(5):
        test = given(forms[form](), num_folds=5, fold=number).listings["test"].identifiers
        rows = sorted(names.index(name) for name in test)
        assert rows[len(rows) // 2 :] == [row + 10 for row in rows[: len(rows) // 2]]
        tested += rows
    assert sorted(tested) == list(range(20))


def test_unreadable_images_stand_alone_in_folds(photos: np.ndarray) -> None:
    images = [Image.fromarray(image) for image in photos]
    images[0] = images[1] = Image.open(BytesIO(encoded(photos[0])[:-200]))
    tests = [given(images, num_folds=5, fold=number).listings["test"].identifiers for number in range(5)]
    assert sorted(int(name) for test in tests for name in test) == list(range(20))


def test_images_of_a_program_are_not_told_of_as_a_folder(photos: np.ndarray) -> None:
    photos[:] = photos[0]
    advice = given(photos).load(("train", "val"), SEEN).warnings[-1]
    assert advice == "resnetkit.audit.auditing.audit_data shows them, and those that only look the same"


def test_grey_arrays_have_one_channel_with_or_without_an_axis(photos: np.ndarray) -> None:
    flat, deep = given(photos[..., 0]), given(photos[..., :1])
    assert (flat.channels, deep.channels, given(photos).channels) == (1, 1, 3)
    np.testing.assert_array_equal(pixels(flat, GREY), pixels(deep, GREY))
    assert (flat.shapes.shorter_px, flat.shapes.longer_px) == (12, 16)


def test_channels_of_a_list_are_surveyed(photos: np.ndarray) -> None:
    grey = [Image.fromarray(image[..., 0]) for image in photos]
    assert given(grey).channels == 1
    assert given([*grey[1:], photos[0]]).channels == 3
    deep = [Image.fromarray(image[..., 0].astype(np.uint16) * 4) for image in photos]
    assert len(given(deep).sixteen_bit) == len(photos)


def test_unreadable_images_are_named(photos: np.ndarray, tmp_path: Path) -> None:
    images = [*photos, tmp_path / "none.png", b"nothing"]
    with pytest.raises(BadImagesError) as raised:
        given(images, validation_fraction=0.0).load(("train",), SEEN)
    assert [(bad.path, bad.reason[:14]) for bad in raised.value.bad_images] == [
        (str(tmp_path / "none.png"), "does not exist"),
        ("21", "is not a JPEG,"),
    ]
    loaded = given(images, validation_fraction=0.0, on_bad_image="skip").load(("train",), SEEN)
    assert len(loaded.splits["train"]) == 20
    with pytest.raises(BadImagesError):
        given([b"nothing", b"either"])


def test_an_image_that_changes_after_the_check_is_refused(photos: np.ndarray, tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(encoded(photos[number]))
    source = given(sorted(tmp_path.iterdir()), validation_fraction=0.0, max_memory_bytes=0)
    images = source.load(("train",), SEEN).splits["train"].images
    assert isinstance(images, ListedImages)
    (tmp_path / "2.png").write_bytes(b"something else")
    with pytest.raises(ResnetkitError, match="has changed since"):
        images.read(np.array([1, 2]))


def test_what_is_for_folders_has_no_effect_and_says_so(photos: np.ndarray) -> None:
    assert given(photos, layout="classes", cache="off").warnings == (
        "data.layout has no effect: the images are no folder",
        "data.cache has no effect: the images are no folder",
    )


@pytest.mark.parametrize(
    ("labels", "names", "said"),
    [([0, 1], NAMES, "20 images were given, and 2 labels"), ([0] * 20, ("a", "a"), "several classes are called")],
)
def test_what_does_not_fit_is_refused(photos: np.ndarray, labels: list[int], names: tuple[str, ...], said: str) -> None:
    with pytest.raises(ResnetkitError, match=said):
        GivenData(photos, np.array(labels), names)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((5, 64), np.uint8), r"got uint8 \(5, 64\)\n.*reshape"),
        (np.zeros((5, 3, 8, 8), np.uint8), "red, green and blue last"),
        (np.zeros((5, 8, 8, 4), np.uint8), "red, green and blue last"),
        (np.zeros((5, 0, 8), np.uint8), "an array of images was expected"),
        (np.zeros((5, 8, 8), np.int64), "got int64"),
        (np.zeros((5, 8, 8), np.uint16), "got uint16"),
        (np.full((5, 8, 8), 16.0), r"in \[0, 1\], got 16 to 16"),
        (np.full((5, 8, 8), -0.1), "got -0.1 to -0.1"),
        (np.full((5, 8, 8), np.nan), r"missing \(NaN\)"),
        (np.zeros(5), "an image was expected, got float"),
    ],
)
def test_arrays_that_could_mean_several_things_are_refused(array: np.ndarray, said: str) -> None:
    with pytest.raises(ResnetkitError, match=said):
        take_images(array)
