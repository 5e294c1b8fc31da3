"""Durable writes: after a call returns, the bytes survive a crash; before that, nothing is half there."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from resnetkit.errors import Code, ResnetkitError, require

MAX_NAME_LENGTH = 100  # file systems take 255 bytes, and others may put something before or after ours


def sync_file(path: Path) -> None:
    """Force one file's or folder's bytes to the disk. An error is final: it is never retried on the same file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing; what was made is on the disk when this returns."""
    missing = [] if path.exists() else [path, *(above for above in path.parents if not above.exists())]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)  # another process may have made it meanwhile
        sync_file(folder.parent)  # a folder's name is its parent's content


@contextmanager
def io_errors(doing: str) -> Iterator[None]:
    """Turn operating-system errors inside the block into one clear error."""
    try:
        yield
    except OSError as error:
        fix = {
            errno.ENOSPC: "free some disk space or choose another folder",
            errno.EACCES: "choose a folder you may write to",
            errno.EROFS: "choose a folder on a writable disk",
        }.get(error.errno or 0, "")
        raise ResnetkitError(Code.IO, f"cannot {doing}", why=str(error), fix=fix) from error


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file's content in one step: temporary file, fsync, rename, fsync of the folder."""
    with durable_file(path) as file:
        file.write(content)


def append_durably(path: Path, content: bytes) -> None:
    """Add to the end of a file that is there; a crash on the way leaves a part of ``content`` behind what was there."""
    with io_errors(f"write {path}"), open(path, "r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def durable_file(path: Path) -> Iterator[BinaryIO]:
    """A temporary file to write to; on success it is fsynced and replaces ``path``, on failure it is removed."""
    with io_errors(f"write {path}"):
        make_folder(path.parent)
        temporary = _temporary_name(path)
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_file(path.parent)


@contextmanager
def durable_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill; on success it is fsynced and renamed to ``path``, on failure it is removed."""
    with io_errors(f"write {path}"):
        make_folder(path.parent)
        temporary = _temporary_name(path)
        temporary.mkdir()
        try:
            yield temporary
            for file in temporary.rglob("*"):
                sync_file(file)
            sync_file(temporary)
            os.rename(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync_file(path.parent)


def _temporary_name(path: Path) -> Path:
    """An unused name in the folder of ``path``.

    Not from ``tempfile``, whose files only their owner may read: to widen that means to ask for the umask, which cannot
    be read without setting it for all threads.
    """
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5_of(path: Path) -> str:
    """Hexadecimal MD5 of a file's content, by which some publishers tell their files from damaged ones."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def next_numbered_folder(parent: Path, name: str) -> Path:
    """The folder that :func:`create_numbered_folder` would make now."""
    slug = re.sub(r"[^A-Za-z0-9_.]+", "-", name)[:MAX_NAME_LENGTH].strip("-")
    there = parent.iterdir() if parent.is_dir() else ()
    numbers = [int(m[1]) for p in there if (m := re.match(r"(\d{4,})-", p.name))]
    return parent / f"{max(numbers, default=0) + 1:04d}-{slug}"


def create_numbered_folder(parent: Path, name: str) -> Path:
    """Create and return ``parent/NNNN-name`` with the next free number; never an existing folder.

    Signs that shells or other systems read in their own way become ``-``, and a long name is cut.
    """
    with io_errors(f"create a folder in {parent}"):
        make_folder(parent)
        while True:
            folder = next_numbered_folder(parent, name)
            # Who holds the bare number is alone with it, so that two runs started together get two numbers.
            claim = parent / re.sub("-.*", "-", folder.name)
            try:
                claim.mkdir()
            except FileExistsError:
                continue
            if any(p.name.startswith(claim.name) and p != claim for p in parent.iterdir()):
                claim.rmdir()  # another run took and finished with this number since we looked
                continue
            claim.rename(folder)
            sync_file(parent)
            return folder


def check_new_folder(folder: Path) -> None:
    """Refuse a folder that holds something, a file of that name, and what no finished folder can take the place of.

    That is a link, the root of a disk, and the folder that one is in: only after all work would the disk say so.
    """
    is_bound = folder.is_symlink() or folder.is_mount() or not folder.name
    is_free = not is_bound and (not folder.exists() or (folder.is_dir() and not any(folder.iterdir())))
    require(is_free, f"{folder} is there already", fix="give another folder with --out, or remove it first")


@contextmanager
def locked(folder: Path, *, if_taken: ResnetkitError | None = None) -> Iterator[None]:
    """Keep other processes that lock a folder out of it; the lock ends with the process, however it ends.

    Args:
        if_taken: what is raised where another process has it; None: wait for that one.
    """
    with io_errors(f"lock {folder}"):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        with io_errors(f"lock {folder}"):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX if if_taken is None else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                assert if_taken is not None  # or it would have waited
                raise if_taken from None
        yield
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Tell whether another process has the lock of a folder, which is asked for and given back in the same moment."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(
            descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB
        )  # shared, so that two who ask are not in each other's way
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    else:
        return False
    finally:
        os.close(descriptor)


BLOCK_BYTES = 1 << 16


def last_lines(path: Path) -> Iterator[bytes]:
    """Lines of a file, the last first, without their ends; no more of it is read than they are asked for."""
    with open(path, "rb") as file:
        position, pieces = file.seek(0, os.SEEK_END), [b""]
        while position > 0:
            start = max(0, position - BLOCK_BYTES)
            file.seek(start)
            block, position = file.read(position - start), start
            if b"\n" not in block:
                pieces.append(block)
                continue
            *earlier, last = block.split(b"\n")
            yield last + b"".join(reversed(pieces))
            yield from reversed(earlier[1:])
            pieces = [earlier[0]]
        yield b"".join(reversed(pieces))
