"""Decoded images kept on the disk: the same as decoded ones, and never older than their files."""

import errno
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from PIL import Image, ImageFile

from resnetkit.data import cache, cache_folder, cache_format
from resnetkit.data.cache_format import DamagedFile, PackedImages, open_packed
from resnetkit.data.loading import open_data
from resnetkit.data.prepared_images import FolderImages
from resnetkit.data.source import BadImagesError
from resnetkit.data.spec import DataSpec
from resnetkit.data.types import LoadedData
from resnetkit.errors import ResnetkitError
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import ArrayImages, UnreadableImage

ALL = ("train", "val", "test")
PREPROCESSING = Preprocessing(12, 16)


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (18, 24, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSpec:
    """Two classes of 20 images, and a folder for the cache. What was written before a run counts as long unchanged."""
    monkeypatch.setattr(cache, "CLOCK_STEP_NS", 0)
    for number in range(20):
        save(tmp_path / "photos" / "cat" / f"{number}.png", number)
        save(tmp_path / "photos" / "dog" / f"{number}.jpg", 100 + number)
    return DataSpec(str(tmp_path / "photos"), cache=str(tmp_path / "cache"), num_workers=2)


def load(spec: DataSpec, preprocessing: Preprocessing = PREPROCESSING) -> LoadedData:
    return open_data(spec).load(ALL, preprocessing)


def pixels(data: LoadedData) -> dict[str, np.ndarray]:
    return {name: split.images.read(np.arange(len(split))) for name, split in data.splits.items()}


def assert_same(first: LoadedData, second: LoadedData) -> None:
    assert first.fingerprint == second.fingerprint
    assert first.bad_images == second.bad_images
    for split, other in zip(first.splits.values(), second.splits.values(), strict=True):
        assert np.array_equal(split.labels, other.labels)
        assert np.array_equal(split.aspect_ratios, other.aspect_ratios)
        assert np.array_equal(split.digests, other.digests)
        assert split.identifiers == other.identifiers
    for these, those in zip(pixels(first).values(), pixels(second).values(), strict=True):
        assert np.array_equal(these, those)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was decoded."""
    contents: list[bytes] = []
    real = FolderImages.examine_content

    def watched(images: FolderImages, content: bytes) -> object:
        contents.append(content)
        return real(images, content)

    monkeypatch.setattr(FolderImages, "examine_content", watched)
    return contents


def files(spec: DataSpec) -> list[Path]:
    return sorted(Path(spec.cache).iterdir())


# --- the same images ---


@pytest.mark.parametrize("max_memory_bytes", [0, 10**9])
def test_a_second_run_decodes_nothing_and_sees_the_same(
    spec: DataSpec, max_memory_bytes: int, decoded: list[bytes]
) -> None:
    spec = replace(spec, max_memory_bytes=max_memory_bytes)
    expected = load(replace(spec, cache="off"))
    decoded.clear()
    first = load(spec)
    assert len(decoded) == 40
    decoded.clear()
    second = load(spec)
    assert not decoded
    for data in (first, second):
        assert_same(data, expected)
        assert data.warnings == ()
        assert isinstance(data.splits["train"].images, ArrayImages if max_memory_bytes else PackedImages)
    assert [path.name.split("-")[0] for path in files(spec)] == ["test", "train", "val"]


def test_what_was_kept_for_memory_serves_without_it(spec: DataSpec, decoded: list[bytes]) -> None:
    first = load(spec)
    decoded.clear()
    assert_same(load(replace(spec, max_memory_bytes=0)), first)
    assert not decoded


def test_mapped_images_cannot_be_overwritten(spec: DataSpec) -> None:
    for _ in range(2):
        images = load(replace(spec, max_memory_bytes=0)).splits["train"].images
        assert isinstance(images, PackedImages)
        with pytest.raises(ValueError, match="read-only"):
            images.pixels[0, 0, 0, 0] = 1


def test_other_settings_have_other_files(spec: DataSpec, decoded: list[bytes]) -> None:
    load(spec)
    padded = replace(PREPROCESSING, fit="pad")
    for changed in (
        replace(PREPROCESSING, resize_px=20),
        replace(PREPROCESSING, interpolation="bicubic"),
        replace(PREPROCESSING, fit="squeeze"),
        replace(PREPROCESSING, white_16bit=1023),
        padded,
        replace(padded, mean=(0.1, 0.2, 0.3)),
    ):
        decoded.clear()
        assert_same(load(spec, changed), load(replace(spec, cache="off"), changed))
        assert len(decoded) == 80
    decoded.clear()
    load(replace(spec, limits=Limits(max_pixels=10**5)))
    assert len(decoded) == 40
    decoded.clear()
    load(spec, replace(PREPROCESSING, mean=(0.5, 0.5, 0.5)))
    assert not decoded, "that concerns a later step"


# --- files that change ---


def swap(one: Path, other: Path) -> None:
    one.rename(one.with_name("aside"))
    other.rename(one)
    one.with_name("aside").rename(other)


CHANGES: dict[str, Callable[[Path], object]] = {
    "another picture": lambda cat: save(cat / "3.png", 999),
    "a new file": lambda cat: save(cat / "new.png", 999),
    "a renamed file": lambda cat: (cat / "3.png").rename(cat / "33.png"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_files_are_decoded_again_and_only_those(spec: DataSpec, name: str, decoded: list[bytes]) -> None:
    spec = replace(spec, validation_fraction=0.0, test_fraction=0.0)
    before = load(spec)
    CHANGES[name](Path(spec.source) / "cat")
    expected = load(replace(spec, cache="off"))
    decoded.clear()
    changed = load(spec)
    assert len(decoded) == 1
    assert_same(changed, expected)
    assert changed.fingerprint != before.fingerprint
    (note,) = changed.warnings
    assert note.startswith("1 images are not in the cache")
    decoded.clear()
    assert load(spec).warnings == ()
    assert not decoded


def test_removed_files_need_no_decoding(spec: DataSpec, decoded: list[bytes]) -> None:
    spec = replace(spec, validation_fraction=0.0, test_fraction=0.0, max_memory_bytes=0)
    load(spec)
    (Path(spec.source) / "cat" / "7.png").unlink()
    decoded.clear()
    data = load(spec)
    assert not decoded
    assert_same(data, load(replace(spec, cache="off")))


def test_a_touched_file_is_known_by_its_hash(spec: DataSpec, decoded: list[bytes]) -> None:
    first = load(spec)
    for path in Path(spec.source).rglob("*.png"):
        os.utime(path, (2e9, 2e9))
    decoded.clear()
    assert_same(load(spec), first)
    assert not decoded


def test_unchanged_files_are_not_read(spec: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(spec)
    monkeypatch.setattr(FolderImages, "content", None)
    assert_same(load(spec), first)


@pytest.mark.parametrize("way", ["written", "swapped"])
def test_a_change_that_left_size_and_time_of_the_content_is_seen(spec: DataSpec, way: str) -> None:
    """As unpacking an archive does, or renaming."""
    spec = replace(spec, validation_fraction=0.0, test_fraction=0.0)
    one, other = (Path(spec.source) / "cat" / name for name in ("one.bmp", "other.bmp"))
    for seed, path in enumerate((one, other)):
        save(path, seed)
        os.utime(path, (1e9, 1e9))
    first, state = load(spec), one.stat()
    if way == "written":
        save(one, 2)
        os.utime(one, (1e9, 1e9))
    else:
        swap(one, other)
    assert (one.stat().st_size, one.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    changed = load(spec)
    assert_same(changed, load(replace(spec, cache="off")))
    assert changed.fingerprint != first.fingerprint


def test_a_change_too_quick_for_the_clock_is_seen(spec: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same size and the same time of change, which was just before it was read."""
    monkeypatch.undo()
    just_now = time.time_ns()
    monkeypatch.setattr(cache, "state_of", lambda path: (1, just_now))
    first = load(spec)
    save(Path(spec.source) / "cat" / "3.png", 999)
    assert load(spec).fingerprint != first.fingerprint


# --- bad images ---


@pytest.mark.parametrize("max_memory_bytes", [0, 10**9])
def test_bad_images_are_remembered_with_their_reasons(
    spec: DataSpec, max_memory_bytes: int, decoded: list[bytes]
) -> None:
    spec = replace(spec, max_memory_bytes=max_memory_bytes)
    folder = Path(spec.source)
    good = (folder / "dog" / "0.jpg").read_bytes()
    (folder / "cat" / "cut.jpg").write_bytes(good[:200])
    (folder / "dog" / "empty.jpg").touch()
    with pytest.raises(BadImagesError) as caught:
        load(spec)
    spec = replace(spec, on_bad_image="skip")
    expected = load(replace(spec, cache="off"))
    decoded.clear()
    data = load(spec)
    assert not decoded
    assert_same(data, expected)
    assert data.bad_images == caught.value.bad_images
    (folder / "cat" / "cut.jpg").write_bytes(good)
    assert len(load(spec).bad_images) == 1, "a mended file is seen"


def test_bad_images_stay_remembered_when_the_cache_is_written_anew(spec: DataSpec, decoded: list[bytes]) -> None:
    spec = replace(spec, validation_fraction=0.0, test_fraction=0.0, on_bad_image="skip")
    cat = Path(spec.source) / "cat"
    (cat / "cut.png").write_bytes((cat / "0.png").read_bytes()[:200])
    load(spec)
    save(cat / "3.png", 999)
    assert load(spec).warnings
    decoded.clear()
    assert len(load(spec).bad_images) == 1
    assert not decoded


@pytest.mark.parametrize("max_memory_bytes", [0, 10**9])
def test_a_file_that_could_not_be_read_is_tried_again(
    spec: DataSpec, max_memory_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing need have changed since: a disk may fail once."""
    spec = replace(spec, max_memory_bytes=max_memory_bytes, on_bad_image="skip")
    expected = load(replace(spec, cache="off"))
    with monkeypatch.context() as patch:
        real = FolderImages.content

        def failing(images: FolderImages, index: int) -> bytes:
            if images.paths[index] == "cat/3.png":
                raise UnreadableImage("cannot be opened (Input/output error)")
            return real(images, index)

        patch.setattr(FolderImages, "content", failing)
        assert len(load(spec).bad_images) == 1
        assert len(load(spec).bad_images) == 1
        (told,) = load(spec).warnings
        assert "cat/3.png cannot be opened" in told, "the cache holds all that can be read, and has nothing to tell"
    assert_same(load(spec), expected)
    assert load(spec).warnings == ()


def test_a_lack_of_memory_is_not_remembered(spec: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = replace(spec, on_bad_image="skip")
    expected = load(replace(spec, cache="off"))
    with monkeypatch.context() as patch:
        real, failures = ImageFile.ImageFile.load, iter([MemoryError()])

        def failing(image: ImageFile.ImageFile) -> object:
            for failure in failures:
                raise failure
            return real(image)

        patch.setattr(ImageFile.ImageFile, "load", failing)
        (bad_image,) = load(spec).bad_images
        assert bad_image.reason == "does not fit in memory"
    assert_same(load(spec), expected)


# --- damage, full disks, company ---


def spoil_byte(path: Path, position: int) -> None:
    with open(path, "r+b") as file:
        file.seek(position, os.SEEK_END if position < 0 else os.SEEK_SET)
        (byte,) = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut short": (lambda path: os.truncate(path, path.stat().st_size - 3), "is cut short or of another kind; it is"),
    "empty": (lambda path: os.truncate(path, 0), "is cut short or of another kind; it is"),
    "another file": (lambda path: path.write_text("hello" * 100), "is cut short or of another kind; it is"),
    "mark": (lambda path: spoil_byte(path, -1), "is cut short or of another kind; it is"),
    "length": (lambda path: spoil_byte(path, -10), "has a damaged description"),
    "description": (lambda path: spoil_byte(path, -16 - 2), "has a damaged description"),
    "table": (lambda path: spoil_byte(path, 30 * 16 * 16 * 3 + 100), "has a damaged table; it is"),
    "pixels": (lambda path: spoil_byte(path, 1000), "1 images in the cache"),
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("max_memory_bytes", [0, 10**9])
def test_a_damaged_file_is_noticed_and_written_anew(
    spec: DataSpec, name: str, max_memory_bytes: int, decoded: list[bytes]
) -> None:
    spec = replace(spec, max_memory_bytes=max_memory_bytes)
    load(spec)
    expected = load(replace(spec, cache="off"))
    damage, message = DAMAGE[name]
    damage(next(path for path in files(spec) if path.name.startswith("train")))
    decoded.clear()
    data = load(spec)
    assert_same(data, expected)
    assert len(decoded) == (1 if name == "pixels" else len(data.splits["train"]))
    (note,) = data.warnings
    assert message in note
    decoded.clear()
    assert load(spec).warnings == ()
    assert not decoded


def test_a_full_disk_is_told_and_nothing_is_lost(spec: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load(replace(spec, cache="off"))

    def no_room(descriptor: int, num_bytes: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_format, "_allocate", no_room)
    for max_memory_bytes, kind in ((10**9, ArrayImages), (0, FolderImages)):
        data = load(replace(spec, max_memory_bytes=max_memory_bytes))
        assert_same(data, expected)
        assert isinstance(data.splits["train"].images, kind)
        assert len(data.warnings) == 3
        assert data.warnings[0] == f"the decoded images cannot be kept in {spec.cache}: No space left on device"
    assert files(spec) == []


def test_a_failure_while_finishing_leaves_the_old_file(spec: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    load(spec)
    before = {path: path.read_bytes() for path in files(spec)}
    save(Path(spec.source) / "cat" / "3.png", 999)
    expected = load(replace(spec, cache="off"))

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(cache_format.os, "fsync", failing)
    data = load(spec)
    assert_same(data, expected)
    assert any("Input/output error" in note for note in data.warnings)
    assert {path: path.read_bytes() for path in files(spec)} == before


def test_who_reads_the_old_file_keeps_it_while_another_writes(spec: DataSpec) -> None:
    spec = replace(spec, max_memory_bytes=0)
    load(spec)
    reader = load(spec)
    before = pixels(reader)
    for path in Path(spec.source).rglob("*.png"):
        save(path, 500)
    load(spec)
    for name, these in pixels(reader).items():
        assert np.array_equal(these, before[name])


def test_files_nobody_used_for_a_month_are_removed(spec: DataSpec) -> None:
    load(spec)
    long_unused = Path(spec.cache) / f"train-{'0' * 24}.packed"
    half_written = Path(spec.cache) / f".train-{'0' * 24}.packed.{'1' * 16}"
    foreign = Path(spec.cache) / "thesis.packed"
    for path in (long_unused, half_written, foreign):
        path.touch()
        os.utime(path, (1e9, 1e9))
    load(spec, replace(PREPROCESSING, resize_px=20))
    assert not long_unused.exists()
    assert not half_written.exists()
    assert foreign.exists()
    assert len(files(spec)) == 7


# --- when it is used ---


def test_auto_keeps_what_is_worth_it_where_there_is_room(
    spec: DataSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(spec, cache="auto")
    home = tmp_path / "home"
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: home / name)
    load(spec)
    assert not home.exists(), "a few images are decoded faster than they are found"
    monkeypatch.setattr(cache, "WORTHWHILE_BYTES", 10_000)
    monkeypatch.setattr(cache_folder, "FREE_SHARE", 0.0)
    load(spec)
    assert not home.exists(), "there is no room"
    monkeypatch.setattr(cache_folder, "FREE_SHARE", 0.5)
    load(spec)
    assert [path.name.split("-")[0] for path in (home / "resnetkit" / "images").iterdir()] == ["train"]


def test_off_keeps_nothing_and_nothing_is_no_folder(spec: DataSpec) -> None:
    load(replace(spec, cache="off"))
    assert not Path(spec.cache).exists()
    with pytest.raises(ResnetkitError, match=r"data\.cache must be auto, off or a folder"):
        replace(spec, cache="")


def test_a_file_of_another_kind_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 5)
    with pytest.raises(DamagedFile, match="cut short"):
        open_packed(tmp_path / "file")
