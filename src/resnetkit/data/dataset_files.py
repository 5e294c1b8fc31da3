"""Finding the files of a named data set on this machine, or getting them, and never using a wrong one."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from resnetkit.data.datasets import DataFile, NamedData
from resnetkit.data.download import DownloadFailed, fetch_file
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.images.types import Indices, UInt8Images

SYSTEM_FOLDER = Path("/usr/share/datasets")


def read_named(data: NamedData, data_dir: str | None) -> dict[str, tuple[UInt8Images, Indices]]:
    """Pixels ``(N, C, H, W)`` and labels ``(N,)`` of the official splits, found here or else downloaded.

    Raises:
        ResnetkitError: if a file has the wrong content, or if files are missing and cannot be downloaded.
    """
    contents = _find(data, data_dir)
    return _read(data, _download(data, data_dir) if contents is None else contents)


def read_at_hand(data: NamedData, data_dir: str | None) -> dict[str, tuple[UInt8Images, Indices]] | None:
    """The same, where all files are here; nothing is downloaded."""
    contents = _find(data, data_dir)
    return None if contents is None else _read(data, contents)


def _read(data: NamedData, contents: dict[str, bytes]) -> dict[str, tuple[UInt8Images, Indices]]:
    return {split: data.read(split, [contents[file.name] for file in files]) for split, files in data.files.items()}


def _bases(data_dir: str | None) -> list[Path]:
    """Folders that hold data sets, the user's own first; a download goes to the first one."""
    chosen = [data_dir, os.environ.get("RESNETKIT_DATA")]
    return [*(Path(folder).expanduser() for folder in chosen if folder), platformdirs.user_cache_path("resnetkit")]


def _places(data: NamedData, data_dir: str | None) -> list[Path]:
    """Folders that may hold the files, in order. A folder of the data set's own name comes before the one above
    it, because the files of different data sets have the same names."""
    names = (data.name, *data.folders)
    places = [base / name for base in _bases(data_dir) for name in (*names, "")]
    return places + [SYSTEM_FOLDER / name for name in names]


def _find(data: NamedData, data_dir: str | None) -> dict[str, bytes] | None:
    """The checked contents by file name from the first place that has all files."""
    wanted = _all_files(data)
    if not wanted:
        return {}
    for place in _places(data, data_dir):
        paths = {file.name: path for file in wanted if (path := _loose_file(place, file))}
        if len(paths) == len(wanted):
            return {file.name: _checked(file, paths[file.name], _unpacked(paths[file.name])) for file in wanted}
        if data.archive and (place / data.archive.name).is_file():
            return _archived(place / data.archive.name, wanted)
    return None


def _all_files(data: NamedData) -> list[DataFile]:
    return [file for files in data.files.values() for file in files]


def _loose_file(place: Path, file: DataFile) -> Path | None:
    candidates = (place / file.name, place / f"{file.name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _unpacked(path: Path) -> bytes:
    with _readable(path):
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _archived(path: Path, wanted: list[DataFile]) -> dict[str, bytes]:
    """The wanted files inside a tar archive, whatever folder they are in there. Nothing is unpacked to disk."""
    found = {}
    with _readable(path), tarfile.open(path) as archive:
        for member in archive:
            file = next((file for file in wanted if file.name == Path(member.name).name), None)
            if file and member.isfile() and (content := archive.extractfile(member)):
                found[file.name] = _checked(file, path, content.read())
    missing = [file.name for file in wanted if file.name not in found]
    require(not missing, f"{path} lacks {', '.join(missing)}", code=Code.DATA, fix="remove it to download it again")
    return found


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns the errors of a damaged packed file into one that names it."""
    try:
        yield
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        fix = "replace it, or remove it to download it again"
        raise ResnetkitError(Code.DATA, f"cannot read {path}", why=str(error), fix=fix) from error


def _checked(file: DataFile, path: Path, content: bytes) -> bytes:
    if not _matches(content, file.digest):
        raise ResnetkitError(
            Code.DATA,
            f"{path} does not hold the {file.name} it should",
            why=f"its decompressed content does not have the {file.digest.replace(':', ' ')}",
            fix="replace it, or remove it to download it again",
        )
    return content


def _matches(content: bytes, digest: str) -> bool:
    kind, expected = digest.split(":")
    return hashlib.new(kind, content, usedforsecurity=False).hexdigest() == expected


def _download(data: NamedData, data_dir: str | None) -> dict[str, bytes]:
    folder = _bases(data_dir)[0] / data.name
    try:
        if data.archive:
            _fetch(data, data.archive, data.archive.name, folder)
        else:
            for file in _all_files(data):
                if _loose_file(folder, file) is None:
                    _fetch(data, file, f"{file.name}.gz", folder)
    except DownloadFailed as failure:
        raise _not_available(data, data_dir, failure) from failure
    contents = _find(data, data_dir)
    assert contents is not None, "what was downloaded is found where it was put"
    return contents


def _fetch(data: NamedData, file: DataFile, packed_name: str, folder: Path) -> None:
    def is_right(path: Path, _: str | None) -> bool:
        packed = path.read_bytes()
        try:
            return _matches(packed if file is data.archive else gzip.decompress(packed), file.digest)
        except (OSError, EOFError, zlib.error):
            return False

    fetch_file([mirror + packed_name for mirror in data.mirrors], folder / packed_name, is_right)


def _not_available(data: NamedData, data_dir: str | None, failure: DownloadFailed) -> ResnetkitError:
    needed = [file.name for file in _all_files(data)]
    places = "\n    ".join(_with_findings(data, data_dir))
    ways = [f"put {', '.join(needed)} (plain or .gz)"]
    ways += [f"or {data.archive.name}"] if data.archive else []
    ways += [f"into {_bases(data_dir)[0] / data.name}, or name their folder with --data-dir or RESNETKIT_DATA"]
    ways += [f"; {data.hint}"] if data.hint else []
    return ResnetkitError(
        Code.DATA,
        f"the files of {data.name} are not on this machine and cannot be downloaded",
        why=f"looked in\n    {places}\n  and tried\n    " + "\n    ".join(failure.reasons),
        fix=" ".join(ways).replace(" ;", ";"),
    )


def _with_findings(data: NamedData, data_dir: str | None) -> Iterator[str]:
    """Each place that was looked in, and what was missing where some of the files are."""
    wanted = _all_files(data)
    for place in _places(data, data_dir):
        missing = [file.name for file in wanted if _loose_file(place, file) is None]
        yield str(place) if len(missing) == len(wanted) else f"{place} (lacks {', '.join(missing)})"
