"""The runtime for browsers: from npm or a folder, whole and unchanged, or an error that says what to do."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from resnetkit.errors import Code, ResnetkitError
from resnetkit.exporting import web_runtime
from resnetkit.exporting.web_runtime import DIGESTS, VERSION, read_runtime


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a program of that name, of a shell script, the only one there is."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / "bin").mkdir()

    def make(script: str) -> None:
        program = tmp_path / "bin/npm"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return make


def archive(folder: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(folder / "package.tgz", "w:gz") as members:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    return folder / "package.tgz"


def failure(**given: object) -> ResnetkitError:
    with pytest.raises(ResnetkitError) as caught:
        read_runtime(**given)  # type: ignore[arg-type]
    return caught.value


def test_the_files_of_the_known_version_are_taken_from_npm(
    tmp_path: Path, npm: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: name.encode() for name in DIGESTS}
    monkeypatch.setattr(
        web_runtime, "DIGESTS", {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    )
    npm(f'echo "$@" > {tmp_path}/asked; cp {archive(tmp_path, {**files, "ort.all.js": b"no"})} "$6"')
    assert read_runtime() == {**files, "LICENSE": web_runtime.LICENSE.read_bytes()}
    assert (tmp_path / "asked").read_text().startswith(f"pack onnxruntime-web@{VERSION} --ignore-scripts ")


def test_files_that_a_mirror_has_changed_are_refused(tmp_path: Path, npm: Callable[[str], None]) -> None:
    npm(f'cp {archive(tmp_path, dict.fromkeys(DIGESTS, b"changed"))} "$6"')
    error = failure()
    assert error.code == Code.DATA
    assert "SHA-256" in error.why


def test_an_archive_without_the_files_says_which_is_missing(tmp_path: Path, npm: Callable[[str], None]) -> None:
    npm(f'cp {archive(tmp_path, {"ort.all.js": b""})} "$6"')
    error = failure()
    assert "ort.wasm.min.mjs" in error.why


@pytest.mark.parametrize(
    ("script", "why"), [("echo no such package >&2; exit 1", "no such package"), ("exit 3", "3"), ("exit 0", "0")]
)
def test_npm_that_fails_is_quoted(npm: Callable[[str], None], script: str, why: str) -> None:
    npm(script)
    error = failure()
    assert error.code == Code.IO
    assert why in error.why
    assert "--runtime DIR" in error.fix


def test_npm_that_hangs_is_given_up(npm: Callable[[str], None]) -> None:
    npm("exec sleep 60")
    assert "within 0 seconds" in failure(deadline_seconds=0.2).why


def test_without_npm_it_says_what_to_install_or_give(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure()
    assert "npm is not installed" in error.what
    assert "Node.js" in error.fix
    assert "--runtime DIR" in error.fix


def test_a_folder_needs_all_files_and_may_have_any_version(tmp_path: Path) -> None:
    first, *others = DIGESTS
    for name in others:
        (tmp_path / name).write_bytes(name.encode())
    error = failure(folder=tmp_path)
    assert error.code == Code.DATA
    assert first in error.what
    assert all(name not in error.what for name in others)
    (tmp_path / first).write_bytes(first.encode())
    assert read_runtime(tmp_path) == {
        **{name: name.encode() for name in DIGESTS},
        "LICENSE": web_runtime.LICENSE.read_bytes(),
    }
