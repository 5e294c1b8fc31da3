"""Named data sets: where files are looked for, how they are downloaded, and that a wrong one is never used."""

import gzip
import hashlib
import io
import os
import struct
import tarfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from resnetkit.data import dataset_files, formats
from resnetkit.data.dataset_files import read_named
from resnetkit.data.datasets import DATASETS, DataFile, NamedData
from resnetkit.data.download import fetch_file
from resnetkit.errors import Code, ResnetkitError


def idx(values: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}i", *values.shape) + values.tobytes()


GENERATOR = np.random.default_rng(0)
PIXELS = {split: GENERATOR.integers(0, 256, (count, 5, 5), dtype=np.uint8) for split, count in (("a", 400), ("b", 3))}
LABELS = {split: GENERATOR.integers(0, 2, len(pixels), dtype=np.uint8) for split, pixels in PIXELS.items()}
CONTENTS = {f"{split}-{kind}": idx(table[split]) for split in "ab" for kind, table in (("x", PIXELS), ("y", LABELS))}


def file_of(name: str) -> DataFile:
    return DataFile(name, "sha256:" + hashlib.sha256(CONTENTS[name]).hexdigest())


TINY = NamedData(
    name="tiny_set",
    class_names=("no", "yes"),
    channels=1,
    image_size_px=5,
    mean=(0.5,),
    std=(0.5,),
    may_be_mirrored=True,
    files={"train": (file_of("a-x"), file_of("a-y")), "test": (file_of("b-x"), file_of("b-y"))},
    read=formats.read_idx,
    folders=("tiny-set",),
    hint="on paper: draw it",
)


def packed_archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in CONTENTS.items():
            member = tarfile.TarInfo(f"some-folder/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = packed_archive()
PACKED = replace(TINY, archive=DataFile("tiny.tar.gz", "md5:" + hashlib.md5(ARCHIVE).hexdigest()))


@pytest.fixture(autouse=True)
def nothing_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RESNETKIT_DATA", raising=False)
    monkeypatch.setattr(dataset_files, "SYSTEM_FOLDER", tmp_path / "system")


def provide(folder: Path, *, packed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in CONTENTS.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)


def assert_is_tiny(splits: dict) -> None:
    for split, letter in (("train", "a"), ("test", "b")):
        pixels, labels = splits[split]
        assert np.array_equal(pixels, PIXELS[letter][:, None])
        assert np.array_equal(labels, LABELS[letter])
        assert labels.dtype == np.int64


def refusal(data: NamedData, data_dir: Path | None) -> ResnetkitError:
    with pytest.raises(ResnetkitError) as caught:
        read_named(data, data_dir and str(data_dir))
    assert caught.value.code == Code.DATA
    return caught.value


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", ["own", "own/tiny_set", "own/tiny-set", "env/tiny_set", "env", "system/tiny-set"])
@pytest.mark.parametrize("cache", [False, True])
def test_files_are_found_in_every_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, packed: bool, cache: bool
) -> None:
    monkeypatch.setenv("RESNETKIT_DATA", str(tmp_path / "env"))
    provide(tmp_path / ("cache/resnetkit/tiny_set" if cache else place), packed=packed)
    assert_is_tiny(read_named(TINY, str(tmp_path / "own")))


def test_the_archive_is_read_without_unpacking_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.tar.gz").write_bytes(ARCHIVE)
    assert_is_tiny(read_named(PACKED, str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.tar.gz"]


def test_a_file_with_the_wrong_content_is_named_and_never_used(tmp_path: Path) -> None:
    provide(tmp_path / "tiny_set")
    provide(tmp_path / "cache/resnetkit/tiny_set")
    wrong = tmp_path / "tiny_set" / "a-y"
    wrong.write_bytes(idx(1 - LABELS["a"]))
    assert str(wrong) in refusal(TINY, tmp_path).what


def test_a_damaged_packed_file_is_named(tmp_path: Path) -> None:
    provide(tmp_path, packed=True)
    for content in (b"no gzip", gzip.compress(CONTENTS["b-x"])[:-9]):
        (tmp_path / "b-x.gz").write_bytes(content)
        assert str(tmp_path / "b-x.gz") in refusal(TINY, tmp_path).what


def test_an_archive_that_lacks_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tiny.tar.gz").write_bytes(ARCHIVE)
    more = replace(PACKED, files={**PACKED.files, "more": (DataFile("c-x", "sha256:00"),)})
    assert refusal(more, tmp_path).what == f"{tmp_path / 'tiny.tar.gz'} lacks c-x"


def test_without_files_and_network_one_error_says_it_all(tmp_path: Path) -> None:
    provide(tmp_path / "own")
    (tmp_path / "own" / "b-y").unlink()
    error = refusal(replace(TINY, mirrors=("http://127.0.0.1:9/",)), tmp_path / "own")
    for place in (tmp_path / "own/tiny_set", tmp_path / "own/tiny-set", tmp_path / "cache", tmp_path / "system"):
        assert str(place) in error.why
    assert f"{tmp_path / 'own'} (lacks b-y)" in error.why
    assert "http://127.0.0.1:9/" in error.why
    for part in ("a-x, a-y, b-x, b-y", "--data-dir", "RESNETKIT_DATA", TINY.hint):
        assert part in error.fix


@dataclass
class Mirror:
    """A loopback server: files by path, what was asked of it, and after how many bytes it hangs up."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    hang_up_after: int | None = None
    can_resume: bool = True


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None: ...

        def do_GET(self) -> None:
            name, asked = self.path.lstrip("/"), self.headers.get("Range")
            state.requests.append((name, asked))
            if name not in state.files:
                self.send_error(404)
                return
            content, start = state.files[name], 0
            if asked and state.can_resume:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            stop, state.hang_up_after = state.hang_up_after, None
            self.wfile.write(content[start : len(content) if stop is None else start + stop])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Mirror(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def packed_files(mirror: Mirror) -> dict[str, bytes]:
    mirror.files = {f"{name}.gz": gzip.compress(content, mtime=7) for name, content in CONTENTS.items()}
    return mirror.files


def test_missing_files_are_downloaded_once(tmp_path: Path, mirror: Mirror, packed_files: dict[str, bytes]) -> None:
    data = replace(TINY, mirrors=(mirror.address,))
    assert_is_tiny(read_named(data, str(tmp_path)))
    assert sorted(path.name for path in (tmp_path / "tiny_set").iterdir()) == sorted(packed_files)
    assert len(mirror.requests) == 4
    assert_is_tiny(read_named(data, str(tmp_path)))
    assert len(mirror.requests) == 4


def test_the_user_cache_is_the_default_place(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files = {"tiny.tar.gz": ARCHIVE}
    assert_is_tiny(read_named(replace(PACKED, mirrors=(mirror.address,)), None))
    assert (tmp_path / "cache/resnetkit/tiny_set/tiny.tar.gz").read_bytes() == ARCHIVE


def test_the_next_mirror_is_tried(tmp_path: Path, mirror: Mirror, packed_files: dict[str, bytes]) -> None:
    dead = "http://127.0.0.1:9/"
    assert_is_tiny(read_named(replace(TINY, mirrors=(dead, mirror.address)), str(tmp_path)))


def test_a_broken_connection_is_resumed(tmp_path: Path, mirror: Mirror, packed_files: dict[str, bytes]) -> None:
    mirror.hang_up_after = 1000
    assert_is_tiny(read_named(replace(TINY, mirrors=(mirror.address,)), str(tmp_path)))
    assert mirror.requests[:2] == [("a-x.gz", None), ("a-x.gz", "bytes=1000-")]


def test_a_download_of_an_earlier_run_is_resumed(
    tmp_path: Path, mirror: Mirror, packed_files: dict[str, bytes]
) -> None:
    (tmp_path / "tiny_set").mkdir()
    (tmp_path / "tiny_set" / "a-x.gz.part").write_bytes(packed_files["a-x.gz"][:500])
    (tmp_path / "tiny_set" / "a-y.gz.part").write_bytes(packed_files["a-y.gz"])
    assert_is_tiny(read_named(replace(TINY, mirrors=(mirror.address,)), str(tmp_path)))
    assert ("a-x.gz", "bytes=500-") in mirror.requests
    assert not list((tmp_path / "tiny_set").glob("*.part"))


@pytest.mark.parametrize("can_resume", [False, True])
def test_a_part_of_something_else_is_thrown_away(
    tmp_path: Path, mirror: Mirror, packed_files: dict[str, bytes], can_resume: bool
) -> None:
    mirror.can_resume = can_resume
    (tmp_path / "tiny_set").mkdir()
    (tmp_path / "tiny_set" / "a-x.gz.part").write_bytes(b"something else")
    assert_is_tiny(read_named(replace(TINY, mirrors=(mirror.address,)), str(tmp_path)))
    assert [name for name, _ in mirror.requests].count("a-x.gz") == (2 if can_resume else 1)


def test_a_download_with_the_wrong_hash_is_refused(
    tmp_path: Path, mirror: Mirror, packed_files: dict[str, bytes]
) -> None:
    packed_files["b-x.gz"] = gzip.compress(CONTENTS["b-x"] + b"!")
    error = refusal(replace(TINY, mirrors=(mirror.address,)), tmp_path)
    assert f"{mirror.address}b-x.gz: the content is not the expected one (wrong hash)" in error.why
    assert not list((tmp_path / "tiny_set").glob("b-x*"))


def test_of_several_that_want_a_file_one_downloads_it(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files = {"big": b"content"}

    def is_right(path: Path, _: str | None) -> bool:
        time.sleep(0.1)  # so that all have begun
        return path.read_bytes() == b"content"

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: fetch_file([f"{mirror.address}big"], tmp_path / "new" / "big", is_right), range(3)))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["big"]
    assert len(mirror.requests) == 1


def test_a_missing_file_on_the_server_is_reported(tmp_path: Path, mirror: Mirror) -> None:
    assert "the server answered 404" in refusal(replace(TINY, mirrors=(mirror.address,)), tmp_path).why


def test_cifar_records_are_split_into_labels_and_planes() -> None:
    records = np.arange(2 * 3074, dtype=np.int64).astype(np.uint8).reshape(2, 3074)
    records[:, :2] = [[1, 7], [0, 99]]
    pixels, labels = formats.read_cifar100("train", [records.tobytes()])
    assert labels.tolist() == [7, 99]
    assert np.array_equal(pixels[1, 2].ravel(), records[1, 2 + 2048 :])
    pixels, labels = formats.read_cifar10("train", [records[0, 1:].tobytes(), records[1, 1:].tobytes()])
    assert labels.tolist() == [7, 99]
    assert np.array_equal(pixels[0, 0].ravel(), records[0, 2 : 2 + 1024])


def test_digits_are_split_the_same_way_for_every_class() -> None:
    splits = read_named(DATASETS["digits"], None)
    train, test = splits["train"], splits["test"]
    assert train[0].shape[1:] == (1, 8, 8)
    assert len(train[1]) + len(test[1]) == 1797
    fractions = np.bincount(test[1]) / (np.bincount(test[1]) + np.bincount(train[1]))
    assert np.abs(fractions - 0.2).max() < 0.005
    assert set(np.unique(train[0])) == {int(16 * 0 + level * 255 / 16 + 0.5) for level in range(17)}


@pytest.mark.parametrize("data", DATASETS.values(), ids=list(DATASETS))
def test_the_table_is_consistent(data: NamedData) -> None:
    assert len(set(data.class_names)) == len(data.class_names) == {"cifar100": 100}.get(data.name, 10)
    assert list(data.files) == ["train", "test"]
    for file in [*sum(data.files.values(), ()), *([data.archive] if data.archive else [])]:
        kind, digest = file.digest.split(":")
        assert len(bytes.fromhex(digest)) == hashlib.new(kind).digest_size
    assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in data.mirrors)


@pytest.mark.skipif(not Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="Debian's files are not here")
def test_fashion_mnist_of_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_files, "SYSTEM_FOLDER", Path("/usr/share/datasets"))
    splits = read_named(DATASETS["fashion_mnist"], None)
    assert splits["train"][0].shape == (60_000, 1, 28, 28)
    assert np.bincount(splits["test"][1]).tolist() == [1000] * 10


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads names of open files from /proc")
def test_a_download_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, str]] = []
    synced, replaced = os.fsync, os.replace

    def note_sync(descriptor: int) -> None:
        done.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append(("rename", b.name)), replaced(a, b)))
    source = tmp_path / "there"
    source.write_bytes(b"content")
    fetch_file([source.as_uri()], tmp_path / "cache" / "file", lambda path, _: path.read_bytes() == b"content")
    assert done == [("sync", "file.part"), ("rename", "file"), ("sync", "cache")]
