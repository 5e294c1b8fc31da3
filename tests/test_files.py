"""Durable writes: whole or not at all, in the order that survives a crash."""

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from resnetkit import files
from resnetkit.errors import Code, ResnetkitError
from resnetkit.files import (
    append_durably,
    check_new_folder,
    create_numbered_folder,
    durable_folder,
    io_errors,
    make_folder,
    sha256_of,
    sync_file,
    write_durably,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Disk:
    """The calls that decide what survives a crash, recorded, and failing where told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str]] = []
        self.fails_at: str | None = None
        for call in ("fsync", "replace", "rename"):
            monkeypatch.setattr(os, call, self._wrap(call, getattr(os, call)))

    def _wrap(self, call: str, real: object) -> object:
        def wrapped(target: object, *rest: object) -> object:
            name = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else str(target)
            self.calls.append((call, Path(name).name))
            if self.fails_at == call:
                raise OSError(errno.EIO, "input/output error")
            return real(target, *rest)  # type: ignore[operator]

        return wrapped


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads names of open files from /proc")


# --- one file ---


@needs_proc
def test_what_is_appended_is_on_the_disk(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "points"
    path.write_bytes(b"one\n")
    append_durably(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    assert disk.calls == [("fsync", "points")]
    with pytest.raises(ResnetkitError):
        append_durably(tmp_path / "not begun", b"two\n")
    disk.fails_at = "fsync"
    with pytest.raises(ResnetkitError):
        append_durably(path, b"three\n")


def test_content_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.json"
    write_durably(path, b"first")
    write_durably(path, b"second")
    assert path.read_bytes() == b"second"
    assert names(path.parent) == ["a.json"]


def test_a_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_durably(tmp_path / "a", b"")
        with durable_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o750


@needs_proc
def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path: Path, disk: Disk) -> None:
    write_durably(tmp_path / "a.json", b"content")
    calls = [call for call, _ in disk.calls]
    assert calls == ["fsync", "replace", "fsync"]
    assert disk.calls[0][1] == disk.calls[1][1] != "a.json"
    assert disk.calls[2][1] == tmp_path.name


@needs_proc
@pytest.mark.parametrize("fails_at", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path, disk: Disk, fails_at: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    disk.fails_at = fails_at
    with pytest.raises(ResnetkitError, match=r"cannot write .*a\.json") as raised:
        write_durably(path, b"new")
    assert raised.value.code is Code.IO
    assert "input/output error" in raised.value.why
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]
    assert [call for call, _ in disk.calls].count(fails_at) == 1, "an error of the disk is final, never retried"


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for call in (
        lambda: write_durably(tmp_path / "file" / "a", b""),
        lambda: create_numbered_folder(tmp_path / "file", "a"),
    ):
        with pytest.raises(ResnetkitError) as raised:
            call()
        assert raised.value.code is Code.IO


def test_writers_at_the_same_time_leave_one_whole_file(tmp_path: Path) -> None:
    contents = [bytes([number]) * 20_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write_durably(tmp_path / "a", content), contents * 3))
    assert (tmp_path / "a").read_bytes() in contents
    assert names(tmp_path) == ["a"]
    previous = os.umask(0o022)
    os.umask(previous)
    assert previous != 0, "writing from threads must not lose the process's umask"


# --- a folder ---


@needs_proc
def test_a_folder_appears_whole(tmp_path: Path, disk: Disk) -> None:
    target = tmp_path / "checkpoints" / "step-1"
    with durable_folder(target) as folder:
        assert not target.exists()
        (folder / "weights").write_bytes(b"1")
        (folder / "part").mkdir()
        (folder / "part" / "state.json").write_bytes(b"2")
    assert (target / "weights").read_bytes() == b"1"
    assert (target / "part" / "state.json").read_bytes() == b"2"
    assert names(target.parent) == ["step-1"]
    assert disk.calls.pop(0) == ("fsync", tmp_path.name), "the folder above is on the disk before anything is in it"
    renamed = [call for call, _ in disk.calls].index("rename")
    temporary = disk.calls[renamed][1]
    synced_before = [name for call, name in disk.calls[:renamed] if call == "fsync"]
    assert sorted(synced_before) == sorted(["weights", "part", "state.json", temporary])
    assert synced_before[-1] == temporary
    assert disk.calls[renamed + 1 :] == [("fsync", "checkpoints")]


@needs_proc
@pytest.mark.parametrize("fails_at", ["fsync", "rename", "the caller"])
def test_a_folder_that_fails_leaves_nothing(tmp_path: Path, disk: Disk, fails_at: str) -> None:
    disk.fails_at = fails_at
    expected = KeyError if fails_at == "the caller" else ResnetkitError
    with pytest.raises(expected), durable_folder(tmp_path / "step-1") as folder:  # noqa: PT012 - it may fail in the body
        (folder / "weights").write_bytes(b"1")
        if fails_at == "the caller":
            raise KeyError("from the body")
    assert names(tmp_path) == []


def test_a_folder_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "step-1").mkdir()
    (tmp_path / "step-1" / "weights").write_bytes(b"old")
    with pytest.raises(ResnetkitError) as raised, durable_folder(tmp_path / "step-1") as folder:
        (folder / "weights").write_bytes(b"new")
    assert raised.value.code is Code.IO
    assert (tmp_path / "step-1" / "weights").read_bytes() == b"old"
    assert names(tmp_path) == ["step-1"]


@pytest.mark.parametrize("place", ["link", "dangling", ".", "/", "full", "file"])
def test_what_no_folder_can_take_the_place_of_is_refused_before_any_work(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "empty").mkdir(parents=True)
    (tmp_path / "full" / "inner").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("here/empty")
    (tmp_path / "dangling").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path / "here" / "empty")  # so "." holds nothing
    with pytest.raises(ResnetkitError, match="is there already"):
        check_new_folder(Path(place) if place in "./" else tmp_path / place)


def test_an_empty_folder_and_one_that_is_missing_can_be_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "deep" / "missing"):
        check_new_folder(place)
        with durable_folder(place) as folder:
            (folder / "inner").touch()
        assert names(place) == ["inner"]


@needs_proc
def test_every_folder_that_is_made_is_synced_with_its_name(tmp_path: Path, disk: Disk) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    assert disk.calls == [("fsync", tmp_path.name), ("fsync", "a"), ("fsync", "b")]
    make_folder(tmp_path / "a" / "b" / "c")
    assert len(disk.calls) == 3
    create_numbered_folder(tmp_path / "runs", "run")
    assert disk.calls[3:] == [("fsync", tmp_path.name), ("rename", "0001-"), ("fsync", "runs")]


# --- errors and sums ---


@pytest.mark.parametrize(
    ("number", "fix"),
    [(errno.ENOSPC, "disk space"), (errno.EACCES, "may write"), (errno.EROFS, "writable"), (errno.EIO, "")],
)
def test_errors_of_the_system_become_one_of_ours(number: int, fix: str) -> None:
    with pytest.raises(ResnetkitError) as raised, io_errors("write a.json"):
        raise OSError(number, os.strerror(number))
    assert raised.value.code is Code.IO
    assert raised.value.what == "cannot write a.json"
    assert os.strerror(number) in raised.value.why
    assert fix in raised.value.fix
    assert bool(fix) == bool(raised.value.fix)


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError, match="ours"), io_errors("write a.json"):
        raise ValueError("ours")


def test_sums_of_files(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    sync_file(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        sync_file(tmp_path / "b")


# --- numbered folders ---


def test_numbers_go_on_from_the_highest(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert create_numbered_folder(runs, "resnet20-digits") == runs / "0001-resnet20-digits"
    (runs / "0007-other").mkdir()
    (runs / "12-no-run").mkdir()
    (runs / "notes.txt").touch()
    assert create_numbered_folder(runs, "a b/c:d").name == "0008-a-b-c-d"
    (runs / "9999-last").mkdir()
    assert create_numbered_folder(runs, "resnet20-digits").name == "10000-resnet20-digits"
    assert create_numbered_folder(runs, "resnet20-digits").name == "10001-resnet20-digits"


@contextmanager
def all_at_once(monkeypatch: pytest.MonkeyPatch, num_threads: int) -> Iterator[None]:
    """Every thread looks at the folder before any of them takes a number."""
    barrier, first = threading.Barrier(num_threads), threading.local()
    real = Path.iterdir

    def iterdir(self: Path) -> Iterator[Path]:
        found = list(real(self))
        if not getattr(first, "looked", False):
            first.looked = True
            barrier.wait(timeout=10)
        return iter(found)

    with monkeypatch.context() as patch:
        patch.setattr(files.Path, "iterdir", iterdir)
        yield


@pytest.mark.parametrize("same_name", [True, False])
def test_runs_started_together_get_numbers_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same_name: bool
) -> None:
    with all_at_once(monkeypatch, 8), ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: create_numbered_folder(tmp_path, "run" if same_name else f"run{i}"), range(8)))
    assert len({path.name.split("-")[0] for path in made}) == 8
    assert names(tmp_path) == sorted(path.name for path in made), "no claim is left behind"


def test_a_claim_left_by_a_crash_only_costs_its_number(tmp_path: Path) -> None:
    (tmp_path / "0003-").mkdir()
    assert create_numbered_folder(tmp_path, "run").name == "0004-run"


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    first, second = (create_numbered_folder(tmp_path, f"resnet20-{'ü' * 10} {'n' * 250}") for _ in range(2))
    assert first.name.startswith("0001-resnet20-n")
    assert second.name.startswith("0002-resnet20-n")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 1 << 16])
@pytest.mark.parametrize("content", [b"", b"\n", b"one", b"one\n", b"one\n\ntwo\nthree", b"\n\n", b"long line\nx\n"])
def test_last_lines_are_all_lines_turned_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, block_bytes: int
) -> None:
    monkeypatch.setattr(files, "BLOCK_BYTES", block_bytes)
    (tmp_path / "f").write_bytes(content)
    assert list(files.last_lines(tmp_path / "f")) == content.split(b"\n")[::-1]


def test_a_lock_is_seen_while_it_is_held_and_asking_takes_nothing(tmp_path: Path) -> None:
    taken = ResnetkitError(Code.USAGE, "taken")
    assert not files.is_locked(tmp_path)
    with files.locked(tmp_path, if_taken=taken):
        assert files.is_locked(tmp_path)
        assert files.is_locked(tmp_path)
    assert not files.is_locked(tmp_path)
    assert not files.is_locked(tmp_path / "nowhere")
    with files.locked(tmp_path, if_taken=taken):
        pass
