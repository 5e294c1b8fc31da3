"""ONNX Runtime for browsers, which a page needs beside it: from npm at the time of the export, or from a folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import io_errors
from resnetkit.terminal import listed, tell

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
DIGESTS: Mapping[str, str] = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""The files of the package that are needed, with their SHA-256."""
LICENSE = Path(__file__).with_name("onnxruntime-web.LICENSE")  # the package itself is without
DEADLINE_SECONDS = 600
BY_HAND = f"npm pack {PACKAGE}@{VERSION}, unpack it, and give its folder package/dist as --runtime DIR"


def read_runtime(folder: Path | None = None, *, deadline_seconds: float = DEADLINE_SECONDS) -> dict[str, bytes]:
    """The runtime's files and its licence, by their names.

    Args:
        folder: that has them, of whatever version; None: npm is asked for the version known here.
        deadline_seconds: after which npm is given up.

    Raises:
        ResnetkitError: where ``folder`` has not all; where npm is missing, fails, takes too long or brings other files
            than those known here.
    """
    files = _of_folder(folder) if folder is not None else _of_npm(deadline_seconds)
    return {**files, "LICENSE": LICENSE.read_bytes()}


def _of_folder(folder: Path) -> dict[str, bytes]:
    missing = [name for name in DIGESTS if not (folder / name).is_file()]
    require(not missing, f"{folder} has no {listed(missing)}", fix=BY_HAND, code=Code.DATA)
    with io_errors(f"read {folder}"):
        return {name: (folder / name).read_bytes() for name in DIGESTS}


def _of_npm(deadline_seconds: float) -> dict[str, bytes]:
    npm = shutil.which("npm")
    require(
        npm is not None,
        f"npm is not installed, which brings {PACKAGE}",
        fix=f"install Node.js, or elsewhere: {BY_HAND}",
    )
    assert npm is not None
    tell(f"getting {PACKAGE} {VERSION} from npm")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--silent", "--pack-destination", folder]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=deadline_seconds
            )
        except subprocess.TimeoutExpired:
            raise _failed(f"no answer within {deadline_seconds:.0f} seconds") from None
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            raise _failed((done.stderr or done.stdout).strip()[-2_000:] or f"exit code {done.returncode}")
        files = _unpacked(archives[0])
    changed = [name for name, content in files.items() if hashlib.sha256(content).hexdigest() != DIGESTS[name]]
    require(
        not changed,
        f"{listed(changed)} of npm's {PACKAGE} {VERSION} {'is' if len(changed) == 1 else 'are'} not what is known here",
        why="their SHA-256 differ, so a mirror may have changed them",
        fix="npm config get registry tells which registry was asked",
        code=Code.DATA,
    )
    return files


def _unpacked(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as members:
        try:
            found = {name: members.extractfile(f"package/dist/{name}") for name in DIGESTS}
        except KeyError as error:
            raise _failed(str(error)) from None
        return {name: file.read() for name, file in found.items() if file is not None}


def _failed(why: str) -> ResnetkitError:
    return ResnetkitError(
        Code.IO,
        f"npm did not bring {PACKAGE} {VERSION}",
        why=why,
        fix=f"try again, or where npm works: {BY_HAND}",
    )
